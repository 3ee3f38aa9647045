"""The client of an owner of a database, over its Unix socket or TCP port."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from torc_core.errors import TorcError, Unavailable
from torc_core.operations import Operation, shaped
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.service.api import Service, verb_of
from torc_core.service.connection import Closed, Frames, answer_of, introduce
from torc_core.service.listener import keep_alive
from torc_core.service.processes import FORK_GUARD

R = TypeVar("R", bound=Record)
NOT_SENT = "not sent"
UNKNOWN = "unknown"
_CONNECT_S = 5.0
_GREETING_S = 10.0
_WATCH_S = 20.0
_RETRY_S = 1.0


class RemoteService(Service):
    """Asks the owner. Safe to use from many threads: each call has a connection to itself while it lasts.

    When the connection is at fault, the error (Unavailable, or Forbidden for a wrong token) has a detail ``outcome``:
    ``not sent`` (nothing was done) or ``unknown`` (it may have been carried out).
    """

    def __init__(self, address: str, token: str, *, user: str = "") -> None:
        """``address`` is ``unix:PATH`` or ``tcp:HOST:PORT``; ``user`` is told to the owner. Connects when needed."""
        self.address, self._token, self._user = address, token, user
        self._idle: list[Frames] = []
        self._busy: set[Frames] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pid = os.getpid()
        FORK_GUARD.add(self, self._forked)

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Have the owner carry out ``op``."""
        return shaped(op.answer, self._ask(op.name, arguments))

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

    def connect(self) -> None:
        """Make sure that the owner answers; raises Unavailable, Forbidden."""
        self._give_back(self._borrow())

    def close(self) -> None:
        """End all connections; calls that wait for an answer are Unavailable."""
        self._closed.set()
        FORK_GUARD.remove(self)
        with self._lock:
            left = [*self._idle, *self._busy]
            self._idle.clear()
        for frames in left:
            frames.close()

    def _derived(self, kind: type[Record], verb: str, arguments: dict[str, Any]) -> Any:
        op = verb_of(kind, verb)
        if verb == "create" and "{workflow_id}" in op.path:
            arguments["workflow_id"] = vars(arguments["body"])["workflow_id"]
        return self.perform(op, arguments)

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
        frames.close()

    def _drop(self, frames: Frames) -> None:
        with self._lock:
            self._busy.discard(frames)
        frames.close()

    def _forked(self) -> None:
        # The parent goes on with these connections: close without a word to the other side, and begin anew.
        for frames in (*self._idle, *self._busy):
            frames.socket.close()
        self._idle, self._busy, self._lock = [], set(), threading.Lock()


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
    """Whether the other side has closed an idle connection."""
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
