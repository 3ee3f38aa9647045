"""How a runner is told to stop: by signals or by another thread, in steps.

SIGINT (Ctrl-C) first lets running jobs end and starts no more; the second ends them, with time for those that support
termination; the third kills. SIGTERM and SIGHUP, whose sender will not wait, begin with the second step.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

DRAIN, END, KILL = 1, 2, 3


class Stop:
    """What was asked for so far; ``fd`` becomes readable with every request and every ``wake``."""

    def __init__(self) -> None:
        self.level = 0
        self.cause: str | None = None
        self._lock = threading.RLock()  # a signal may come while its own thread is in here
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)

    def request(self, level: int, cause: str = "stop") -> None:
        """Ask for a level, or for the next one when that is reached already."""
        self.level = min(max(level, self.level + 1), KILL)
        self.cause = self.cause or cause
        self.wake()

    def wake(self) -> None:
        """Make ``fd`` readable; from any thread."""
        with self._lock, contextlib.suppress(BlockingIOError, OSError):  # full is readable enough
            if self._write_fd >= 0:
                os.write(self._write_fd, b"x")

    def drain(self) -> None:
        """Make ``fd`` unreadable again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 65536)

    def close(self) -> None:
        """Close the pipe."""
        with self._lock:  # nobody may write to a number that belongs to another file by then
            fds = self.fd, self._write_fd
            self.fd = self._write_fd = -1
            for fd in fds:
                os.close(fd)


@contextlib.contextmanager
def stop_signals(stop: Stop) -> Iterator[None]:
    """Turn signals into requests to stop; outside of the main thread there are no signals to turn."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        stop.request(DRAIN if number == signal.SIGINT else END, signal.Signals(number).name)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background of a script
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
