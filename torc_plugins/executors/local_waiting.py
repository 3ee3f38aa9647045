"""How the end of child processes is noticed: pidfds in an epoll, or a waiting thread for each where there are none.

Neither takes the exit status: a child stays a zombie, and its number its own, until the executor has looked at it. So
no signal can reach a stranger that was given the number of a child that ended.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import threading
from typing import Protocol


class Waiter(Protocol):
    """Tells which of the children it was given have ended."""

    fd: int

    def add(self, pid: int) -> None:
        """Watch a child; raises OSError when the system has no means left."""

    def take(self) -> list[int]:
        """Return the children that have ended since the last call, each once; does not wait."""

    def close(self) -> None:
        """Let go of everything; all children that were added have ended."""


class PidfdWaiter:
    """One pidfd for each child in one epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._pids: dict[int, int] = {}
        self.fd = self._epoll.fileno()

    def add(self, pid: int) -> None:
        """Watch a child."""
        fd = os.pidfd_open(pid)
        try:
            self._epoll.register(fd, select.EPOLLIN)
        except OSError:
            os.close(fd)
            raise
        self._pids[fd] = pid

    def take(self) -> list[int]:
        """Return the children that have ended."""
        ended = []
        for fd, _ in self._epoll.poll(0, max(len(self._pids), 1)):
            self._epoll.unregister(fd)
            os.close(fd)
            ended.append(self._pids.pop(fd))
        return ended

    def close(self) -> None:
        """Close all descriptors."""
        for fd in self._pids:
            os.close(fd)
        self._pids.clear()
        self._epoll.close()


class ThreadWaiter:
    """One thread for each child, for systems without pidfds; they report through a pipe."""

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        self._ended: collections.deque[int] = collections.deque()
        self._threads: dict[int, threading.Thread] = {}

    def add(self, pid: int) -> None:
        """Watch a child."""
        thread = threading.Thread(target=self._wait, args=(pid,), name=f"wait for {pid}", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:
            raise OSError(f"no thread to wait with: {exc}") from exc
        self._threads[pid] = thread

    def _wait(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):  # taken by close()
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self._ended.append(pid)
        os.write(self._write_fd, b"x")

    def take(self) -> list[int]:
        """Return the children that have ended."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 65536)
        ended = []
        while self._ended:
            pid = self._ended.popleft()
            self._threads.pop(pid).join()
            ended.append(pid)
        return ended

    def close(self) -> None:
        """Wait for the threads, whose children have ended, and close the pipe."""
        for thread in self._threads.values():
            thread.join()
        os.close(self.fd)
        os.close(self._write_fd)


def has_pidfds() -> bool:
    """Say whether this system can watch processes by descriptor (Linux 5.3 and later)."""
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def best_waiter() -> Waiter:
    """Return the cheapest waiter that works here."""
    return PidfdWaiter() if has_pidfds() else ThreadWaiter()
