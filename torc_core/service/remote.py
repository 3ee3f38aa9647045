"""The client of an owner of a database, over its Unix socket or TCP port."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from torc_core.errors import TorcError, Unavailable
from torc_core.operations import Operation, shaped
from torc_core.records import answers as a
from torc_core.service.connection import Closed, Frames, answer_of, introduce
from torc_core.service.far import NOT_SENT, UNKNOWN, FarService
from torc_core.service.listener import keep_alive
from torc_core.service.processes import FORK_GUARD

_CONNECT_S = 5.0
_GREETING_S = 10.0
_WATCH_S = 20.0


class RemoteService(FarService):
    """Asks the owner. Safe to use from many threads: each call has a connection to itself while it lasts.

    When the connection is at fault, the error (Unavailable, or Forbidden for a wrong token) has a detail ``outcome``:
    ``not sent`` (nothing was done) or ``unknown`` (it may have been carried out).
    """

    def __init__(self, address: str, token: str, *, user: str = "") -> None:
        """``address`` is ``unix:PATH`` or ``tcp:HOST:PORT``; ``user`` is told to the owner. Connects when needed."""
        super().__init__()
        self.address, self._token, self._user = address, token, user
        self._idle: list[Frames] = []
        self._busy: set[Frames] = set()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        FORK_GUARD.add(self, self._forked)

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Have the owner carry out ``op``."""
        return shaped(op.answer, self._ask(op.name, arguments))

    def watch_events(self, id: int, level: str = "info") -> a.EventStream:
        """Hear of what happens to a workflow, over a connection of its own."""
        frames = self._borrow()
        try:
            frames.send({"op": "watch_events", "args": {"id": id, "level": level}})
            answer_of(frames.receive())
        except (OSError, Closed) as exc:
            self._drop(frames)
            raise self._lost("watch_events", exc, NOT_SENT) from exc
        except BaseException:
            self._drop(frames)
            raise
        return _FarEvents(frames, self._drop)

    def connect(self) -> None:
        """Make sure that the owner answers; raises Unavailable, Forbidden."""
        self._give_back(self._borrow())

    def close(self) -> None:
        """End all connections; calls that wait for an answer are Unavailable."""
        with self._lock:
            busy = list(self._busy)
        self.retire()
        FORK_GUARD.remove(self)
        for frames in busy:
            frames.close()

    def retire(self) -> None:
        """Begin no more calls; those under way have their answer still, which an owner that ends sends first."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
            is_over = not self._busy
        if is_over:
            FORK_GUARD.remove(self)
        for frames in idle:
            frames.close()

    def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        frames = self._borrow()
        outcome = NOT_SENT
        try:
            frames.send({"op": name, "args": arguments})  # what fails here is incomplete, which the owner ignores
            outcome = UNKNOWN
            data = frames.receive()
        except (OSError, Closed) as exc:
            self._drop(frames)
            raise self._lost(name, exc, outcome) from exc
        except BaseException:  # a signal, a message that is too large: what follows on this connection is not ours
            self._drop(frames)
            raise
        self._give_back(frames)
        return answer_of(data)

    def _lost(self, name: str, exc: Exception, outcome: str) -> Unavailable:
        said = "it was not carried out" if outcome == NOT_SENT else "it is not known whether it was carried out"
        return Unavailable(
            f"the connection to the owner of the database broke during {name} ({exc}); {said}",
            hint="Run the command again" if outcome == NOT_SENT else "See what is there, then run the command again",
            outcome=outcome,
        )

    def _borrow(self) -> Frames:
        while True:
            with self._lock:
                if self._closed.is_set():
                    raise Unavailable("the connection to the owner of the database is closed", outcome=NOT_SENT)
                frames = self._idle.pop() if self._idle else None
                if frames is not None:
                    self._busy.add(frames)
            if frames is None:
                return self._open()
            if not _is_over(frames.socket):
                return frames
            self._drop(frames)

    def _open(self) -> Frames:
        sock = None
        try:
            sock = _connected(self.address)
            frames = Frames(sock)
            sock.settimeout(_GREETING_S)
            introduce(frames, self._token, self._user)
            sock.settimeout(None)
        except (OSError, Closed, ValueError) as exc:
            _close(sock)
            raise Unavailable(
                f"the owner of the database does not answer at {self.address}: {exc}",
                hint="It may have ended, be stopped (Ctrl-Z) or be starting; try again",
                outcome=NOT_SENT,
            ) from exc
        except BaseException as exc:
            _close(sock)
            if isinstance(exc, TorcError):
                exc.details["outcome"] = NOT_SENT  # perhaps another owner, with a token of its own, answers there now
            raise
        with self._lock:
            self._busy.add(frames)
        return frames

    def _give_back(self, frames: Frames) -> None:
        with self._lock:
            self._busy.discard(frames)
            if not self._closed.is_set():
                self._idle.append(frames)
                return
        self._drop(frames)

    def _drop(self, frames: Frames) -> None:
        with self._lock:
            self._busy.discard(frames)
            is_over = self._closed.is_set() and not self._busy
        if is_over:
            FORK_GUARD.remove(self)
        frames.close()

    def _forked(self) -> None:
        # The parent goes on with these connections: close without a word to the other side, and begin anew.
        for frames in (*self._idle, *self._busy):
            frames.socket.close()
        self._idle, self._busy, self._lock = [], set(), threading.Lock()


class _FarEvents(a.EventStream):
    """The events that an owner sends over one connection."""

    def __init__(self, frames: Frames, drop: Callable[[Frames], None]) -> None:
        self._frames, self._drop = frames, drop
        self._taken: deque[a.StreamEvent] = deque()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed

    def take(self, seconds: float = 0.0) -> list[a.StreamEvent]:
        """Return what came; raises Unavailable when the owner is gone."""
        deadline = time.monotonic() + seconds
        while not self._is_closed:
            try:
                found = self._receive(max(0.0, deadline - time.monotonic()))
            except (OSError, ValueError, Closed) as exc:
                if self._is_closed:
                    break
                self.close()
                raise Unavailable(f"the owner of the database is gone ({exc})", outcome=NOT_SENT) from exc
            if found or found is None:
                return found or []
        return []

    def _receive(self, seconds: float) -> list[a.StreamEvent] | None:
        """Return the next message's events, none for a sign of life; None when nothing came in time."""
        sock = self._frames.socket
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        if not poller.poll(seconds * 1000):
            return None
        sock.settimeout(_GREETING_S)
        return [a.StreamEvent.of(event) for event in self._frames.receive().get("events", ())]

    def __next__(self) -> a.StreamEvent:
        """Wait for the next event."""
        while not self._taken:
            if self._is_closed:
                raise StopIteration
            self._taken.extend(self.take(_WATCH_S))
        return self._taken.popleft()

    def close(self) -> None:
        """Hear no more."""
        if not self._is_closed:
            self._is_closed = True
            self._drop(self._frames)


def _connected(address: str) -> socket.socket:
    kind, _, place = address.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(_CONNECT_S)
            sock.connect(place)
        except BaseException:
            sock.close()
            raise
        return sock
    host, _, port = place.rpartition(":")
    if kind != "tcp" or not host:
        raise ValueError("not unix:PATH or tcp:HOST:PORT")
    sock = socket.create_connection((host, int(port)), _CONNECT_S)
    keep_alive(sock)
    return sock


def _is_over(sock: socket.socket) -> bool:
    """Whether the other side has closed an idle connection, or has said that it will."""
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
