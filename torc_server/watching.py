"""Which sockets are waited for, and the waking of whoever waits: what the hub shares with the threads that answer."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

from torc_server.connection import Connection, State

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Watch:
    """A selector for any number of threads; one of them waits."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._reader, self._writer = socket.socketpair()
        for sock in (self._reader, self._writer):
            sock.setblocking(False)
        self._selector.register(self._reader, READ, self)
        self._listener: socket.socket | None = None
        self._is_awake = False

    def wake(self) -> None:
        """Have whoever waits look around."""
        if not self._is_awake:
            self._is_awake = True
            with contextlib.suppress(OSError):  # it is full, or closed
                self._writer.send(b".")

    def wait(self, seconds: float) -> Iterator[tuple[Connection | None, int]]:
        """Yield connections that can be read from or written to; None stands for a new one."""
        for key, mask in self._selector.select(seconds):
            if key.data is self:
                with contextlib.suppress(BlockingIOError):
                    self._reader.recv(64)
            else:
                yield key.data, mask
        self._is_awake = False  # whoever comes after this wakes us again

    def listener(self, sock: socket.socket) -> None:
        """Watch for new connections."""
        self._listener = sock
        self._selector.register(sock, READ, None)

    def leave_listener(self) -> None:
        """Watch for new connections no more."""
        if self._listener is not None:
            with self._lock:
                self._selector.unregister(self._listener)
            self._listener = None

    def follow(self, conn: Connection, events: int) -> None:
        """Watch a connection for some events only."""
        with self._lock:
            if conn.watched == events or conn.is_gone:
                return
            if conn.watched:
                self._selector.modify(conn.socket, events, conn)
            else:
                self._selector.register(conn.socket, events, conn)
            conn.watched = events

    def leave(self, conn: Connection) -> None:
        """Watch a connection no more."""
        with self._lock:
            if conn.watched:
                conn.watched = 0
                self._selector.unregister(conn.socket)

    def leave_working(self, conn: Connection) -> None:
        """A client has more to say, or is gone, before it is answered: that has to wait."""
        with self._lock:
            if conn.watched and conn.state is State.WORKING:  # not any more when its thread was quicker
                conn.watched = 0
                self._selector.unregister(conn.socket)

    def close(self) -> None:
        """Let go of everything."""
        self._selector.close()
        self._reader.close()
        self._writer.close()
