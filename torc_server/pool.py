"""The threads that answer requests: whoever was idle last works next, since what it needs is still at hand.

It stands in for cheroot's pool, whose methods it has.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torc_server.connection import Connection
    from torc_server.web import WebServer

LOG = logging.getLogger("torc.server")


class _Worker(threading.Thread):
    """One thread; it sleeps on a lock of its own."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"answers-{number}", daemon=True)
        self._pool = pool
        self.task: Connection | None = None  # belongs to whoever took it from the idle ones
        self.wake = threading.Lock()
        self.wake.acquire()

    def run(self) -> None:
        """Answer until there is nothing more to come."""
        while True:
            self.wake.acquire()
            conn = self.task
            if conn is None:
                return
            while conn is not None:
                self._pool.answer(conn)
                conn = self._pool.next_for(self)


class Pool:
    """A fixed number of threads, and what waits for one of them."""

    def __init__(self, server: WebServer, count: int) -> None:
        self.min = count
        self._server = server
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._backlog: deque[Connection] = deque()
        self._workers: list[_Worker] = []
        self._is_ending = False

    def start(self) -> None:
        """Start the threads."""
        self._workers = [_Worker(self, number) for number in range(self.min)]
        self._idle = list(self._workers)
        for worker in self._workers:
            worker.start()

    @property
    def idle(self) -> int:
        """Threads that have nothing to do."""
        return len(self._idle)

    @property
    def qsize(self) -> int:
        """Requests that wait for a thread."""
        return len(self._backlog)

    def put(self, conn: Connection) -> None:
        """Have a request answered; any thread."""
        with self._lock:
            if not self._idle:
                self._backlog.append(conn)
                return
            worker = self._idle.pop()
        worker.task = conn
        worker.wake.release()

    def next_for(self, worker: _Worker) -> Connection | None:
        """Return what a thread is to answer next, None when it is to sleep."""
        with self._lock:
            if self._backlog:
                return self._backlog.popleft()
            self._idle.append(worker)
            return None

    def answer(self, conn: Connection) -> None:
        """Answer one request, whatever happens."""
        try:
            conn.communicate()
        except Exception:  # the thread is to live on
            LOG.exception("a request broke its connection")
            conn.ends = True
        self._server.put_conn(conn)

    def stop(self, timeout: float | None = 5.0) -> None:
        """End the threads when they have answered, and wait so long for it."""
        deadline = time.monotonic() + (timeout or 0.0)
        while len(self._idle) < len(self._workers) and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            asleep, self._idle = self._idle, []
        for worker in asleep:
            worker.task = None
            worker.wake.release()
        for worker in asleep:
            worker.join()
