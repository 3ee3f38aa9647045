"""The service of whoever owns the storage: it decides in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torc_core import __version__
from torc_core.contracts.storage import Storage
from torc_core.errors import Unsupported
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.resources import Workflow
from torc_core.service import claims, completion, correcting, creation, queries, runs, ticks, verbs  # noqa: F401  (they register)
from torc_core.service.api import Service
from torc_core.service.events import Subscription
from torc_core.service.owner import Owner
from torc_core.service.registry import HANDLERS
from torc_core.service.turn import Caller

R = TypeVar("R", bound=Record)


class LocalService(Service):
    """Decides in memory; keeps every change in the storage before anybody hears of it. For any number of threads."""

    def __init__(
        self, storage: Storage, *, caller: Caller | None = None, still_mine: Callable[[], bool] | None = None
    ) -> None:
        """Serve a storage. ``still_mine`` is asked before each write: whether this process still owns it."""
        self._owner = Owner(storage, still_mine)
        self._caller = caller or Caller()

    def for_caller(self, caller: Caller) -> LocalService:
        """Return the same service as another user sees it."""
        other = LocalService.__new__(LocalService)
        other._owner, other._caller = self._owner, caller
        return other

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Carry out a declared operation: reads at once, everything else in a transaction."""
        handler = HANDLERS.get(op.name)
        if handler is None:
            raise Unsupported(f"{op.name} is not offered by this service")
        run = self._owner.read if op.is_read_only else self._owner.write
        return run(lambda turn: handler(turn, **arguments), self._caller)

    def create(self, record: R, **extra: Any) -> R:
        """Store a new record."""
        made: R = self._owner.write(lambda turn: verbs.create(turn, record, **extra), self._caller)
        return made

    def get(self, kind: type[R], id: int) -> R:
        """Return the record with that id."""
        found: R = self._owner.read(lambda turn: turn.get(kind, id), self._caller)
        return found

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
        """Return one page of records."""
        page: Page[R] = self._owner.read(
            lambda turn: verbs.find(turn, kind, workflow_id, offset, limit, sort_by, reverse_sort, **filters),
            self._caller,
        )
        return page

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """Change a record."""
        changed: R = self._owner.write(lambda turn: verbs.update(turn, kind, id, changes), self._caller)
        return changed

    def delete(self, kind: type[R], id: int) -> R:
        """Remove a record."""
        gone: R = self._owner.write(lambda turn: verbs.delete(turn, kind, id), self._caller)
        return gone

    def delete_all(self, kind: type[R], workflow_id: int) -> a.Deleted:
        """Remove all records of a kind."""
        count: a.Deleted = self._owner.write(lambda turn: verbs.delete_all(turn, kind, workflow_id), self._caller)
        return count

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called by whichever thread made a change."""
        return self._owner.listen(workflow_id, notify)

    def wait_for_change(self, id: int, version: int = 0, wait_seconds: float = 0.0) -> a.Change:
        """Wait without keeping anybody else from working."""
        return a.Change(version=self._owner.wait(id, version, wait_seconds))

    def watch_events(self, id: int, level: str = "info") -> a.EventStream:
        """Hear of what happens to a workflow."""
        return self.subscribe(id, level)

    def subscribe(
        self, workflow_id: int, level: str = "info", notify: Callable[[], None] | None = None
    ) -> Subscription:
        """Return the events of a workflow; ``notify`` is called, quickly, when there are some to take."""
        self.get(Workflow, workflow_id)
        return self._owner.events.subscribe(workflow_id, level, notify)

    def ping(self) -> a.Ping:
        """Answer at once."""
        return a.Ping(status="ok")

    def get_version(self) -> a.Version:
        """Tell our release."""
        return a.Version(version=__version__, api_version=__version__)

    def close(self) -> None:
        """Close the storage."""
        self._owner.close()

    def abandon(self) -> None:
        """Let go of the storage without writing a byte."""
        self._owner.close(abandon=True)
