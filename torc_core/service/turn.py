"""What a handler works with: the storage, the workflows in memory, who asks and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from torc_core.contracts.access import ANONYMOUS
from torc_core.contracts.storage import Condition, Row, Where
from torc_core.errors import NotFound, StorageError
from torc_core.records.access import AccessGroup, UserGroupMembership, WorkerToken, WorkflowAccessGroup
from torc_core.records.answers import StreamEvent
from torc_core.records.record import Record, loaded_fields, row_reader, stored
from torc_core.records.resources import Event, Workflow
from torc_core.service.clock import now_ms

if TYPE_CHECKING:
    from torc_core.service.access import Access
    from torc_core.service.owner import Owner
    from torc_core.service.state import WorkflowState

R = TypeVar("R", bound=Record)


_BEFORE_STRICT = ("0.12", "0.22")
_STRICT = ("0.35", "1.0")
"""Releases that clients of the published wire were made for; another word stands for those that are not known."""


class Caller(NamedTuple):
    """Who asks: the user's name, and the API release the caller was made for.

    ``is_login`` says that the name was proved to a server. ``token_id`` and ``workflow_id`` are those of the worker
    token that was shown, 0 without one.
    """

    user: str = ANONYMOUS
    release: str = ""
    is_login: bool = False
    token_id: int = 0
    workflow_id: int = 0

    @property
    def is_ours(self) -> bool:
        """Whether our own client asks, or a program on this machine."""
        return not self.release

    @property
    def is_strict_about_bulk(self) -> bool:
        """Whether its clients expect that lists of new records are not empty and have no name twice."""
        return self.release in _STRICT

    @property
    def raises_run(self) -> bool:
        """Whether its clients raise the run id of a workflow by themselves."""
        return self.release in _BEFORE_STRICT


_GRANTING = frozenset({AccessGroup, UserGroupMembership, WorkflowAccessGroup, WorkerToken})
"""Kinds of records that rights come from."""


class Turn:
    """One piece of work on the owner's storage. Writes mark it dirty: what fails after that undoes the transaction."""

    __slots__ = ("_owner", "caller", "changed", "is_dirty", "now", "storage", "told")

    def __init__(self, owner: Owner, caller: Caller) -> None:
        self._owner = owner
        self.storage = owner.storage
        self.caller = caller
        self.now = now_ms()
        self.is_dirty = False
        self.changed: set[int] = set()
        self.told: list[StreamEvent] = []

    # rights

    @property
    def access(self) -> Access:
        """The rules about who may do what."""
        return self._owner.access

    @property
    def rights(self) -> dict[Any, Any]:
        """What is remembered about rights; forgotten when records change that they come from."""
        return self._owner.rights

    # the workflow in memory

    def state(self, workflow_id: int) -> WorkflowState:
        """Return a workflow's state; raises NotFound."""
        return self._owner.state(workflow_id)

    def loaded(self, workflow_id: int) -> WorkflowState | None:
        """Return a workflow's state if it is in memory."""
        return self._owner.loaded(workflow_id)

    def forget(self, workflow_id: int) -> None:
        """Have the state read again before its next use: its jobs or their links changed."""
        self._owner.forget(workflow_id)

    def settle_actions(self) -> None:
        """Count for actions what this piece of work has changed."""
        for workflow_id in self.changed:
            state = self._owner.loaded(workflow_id)
            if state is not None and state.actions is not None:
                state.actions.settle(self, state.graph)

    def wake_later(self, state: WorkflowState) -> None:
        """Have the jobs of a workflow woken that wait for a moment."""
        moment = state.graph.next_moment
        if moment is not None and self._owner.upkeep is not None:
            self._owner.upkeep.wake_at(state.id, moment)

    # leases

    def renew_lease(self, compute_node_id: int) -> bool:
        """A runner was heard of; returns whether it is known."""
        return self._owner.leases.renew(compute_node_id)

    def begin_lease(self, workflow_id: int, compute_node_id: int, seconds: float | None) -> None:
        """Expect to hear of a runner at least so often (None: not at all)."""
        self._owner.begin_lease(workflow_id, compute_node_id, seconds)

    def is_silent(self, compute_node_id: int) -> bool:
        """Whether a runner has not been heard of for longer than its lease."""
        return self._owner.leases.is_over(compute_node_id)

    def end_leases(self, compute_node_ids: Iterable[int]) -> None:
        """Expect nothing of these runners any more, once this is kept."""
        self._owner.leases.end(compute_node_ids)

    # versions

    def version(self, workflow_id: int) -> int:
        """Return the version the workflow will have once this is kept."""
        return self._owner.version(workflow_id) + (workflow_id in self.changed)

    def touch(self, workflow_id: int) -> None:
        """Say that the workflow changes from here on, in memory or in the storage."""
        self.is_dirty = True
        self.changed.add(workflow_id)

    # reading

    def get(self, kind: type[R], id: int) -> R:
        """Return a record; raises NotFound."""
        for record in self.records(kind, [Condition("id", "equal", id)]):
            return record
        raise NotFound(f"there is no {kind.SINGULAR.replace('_', ' ')} with id {id}", id=id)

    def records(self, kind: type[R], where: Where = (), **page: Any) -> Iterable[R]:
        """Yield the records that match."""
        names = [f.name for f in loaded_fields(kind)]
        return read_rows(kind, row_reader(kind), self.storage.rows(kind, names, where, **page))

    def rows(self, kind: type[Record], names: Sequence[str], where: Where = (), **page: Any) -> Iterable[Any]:
        """Yield columns in stored form of the rows that match."""
        return self.storage.rows(kind, names, where, **page)

    # writing

    def insert(self, record: R) -> R:
        """Store a new record and give it its id."""
        kind = type(record)
        self.is_dirty = True
        record.id = self.storage.next_ids(kind, 1)
        values = [(n, stored(f, getattr(record, n))) for n, f in kind.FIELDS.items()]
        kept = [(n, v) for n, v in values if v is not None]
        self.storage.insert(kind, [n for n, _ in kept], [tuple(v for _, v in kept)])
        if kind in _GRANTING:
            self.rights.clear()
        self._touch_workflow_of(record)
        return record

    def set(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Change fields (given in their declared types) of all records that match."""
        self.is_dirty = True
        if kind in _GRANTING or (kind is Workflow and "user" in changes):
            self.rights.clear()
        return self.storage.update(kind, {n: stored(kind.FIELDS[n], v) for n, v in changes.items()}, where)

    def set_each(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Change columns of single rows, in stored form; a row is the values and then the id."""
        self.is_dirty = True
        self.storage.update_each(kind, names, rows)

    def delete(self, kind: type[Record], where: Where) -> int:
        """Remove records with all that refers to them."""
        self.is_dirty = True
        if kind in _GRANTING or kind is Workflow:
            self.rights.clear()
        return self.storage.delete(kind, where)

    def event(self, workflow_id: int, /, **data: Any) -> None:
        """Keep an event."""
        self.insert(Event(workflow_id=workflow_id, timestamp=self.now, data=data))

    # telling

    def is_heard(self, workflow_id: int, severity: str = "error") -> bool:
        """Whether anybody listens to a workflow's events; ask before finding out what only they want to know."""
        return self._owner.events.is_heard(workflow_id, severity)

    def tell(self, workflow_id: int, event_type: str, severity: str = "info", /, **data: Any) -> None:
        """Have listeners hear of something once this is kept; nothing when nobody listens."""
        if self.is_heard(workflow_id, severity):
            self.told.append(
                StreamEvent(
                    workflow_id=workflow_id, timestamp=self.now, event_type=event_type, severity=severity, data=data
                )
            )

    def _touch_workflow_of(self, record: Record) -> None:
        workflow_id = workflow_of(record)
        if workflow_id is not None:
            self.touch(workflow_id)


def workflow_of(record: Record) -> int | None:
    """Return the id of the workflow that a record is or belongs to, None when it stands by itself."""
    if isinstance(record, Workflow):
        return record.id
    return getattr(record, "workflow_id", None)


def read_rows(kind: type[R], read: Callable[[Row], R], rows: Iterable[Row]) -> Iterator[R]:
    """Yield the records of rows; raises StorageError for a row that holds what no record does."""
    for row in rows:
        try:
            yield read(row)
        except (ValueError, TypeError, LookupError) as exc:
            raise StorageError(
                f"the {kind.SINGULAR.replace('_', ' ')} with id {row[0]} is damaged: {exc}",
                hint="Restore a copy of the database.",
            ) from exc


def of_workflow(workflow_id: int, *more: Condition) -> list[Condition]:
    """Return the condition that a record belongs to a workflow, and more."""
    return [Condition("workflow_id", "equal", workflow_id), *more]


def with_ids(ids: Sequence[int]) -> list[Condition]:
    """Return the condition that a record is one of several."""
    return [Condition("id", "one_of", ids)]
