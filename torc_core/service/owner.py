"""The owner of a storage: one piece of work at a time, many of them in one transaction, listeners told afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.storage import Storage
from torc_core.errors import TorcError, Unavailable
from torc_core.records.answers import StreamEvent
from torc_core.service.access import Access
from torc_core.service.events import Bus
from torc_core.service.leases import Leases, Runner
from torc_core.service.state import WorkflowState, load_state
from torc_core.service.turn import Caller, Turn

if TYPE_CHECKING:
    from torc_core.service.upkeep import Upkeep

Work = Callable[[Turn], Any]
MAX_WAIT_SECONDS = 60.0


class Pulse(NamedTuple):
    """Where a workflow stands, as far as those need to know who wait for something to happen."""

    version: int
    ready: int  # jobs
    is_over: bool  # complete or canceled, or not in memory: everybody who waits has to look


class Owner:
    """Runs pieces of work on a storage. Whoever comes while one transaction is written joins the next one together.

    A decision changes the graph in memory first. When its transaction then fails, every graph it could have touched is
    dropped and read again, so memory never knows more than the storage.
    """

    def __init__(
        self, storage: Storage, still_mine: Callable[[], bool] | None = None, access: Access | None = None
    ) -> None:
        self.storage = storage
        self.access = access or Access()
        self.rights: dict[Any, Any] = {}  # used by turns only, one at a time
        self._still_mine = still_mine
        self._states: dict[int, WorkflowState] = {}
        self.leases = Leases()  # touched only with the lock below
        self.upkeep: Upkeep | None = None
        self._busy = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._versions: dict[int, int] = {}
        self._first_version = _first_version()
        self._moved = threading.Condition()
        self._listeners: dict[int, list[Callable[[], None]]] = {}
        self.events = Bus()
        self.on_commit: Callable[[int], None] | None = None  # hears how many pieces of work a transaction had
        self._closed = False

    def read(self, work: Work, caller: Caller) -> Any:
        """Return what ``work`` finds; it must not change anything."""
        changed: set[int] = set()
        try:
            with self._busy:
                turn = self._turn(caller)
                changed = self._renew()
                return work(turn)
        finally:
            if changed:
                self._announce(changed)

    def write(self, work: Work, caller: Caller) -> Any:
        """Carry out ``work`` as part of one transaction; return or raise after that is kept (or undone)."""
        ticket = _Ticket(work, caller)
        self._queue.append(ticket)
        changed: set[int] = set()
        with self._busy:
            if not ticket.is_done:
                batch = [self._queue.popleft() for _ in range(len(self._queue))]
                try:
                    changed = self._commit(batch)
                finally:
                    for other in batch:
                        other.is_done = True
        if changed:
            self._announce(changed)
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer

    def _turn(self, caller: Caller) -> Turn:
        if self._closed:
            raise _closed()
        return Turn(self, caller)

    def _commit(self, batch: list[_Ticket]) -> set[int]:
        """Carry out a batch in one transaction, or its pieces one by one when one of them fails half way."""
        if self._still_mine is not None and not self._still_mine():
            error = Unavailable(
                "another process has taken over this database",
                hint="Run the command again: it will be sent to the new owner.",
                outcome="not sent",
            )
            for ticket in batch:
                ticket.error = error
            return set()
        if self._closed:
            for ticket in batch:
                ticket.error = _closed()
            return set()
        try:
            renewed = self._renew()
        except TorcError as exc:
            for ticket in batch:
                ticket.error = exc
            return set()
        changed = set(renewed)
        try:
            with self.storage.transaction():
                for ticket in batch:
                    self._carry_out(ticket, changed)
        except Exception as exc:  # noqa: BLE001  (it is given to whoever asked)
            self._drop(changed)
            is_lost = isinstance(exc, Unavailable) and "outcome" in exc.details  # the storage itself cannot be reached
            if len(batch) == 1 or is_lost:
                for ticket in batch:
                    ticket.error = ticket.error or exc
                return changed if is_lost else renewed  # whoever listens looks again
            changed = renewed
            for ticket in batch:
                ticket.answer = ticket.error = None
                ticket.told = ()
                changed |= self._commit([ticket])
            return changed
        except BaseException:  # interrupted: the transaction is undone, and so must be what is in memory
            self._drop(changed)
            for ticket in batch:
                ticket.error = ticket.error or Unavailable("the service was interrupted; nothing was changed")
            raise
        self.leases.keep()
        self.events.publish(event for ticket in batch for event in ticket.told)  # in the order of transactions
        if self.on_commit is not None:
            self.on_commit(len(batch))
        return changed

    def _renew(self) -> set[int]:
        """Forget all if another process had the storage meanwhile; return the workflows that may have changed then."""
        if not self.storage.renew():
            return set()
        changed = {*self._states, *self._versions, *self._listeners}
        self._drop(changed)
        self._versions.clear()
        self._first_version = _first_version()
        self.leases = Leases()
        if self.upkeep is not None:
            self.upkeep.begin_anew()
        with self._moved:
            self._moved.notify_all()  # also those who wait for workflows of which nothing is known here
        return changed

    def _drop(self, changed: set[int]) -> None:
        """Forget what was decided of workflows; a piece that changed something says so before it does."""
        self.rights.clear()
        self.leases.undo()
        for workflow_id in changed:
            self._states.pop(workflow_id, None)

    def _carry_out(self, ticket: _Ticket, changed: set[int]) -> None:
        turn = self._turn(ticket.caller)
        try:
            ticket.answer = ticket.work(turn)
            turn.settle_actions()
        except Exception as exc:
            if turn.is_dirty:
                raise
            ticket.error = exc
        else:
            ticket.told = turn.told
        finally:
            changed |= turn.changed
        for workflow_id in turn.changed:  # each piece by itself, so that its answer can tell whether others followed
            self._versions[workflow_id] = self.version(workflow_id) + 1

    def _announce(self, changed: set[int]) -> None:
        with self._moved:
            self._moved.notify_all()
        for workflow_id in changed:
            for notify in tuple(self._listeners.get(workflow_id, ())):
                try:
                    notify()
                except Exception:  # the change is kept, and others must hear of it
                    import logging

                    logging.getLogger(__name__).exception("a listener failed")

    # what turns ask for

    def state(self, workflow_id: int) -> WorkflowState:
        """Return the workflow in memory, reading it when it is not there; raises NotFound."""
        state = self._states.get(workflow_id)
        if state is None:
            state = self._states[workflow_id] = load_state(self.storage, workflow_id)
        return state

    def loaded(self, workflow_id: int) -> WorkflowState | None:
        """Return the workflow in memory, None when it is not there."""
        return self._states.get(workflow_id)

    def forget(self, workflow_id: int) -> None:
        """Drop what is in memory of a workflow, since its stored form changed otherwise."""
        self._states.pop(workflow_id, None)

    # runners

    def begin_lease(self, workflow_id: int, compute_node_id: int, seconds: float | None) -> None:
        """Expect to hear of a runner at least so often (None: not at all); called in turns."""
        self.leases.begin(Runner(workflow_id, compute_node_id), seconds)
        if seconds is not None and self.upkeep is not None:
            self.upkeep.look_soon()

    def next_look(self) -> float | None:
        """Return when to look for silent runners (monotonic), None when there is nobody to look for."""
        with self._busy:
            return self.leases.next_at()

    def silent_runners(self) -> list[Runner]:
        """Return the runners whose leases are over."""
        with self._busy:
            return self.leases.look()

    # changes

    def version(self, workflow_id: int) -> int:
        """Return the number that every change of a workflow raises."""
        return self._versions.get(workflow_id, self._first_version)

    def pulse(self, workflow_id: int) -> Pulse:
        """Return where a workflow stands, at once: what is being decided at the moment may show, or not yet."""
        state, version = self._states.get(workflow_id), self.version(workflow_id)
        if state is None:
            return Pulse(version, 1, is_over=True)
        return Pulse(version, state.graph.ready_count, state.graph.is_complete or state.graph.canceled)

    def wait(self, workflow_id: int, version: int, seconds: float) -> int:
        """Return the version when it is another than ``version`` or the time is over."""
        deadline = time.monotonic() + min(max(seconds, 0.0), MAX_WAIT_SECONDS)
        with self._moved:
            while self.version(workflow_id) == version and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._moved.wait(left)
        return self.version(workflow_id)

    def listen(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called after every change of a workflow; returns what ends that."""
        listeners = self._listeners.setdefault(workflow_id, [])
        listeners.append(notify)

        def end() -> None:
            if notify in listeners:
                listeners.remove(notify)

        return end

    def close(self, *, abandon: bool = False) -> None:
        """Finish what is being written and let go of the storage (``abandon``: without a write)."""
        if self.upkeep is not None:
            self.upkeep.close()
        with self._busy:
            if self._closed:
                return
            self._closed = True
            self._states.clear()
            if abandon:
                self.storage.abandon()
            else:
                self.storage.close()
        self.events.close()
        with self._moved:
            self._moved.notify_all()


def _first_version() -> int:
    """Return a number to count from: another owner's numbers mean nothing here."""
    return int.from_bytes(os.urandom(5), "big") + 1


def _closed() -> Unavailable:
    return Unavailable("this service is closed", outcome="not sent")


class _Ticket:
    """One piece of work that waits for its transaction."""

    __slots__ = ("answer", "caller", "error", "is_done", "told", "work")

    def __init__(self, work: Work, caller: Caller) -> None:
        self.work = work
        self.caller = caller
        self.answer: Any = None
        self.error: BaseException | None = None
        self.told: Sequence[StreamEvent] = ()
        self.is_done = False
