"""Names and passwords, checked: right ones are remembered for a while, wrong ones never, and guessing is slow."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from torc_core.errors import TorcError
from torc_server import htpasswd, passwords
from torc_server.throttle import Throttle, TooManyLogins

LOG = logging.getLogger("torc.server.logins")
_MOST_KNOWN = 10_000
_WAIT_S = 10.0  # for a turn to check a password, while many are checked


class _Check:
    """A password that is being checked; others who send the same wait for what comes of it."""

    __slots__ = ("done", "error", "is_right")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.is_right = False
        self.error: TorcError | None = None

    def wait(self) -> bool:
        """Return what another thread found; raises TooManyLogins."""
        if not self.done.wait(2 * _WAIT_S):
            raise TooManyLogins("too many logins at once", 1.0)
        if self.error is not None:
            raise self.error
        return self.is_right


class Credentials:
    """The users of a file. For any number of threads; takes no lock while a password is checked."""

    def __init__(
        self,
        path: Path,
        *,
        keep_s: float = 60.0,
        at_once: int = 2,
        clock: Callable[[], float] = time.monotonic,
        check: Callable[[str, str], bool] = passwords.is_right,
    ) -> None:
        """``keep_s``: how long right passwords are remembered, 0 for never; ``at_once``: how many are checked together.

        Raises Invalid for a file that has something wrong in it, Unsupported without bcrypt.
        """
        passwords.library()
        self.path = path
        self._keep_s, self._clock, self._check = keep_s, clock, check
        self._throttle = Throttle(clock)
        self._turns = threading.BoundedSemaphore(at_once)
        self._secret = os.urandom(32)  # what is remembered is worth nothing outside of this process
        self._lock = threading.Lock()
        self._known: dict[bytes, float] = {}  # digest of a right name and password, and when to forget it
        self._under_way: dict[bytes, _Check] = {}
        self._users: dict[str, str] = {}
        self._of_nobody = ""
        self.reload()

    def reload(self) -> int:
        """Read the file again and forget logins; returns how many users there are. A bad file changes nothing."""
        users = htpasswd.read(self.path)
        with self._lock:
            self._users = users
            self._of_nobody = passwords.of_nobody(max(map(passwords.cost_of, users.values())))
            self._known = {}
            self._under_way = {}
        if htpasswd.is_exposed(self.path):
            LOG.warning("others may read the users in %s: chmod 600 %s", self.path, self.path)
        return len(users)

    @property
    def names(self) -> set[str]:
        """Everybody who can log in."""
        return set(self._users)

    def is_right(self, user: str, password: str, address: str) -> bool:
        """Whether somebody at an address knows the password; raises TooManyLogins."""
        key = self._digest(user, password)
        now = self._clock()
        with self._lock:
            if self._known.get(key, 0.0) > now:
                return True
            under_way = self._under_way.get(key)
            if under_way is None:
                own = self._under_way[key] = _Check()
                users, of_nobody = self._users, self._of_nobody
        if under_way is not None:
            return under_way.wait()
        try:
            own.is_right = self._look(user, password, address, users, of_nobody)
            if own.is_right:
                self._remember(key, own, now)
            return own.is_right
        except TorcError as exc:
            own.error = exc
            raise
        finally:
            with self._lock:
                if self._under_way.get(key) is own:
                    del self._under_way[key]
            own.done.set()

    def _look(self, user: str, password: str, address: str, users: dict[str, str], of_nobody: str) -> bool:
        self._throttle.check(user, address)
        if not self._turns.acquire(timeout=_WAIT_S):
            raise TooManyLogins("too many logins at once", 1.0)
        try:
            is_right = self._check(password, users.get(user, of_nobody)) and user in users
        finally:
            self._turns.release()
        if is_right:
            self._throttle.succeeded(user, address)
        else:
            self._throttle.failed(user, address)
            LOG.info("wrong password user=%r address=%s", user, address)
        return is_right

    def _remember(self, key: bytes, check: _Check, now: float) -> None:
        if self._keep_s <= 0:
            return
        with self._lock:
            if self._under_way.get(key) is not check:
                return  # the file was read again meanwhile
            if len(self._known) >= _MOST_KNOWN:
                self._known = {key: ends for key, ends in self._known.items() if ends > now}
            if len(self._known) < _MOST_KNOWN:
                self._known[key] = now + self._keep_s

    def _digest(self, user: str, password: str) -> bytes:
        text = f"{len(user)}:{user}{password}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=32).digest()
