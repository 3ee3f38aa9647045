"""What the clients of a far service have in common: the verbs, and hearing of changes by asking with long waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from torc_core.errors import TorcError, Unavailable
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.service.api import Service, check_filters, verb_of

R = TypeVar("R", bound=Record)
NOT_SENT = "not sent"
"""Value of the detail ``outcome`` of an error: nothing was done."""
UNKNOWN = "unknown"
"""It may have been carried out."""
REPEATABLE = frozenset({"tick", "cancel_workflow", "archive_workflow", "finish_action", "spawn_jobs"})
"""Operations that change something, and whose second time changes nothing more."""
_WATCH_S = 20.0
_RETRY_S = 1.0


def said_again(op: Operation, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with which to repeat what may have been carried out, its answer being lost.

    A runner's turn asks for what it was given as well: nobody else will be.
    """
    if op.name == "tick":
        return {**arguments, "report": arguments["report"].changed(resend=True)}
    return arguments


class FarService(Service):
    """Sends every verb through ``perform``, as the operation that it is."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def create(self, record: R, **extra: Any) -> R:
        """See Service."""
        return self._derived(type(record), "create", {"body": record, **extra})  # type: ignore[no-any-return]

    def get(self, kind: type[R], id: int) -> R:
        """See Service."""
        return self._derived(kind, "get", {"id": id})  # type: ignore[no-any-return]

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
        """See Service."""
        check_filters(kind, filters)
        asked = {"workflow_id": workflow_id, "offset": offset, "limit": limit, "sort_by": sort_by}
        asked |= {"reverse_sort": reverse_sort, **filters}
        given = {name: value for name, value in asked.items() if value is not None}
        return self._derived(kind, "find", given)  # type: ignore[no-any-return]

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """See Service."""
        return self._derived(kind, "update", {"id": id, "body": changes})  # type: ignore[no-any-return]

    def delete(self, kind: type[R], id: int) -> R:
        """See Service."""
        return self._derived(kind, "delete", {"id": id})  # type: ignore[no-any-return]

    def delete_all(self, kind: type[Record], workflow_id: int) -> a.Deleted:
        """See Service."""
        return self._derived(kind, "delete_all", {"workflow_id": workflow_id})  # type: ignore[no-any-return]

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """See Service; goes on after a lost connection as soon as there is one again."""
        return follow_changes(self, workflow_id, notify, self._closed)

    def _derived(self, kind: type[Record], verb: str, arguments: dict[str, Any]) -> Any:
        op = verb_of(kind, verb)
        if verb == "create" and "{workflow_id}" in op.path:
            arguments["workflow_id"] = vars(arguments["body"])["workflow_id"]
        return self.perform(op, arguments)


def follow_changes(
    service: Service, workflow_id: int, notify: Callable[[], None], closed: threading.Event
) -> Callable[[], None]:
    """Call ``notify`` after changes, from a thread that asks with long waits; returns what ends that.

    An owner that is gone counts as a change, since what it had not told is not known. A workflow that is gone is the
    last one.
    """
    ended = threading.Event()

    def watch() -> None:
        version = 0
        while not ended.is_set() and not closed.is_set():
            try:
                newer = service.wait_for_change(workflow_id, version, _WATCH_S).version
            except Unavailable:
                newer = 0
                ended.wait(_RETRY_S)
            except TorcError:
                ended.set()
                notify()
                return
            except Exception:  # noqa: BLE001  (a thread that dies would leave its runner deaf)
                newer = 0
                ended.wait(_RETRY_S)
            if newer != version and not ended.is_set() and not closed.is_set():
                notify()
            version = newer

    threading.Thread(target=watch, name=f"changes of workflow {workflow_id}", daemon=True).start()
    return ended.set
