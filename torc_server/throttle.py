"""Guessing made slow: after some wrong passwords whoever sends them has to wait, longer each time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from torc_core.errors import TorcError


class TooManyLogins(TorcError):
    """Too many wrong passwords, or too many logins at once; try again later."""

    code = 429

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, hint="Check name and password.", retry_after=max(1, round(seconds)))


class _Limit(NamedTuple):
    """So many failures are free; after that the wait doubles from a second to the longest."""

    free: int
    longest_s: float


_TOGETHER = _Limit(5, 60.0)
"""One name from one address: whoever has forgotten a password, or a script that has."""
_APART = _Limit(50, 5.0)
"""One name from anywhere, or one address with any names: many people share login nodes, so the waits stay short."""
_FORGET_S = 600.0
_MOST = 10_000
Key = tuple[str, str]


class Throttle:
    """Counts failures by name and address. For any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[Key, tuple[int, float]] = OrderedDict()  # count and time of the last, oldest first
        self._lock = threading.Lock()

    def check(self, user: str, address: str) -> None:
        """Raise TooManyLogins while one has to wait."""
        with self._lock:
            left = max(self._left(key, limit) for key, limit in _keys(user, address))
        if left > 0:
            raise TooManyLogins(f"too many wrong passwords; wait {max(1, round(left))} s", left)

    def failed(self, user: str, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        with self._lock:
            for key, _ in _keys(user, address):
                count, last = self._failures.pop(key, (0, now))
                self._failures[key] = (1 if now - last > _FORGET_S else count + 1, now)
            while len(self._failures) > _MOST:
                self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """Forget what the right password makes up for; other names from there are still counted."""
        with self._lock:
            for key in ((user, address), (user, "")):
                self._failures.pop(key, None)

    def _left(self, key: Key, limit: _Limit) -> float:
        count, last = self._failures.get(key, (0, 0.0))
        over = count - limit.free
        if over < 0:
            return 0.0
        return last + min(limit.longest_s, 2.0 ** min(over, 30)) - self._clock()


def _keys(user: str, address: str) -> tuple[tuple[Key, _Limit], ...]:
    return ((user, address), _TOGETHER), ((user, ""), _APART), (("", address), _APART)
