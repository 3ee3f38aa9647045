"""The owner's side of connections: a Unix socket beside the database and, when asked for, a TCP port."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from torc_core.errors import Forbidden, TorcError, Unavailable
from torc_core.operations import Operation
from torc_core.service.api import OPERATIONS, Service
from torc_core.service.connection import Closed, Frames, carry_out, greet, send_events, wire_error
from torc_core.service.folders import remove_socket, socket_path
from torc_core.service.processes import FORK_GUARD

_GREETING_S = 10.0  # a connection that has not proved itself by then is closed
_RETRY_S = 0.1  # after the system refused another connection, say for want of file descriptors
_FINISH_S = 10.0  # for requests that change something, when the owner ends


class Listener:
    """Answers neighbours; one thread accepts, one serves each connection, so that long waits block nobody else."""

    def __init__(
        self,
        service_for: Callable[[str], Service],
        token: str,
        database: Path,
        owner_id: str,
        tcp: tuple[str, int] | None = None,
    ) -> None:
        """Listen from now on. Raises OSError.

        ``service_for`` gives the service as a user sees it. ``tcp`` is the host to listen on ("" for all) and the port
        (0 for any).
        """
        self._service_for, self._token = service_for, token
        self._connections: dict[threading.Thread, _Connection] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._sockets = [self._wake_reader, self._wake_writer]
        try:
            self._path = socket_path(database, owner_id)
            self._listen_unix()
            addresses = [f"unix:{self._path}"]
            if tcp is not None:
                addresses.append(self._listen_tcp(*tcp))
        except BaseException:
            self._close_sockets()
            raise
        self.addresses = tuple(addresses)
        FORK_GUARD.add(self, self._close_sockets)
        self._thread = threading.Thread(target=self._accept, name="listener", daemon=True)
        self._thread.start()

    def _listen_unix(self) -> None:
        listening = socket.socket(socket.AF_UNIX)
        self._sockets.append(listening)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # left by a dead owner: this process owns the database, so nobody else listens here
        listening.bind(str(self._path))
        self._path.chmod(0o600)  # nobody can connect before listen()
        self._inode = self._path.stat().st_ino
        listening.listen(128)
        listening.setblocking(False)  # whoever asked may have gone again

    def _listen_tcp(self, host: str, port: int) -> str:
        listening = socket.create_server((host, port), backlog=128)
        self._sockets.append(listening)
        listening.setblocking(False)
        name = host if host not in ("", "0.0.0.0") else socket.gethostname()  # noqa: S104  (it was asked for)
        return f"tcp:{name}:{listening.getsockname()[1]}"

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listening in (self._wake_reader, *self._sockets[2:]):
                selector.register(listening, selectors.EVENT_READ)
            while not self._closed.is_set():
                for key, _ in selector.select():
                    if key.fileobj is not self._wake_reader and not self._closed.is_set():
                        self._accept_one(key.fileobj)  # type: ignore[arg-type]

    def _accept_one(self, listening: socket.socket) -> None:
        try:
            sock, _ = listening.accept()
        except OSError:
            self._closed.wait(_RETRY_S)
            return
        try:
            connection = _Connection(self, sock)
        except OSError:  # whoever asked has gone again
            sock.close()
            return
        thread = threading.Thread(target=connection.serve, name="neighbour", daemon=True)
        with self._lock:
            self._connections[thread] = connection
        try:
            thread.start()
        except RuntimeError:  # no more threads; those that are there go on
            self.forget(thread)
            sock.close()
            self._closed.wait(_RETRY_S)

    def serve(self, connection: _Connection) -> None:
        """Prove, then answer requests until the connection ends or the owner does, which is told."""
        frames = connection.frames
        frames.socket.settimeout(_GREETING_S)
        _check_user(frames.socket)
        service = self._service_for(greet(frames, self._token))
        frames.socket.settimeout(None)
        while not self._closed.is_set():
            try:
                request = frames.receive()
            except TorcError as exc:
                frames.send(wire_error(exc))
                continue
            except Closed:
                break
            op = OPERATIONS.get(str(request.get("op")))
            if not self._may_begin(connection, op):
                break
            if op is not None and op.is_stream:
                send_events(frames, service, op, request)
                return
            answer = carry_out(service, request)
            connection.only_reads = False
            frames.send_body(answer)
        if self._closed.is_set():
            frames.send(wire_error(_ending()))

    def _may_begin(self, connection: _Connection, op: Operation | None) -> bool:
        """Say whether a request is carried out; whoever closes knows then that it is."""
        with self._lock:
            connection.only_reads = op is not None and (op.is_read_only or op.is_stream)
            return not self._closed.is_set()

    def forget(self, thread: threading.Thread) -> None:
        """Let go of a connection that has ended."""
        with self._lock:
            self._connections.pop(thread, None)

    def close(self, finish_s: float = _FINISH_S) -> None:
        """Take no more requests, let those end that change something, close every connection. Twice is fine.

        Neighbours are told, so that they know of a request without an answer that nobody has begun it.
        """
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        FORK_GUARD.remove(self)
        self._wake_writer.send(b".")
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._remove_path()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.frames.socket.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + finish_s
        for thread, connection in connections.items():
            if not connection.only_reads and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
            connection.frames.close()
        self._close_sockets()

    def _remove_path(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                remove_socket(self._path)

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()


class _Connection:
    """One neighbour."""

    def __init__(self, listener: Listener, sock: socket.socket) -> None:
        self.listener, self.frames = listener, Frames(sock)
        self.only_reads = False  # what is being answered; it can be asked again
        if sock.family != socket.AF_UNIX:
            keep_alive(sock)

    def serve(self) -> None:
        try:
            FORK_GUARD.add(self, self.frames.socket.close)
            self.listener.serve(self)
        except TorcError as exc:
            with contextlib.suppress(OSError):
                self.frames.send(wire_error(exc))
        except (Closed, OSError):
            pass  # the neighbour is gone, which is its own affair
        finally:
            FORK_GUARD.remove(self)
            self.frames.close()
            self.listener.forget(threading.current_thread())


def keep_alive(sock: socket.socket) -> None:
    """Have the system notice within half a minute that the other machine is gone; send small frames at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not everywhere
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _ending() -> Unavailable:
    return Unavailable(
        "the owner of the database is ending", hint="Run the command again: another one is found.", outcome="not sent"
    )


def _check_user(sock: socket.socket) -> None:
    """Refuse other users on a Unix socket, whatever they know; raises Forbidden."""
    if sock.family == socket.AF_UNIX and hasattr(socket, "SO_PEERCRED"):
        _, user_id, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user_id not in (os.geteuid(), 0):
            raise Forbidden(
                "the database belongs to another user", hint="Ask its owner to run a server for both of you"
            )
