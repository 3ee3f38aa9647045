"""One service that stays when the owner of the database goes: another owner is found, or this process becomes it."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from torc_core.errors import Forbidden, TorcError, Unavailable
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.service.api import OPERATIONS, Service, verb_of
from torc_core.service.far import REPEATABLE, follow_changes, said_again
from torc_core.service.ownership import Ownership

R = TypeVar("R", bound=Record)
T = TypeVar("T")
_MAX_OWNERS = 10  # that go one after the other during a single call


class Seat(NamedTuple):
    """A way to the database: as its owner, or beside it."""

    service: Service
    leave: Callable[[], None]
    ownership: Ownership | None = None
    retire: Callable[[], None] | None = None  # leaves it to other threads to end the calls that they have begun


class _Watch:
    """Somebody who wants to hear of changes; ``end`` stops that."""

    def __init__(self, workflow_id: int, notify: Callable[[], None]) -> None:
        self.workflow_id, self.notify = workflow_id, notify
        self.end: Callable[[], None] = lambda: None


class FailoverService(Service):
    """Passes everything on to the service of its seat, and finds another seat when the owner is gone.

    A call that was under way is repeated when it had not been sent, when it only reads, or when twice is the same as
    once (``REPEATABLE``); else it is Unavailable, saying that its outcome is unknown.
    """

    def __init__(self, sit: Callable[[threading.Event], Seat]) -> None:
        """``sit`` finds a seat, now and later; it stops when the event is set."""
        self._sit, self._closed, self._lock = sit, threading.Event(), threading.RLock()
        self._pid = os.getpid()
        self._direct: list[_Watch] = []
        self._seat: Seat | None = sit(self._closed)
        atexit.register(self.close)

    @property
    def is_owner(self) -> bool:
        """Whether the database is this process's own at the moment."""
        seat = self._seat
        return seat is not None and seat.ownership is not None and not seat.ownership.is_lost

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Have a declared operation carried out."""
        return self._carry(
            op,
            lambda service: op.call(service, arguments),
            lambda service: op.call(service, said_again(op, arguments)),
        )

    def create(self, record: R, **extra: Any) -> R:
        """See Service."""
        return self._carry(verb_of(type(record), "create"), lambda service: service.create(record, **extra))

    def get(self, kind: type[R], id: int) -> R:
        """See Service."""
        return self._carry(verb_of(kind, "get"), lambda service: service.get(kind, id))

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
        return self._carry(
            verb_of(kind, "find"),
            lambda service: service.find(kind, workflow_id, offset, limit, sort_by, reverse_sort, **filters),
        )

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """See Service."""
        return self._carry(verb_of(kind, "update"), lambda service: service.update(kind, id, changes))

    def delete(self, kind: type[R], id: int) -> R:
        """See Service."""
        return self._carry(verb_of(kind, "delete"), lambda service: service.delete(kind, id))

    def delete_all(self, kind: type[Record], workflow_id: int) -> a.Deleted:
        """See Service."""
        op = verb_of(kind, "delete_all")
        return self._carry(op, lambda service: service.delete_all(kind, workflow_id))

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """See Service; another owner counts as a change, and ``notify`` goes on being called."""
        watch = _Watch(workflow_id, notify)
        with self._lock:
            seat = self._current()
            if seat.ownership is not None:  # no thread is needed while this process is the owner
                watch.end = seat.service.on_change(workflow_id, notify)
                self._direct.append(watch)
            else:
                self._follow(watch)

        def end() -> None:
            with self._lock:
                if watch in self._direct:
                    self._direct.remove(watch)
            watch.end()

        return end

    def watch_events(self, id: int, level: str = "info") -> a.EventStream:
        """See Service; another owner's events follow those of the one that is gone."""
        return _LastingEvents(lambda: self._carry(OPERATIONS["watch_events"], lambda s: s.watch_events(id, level)))

    def _follow(self, watch: _Watch) -> None:
        watch.end = follow_changes(self, watch.workflow_id, watch.notify, self._closed)

    def close(self) -> None:
        """Leave the seat: an owner gives the database up. Twice is fine."""
        if os.getpid() != self._pid:
            return
        self._closed.set()
        atexit.unregister(self.close)
        with self._lock:
            seat, self._seat = self._seat, None
        if seat is not None:
            seat.leave()

    def _carry(self, op: Operation, ask: Callable[[Service], T], ask_again: Callable[[Service], T] | None = None) -> T:
        """``ask_again`` is for when the first may have been carried out."""
        for _ in range(_MAX_OWNERS):
            seat = self._current()
            try:
                return ask(seat.service)
            except (Unavailable, Forbidden) as exc:
                outcome = _outcome(seat, exc)
                if not outcome or self._closed.is_set():
                    raise
                self._leave(seat)
                if outcome == "unknown" and not op.is_read_only and op.name not in REPEATABLE:
                    raise
                if outcome == "unknown":
                    ask = ask_again or ask
        raise Unavailable(f"{op.name}: the owner of the database changes all the time", hint="Try again later")

    def _current(self) -> Seat:
        if os.getpid() != self._pid:
            # Forked: the seat is the parent's, and a thread of the parent may have held the lock.
            self._pid, self._lock, self._seat = os.getpid(), threading.RLock(), None
        seat = self._seat
        if seat is not None and not (seat.ownership and seat.ownership.is_lost):
            return seat
        with self._lock:
            if self._closed.is_set():
                raise Unavailable("the service of the database is closed")
            if self._seat is not None and self._seat.ownership and self._seat.ownership.is_lost:
                self._leave(self._seat)
            if self._seat is None:
                self._seat = self._sit(self._closed)
            return self._seat

    def _leave(self, seat: Seat) -> None:
        with self._lock:
            if self._seat is not seat:
                return  # another thread was faster
            self._seat = None
            direct, self._direct = self._direct, []
        for watch in direct:
            watch.end()
            if not self._closed.is_set():
                self._follow(watch)
                watch.notify()
        (seat.retire or seat.leave)()


class _LastingEvents(a.EventStream):
    """Events of one owner after the other."""

    def __init__(self, watch: Callable[[], a.EventStream]) -> None:
        self._watch, self._stream = watch, watch()

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._stream.is_closed

    def take(self, seconds: float = 0.0) -> list[a.StreamEvent]:
        """Return what came."""
        try:
            return self._stream.take(seconds)
        except Unavailable:
            self._stream = self._watch()
            return []

    def __next__(self) -> a.StreamEvent:
        """Wait for the next event."""
        while True:
            try:
                return next(self._stream)
            except Unavailable:
                self._stream = self._watch()

    def close(self) -> None:
        """Hear no more."""
        self._stream.close()


def _outcome(seat: Seat, exc: TorcError) -> str:
    """Return what is known of a call when the owner is gone: "not sent" or "unknown"; "" when the owner is there."""
    if seat.ownership is not None:
        is_refused = isinstance(exc, Unavailable) and seat.ownership.is_lost
        return "not sent" if is_refused else ""  # a service asks whether it may before it writes anything
    return str(exc.details.get("outcome", ""))
