"""The one interface to workflows: records by five typed verbs, everything else by a declared operation.

The owner of a database (``LocalService``) and the client of a far one (``RemoteService``) both implement it; the
command line, the runner and the interfaces know only this.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torc_core.errors import Invalid, NotFound, Unsupported
from torc_core.operations import Operation, all_operations, verbs_of
from torc_core.records import answers as a
from torc_core.records import kinds  # noqa: F401  (declares the records)
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.service import irregular  # noqa: F401  (bends what is derived from records)
from torc_core.service.operations.access import AccessOperations
from torc_core.service.operations.actions import ActionOperations
from torc_core.service.operations.bulk import BulkOperations
from torc_core.service.operations.claims import ClaimOperations
from torc_core.service.operations.events import EventOperations
from torc_core.service.operations.jobs import JobOperations
from torc_core.service.operations.relations import RelationOperations
from torc_core.service.operations.runs import RunOperations
from torc_core.service.operations.spawning import SpawnOperations
from torc_core.service.operations.system import SystemOperations
from torc_core.service.operations.tasks import TaskOperations
from torc_core.service.operations.workflows import WorkflowOperations

API_VERSION = "0.23.0"
"""The newest version of the published API that this one covers."""
R = TypeVar("R", bound=Record)


class Service(
    SystemOperations,
    WorkflowOperations,
    RunOperations,
    ClaimOperations,
    JobOperations,
    BulkOperations,
    RelationOperations,
    EventOperations,
    ActionOperations,
    SpawnOperations,
    TaskOperations,
    AccessOperations,
):
    """What a service can do. A declared operation that a subclass does not define ends in ``perform``."""

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Carry out a declared operation in the service's general way."""
        raise Unsupported(f"{op.name} is not offered by this service")

    def create(self, record: R, **extra: Any) -> R:
        """Store a new record; the answer has its id. ``extra`` is what few kinds take besides."""
        raise Unsupported("this service does not create records")

    def get(self, kind: type[R], id: int) -> R:
        """Return the record with that id; raises NotFound."""
        raise Unsupported("this service does not keep records")

    def find(
        self,
        kind: type[R],
        workflow_id: int | None = None,
        offset: int = 0,
        limit: int = MAX_LIMIT,
        sort_by: str | None = None,
        reverse_sort: bool = False,
        **filters: Any,
    ) -> Page[R]:
        """Return one page of the records that match all ``filters``, by id unless ``sort_by`` names a field."""
        raise Unsupported("this service does not keep records")

    def each(self, kind: type[R], workflow_id: int | None = None, **filters: Any) -> Iterable[R]:
        """Yield all records that match, page by page, so that any number of them can be walked."""
        offset = 0
        while True:
            page = self.find(kind, workflow_id, offset, MAX_LIMIT, **filters)
            yield from page.items
            offset += len(page.items)
            if not page.has_more or not page.items:
                return

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """Change what ``changes`` names; the rest stays."""
        raise Unsupported("this service does not change records")

    def delete(self, kind: type[R], id: int) -> R:
        """Remove a record and what hangs on it; the answer is what it was."""
        raise Unsupported("this service does not delete records")

    def delete_all(self, kind: type[R], workflow_id: int) -> a.Deleted:
        """Remove all records of one kind from a workflow."""
        raise Unsupported("this service does not delete records")

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called, from any thread, after changes of a workflow; returns what ends that.

        Changes may be told together. Where nothing better is known, a thread asks with long waits.
        """
        ended = threading.Event()

        def watch() -> None:
            version = 0
            while not ended.is_set():
                newer = self.wait_for_change(workflow_id, version, 20.0).version
                if newer != version and not ended.is_set():
                    notify()
                version = newer

        threading.Thread(target=watch, name=f"changes of workflow {workflow_id}", daemon=True).start()
        return ended.set

    def close(self) -> None:
        """Let go of what the service holds."""

    def abandon(self) -> None:
        """Let go without writing to what another process owns by now."""
        self.close()


OPERATIONS: dict[str, Operation] = all_operations(Service, a.Deleted)
VERBS: dict[tuple[type[Record], str], Operation] = verbs_of(OPERATIONS)
"""The operation of a kind of record for one of its verbs."""


def check_filters(kind: type[Record], names: Iterable[str]) -> None:
    """Raise Invalid for what lists of a kind cannot be narrowed by."""
    unknown = set(names) - kind.FILTERS.keys()
    if unknown:
        known = ", ".join(kind.FILTERS)
        raise Invalid(f"{kind.PLURAL} cannot be filtered by {', '.join(sorted(unknown))}; filters: {known}")


def verb_of(kind: type[Record], verb: str) -> Operation:
    """Return the operation of a verb; raises NotFound for one that the kind does not have."""
    if verb not in kind.VERBS:
        raise NotFound(f"{kind.PLURAL.replace('_', ' ')} have no {verb.replace('_', ' ')} operation")
    return VERBS[kind, verb]
