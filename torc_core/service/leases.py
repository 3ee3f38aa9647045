"""When runners were last heard of, and which of them have been silent for longer than their lease. No I/O.

All times are those of the owner's monotonic clock. Nothing is stored: an owner that begins gives every runner its
whole lease again. When nobody looked for a while, the owner itself did not run (it was stopped, the machine slept), and
runners could not reach it: that time counts for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

LOOK_SECONDS = 5.0
"""Between two looks, at most."""
_LATE_SECONDS = 5.0  # a look that is later than that was not a matter of load


class Runner(NamedTuple):
    """A runner with a lease."""

    workflow_id: int
    compute_node_id: int


class _Lease:
    __slots__ = ("expires_at", "runner", "seconds")

    def __init__(self, runner: Runner, seconds: float, now: float) -> None:
        self.runner = runner
        self.seconds = seconds
        self.expires_at = now + seconds


class Leases:
    """The leases of all runners that are active. For one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[int, _Lease | None] = {}  # by compute node; None: it has asked for none
        self._ended: dict[int, _Lease | None] = {}  # since the last piece of work that was kept
        self._looked_at: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nobody to look for."""
        return not any(self._leases.values())

    def renew(self, compute_node_id: int) -> bool:
        """A runner was heard of; returns whether it is known."""
        lease = self._leases.get(compute_node_id)
        if lease is not None:
            lease.expires_at = self._clock() + lease.seconds
            return True
        return compute_node_id in self._leases

    def begin(self, runner: Runner, seconds: float | None) -> None:
        """A runner appears, with a lease or (None) without one."""
        now = self._clock()
        if self._looked_at is None:
            self._looked_at = now
        self._leases[runner.compute_node_id] = None if seconds is None else _Lease(runner, seconds, now)

    def end(self, compute_node_ids: Iterable[int]) -> None:
        """Runners have ended, or their leases have; holds when it is kept."""
        for id in compute_node_ids:
            if id in self._leases:
                self._ended[id] = self._leases.pop(id)

    def keep(self) -> None:
        """What was ended has ended."""
        self._ended.clear()

    def undo(self) -> None:
        """What was ended has not, since the work that ended it was undone."""
        self._leases = {**self._ended, **self._leases}
        self._ended.clear()

    def look(self) -> list[Runner]:
        """Return whose leases are over; they stay so until they end or are renewed."""
        now = self._clock()
        since = now - (now if self._looked_at is None else self._looked_at)
        self._looked_at = now
        leases = [lease for lease in self._leases.values() if lease is not None]
        if since > LOOK_SECONDS + _LATE_SECONDS:
            for lease in leases:
                lease.expires_at = min(lease.expires_at + since, now + lease.seconds)
        return [lease.runner for lease in leases if lease.expires_at <= now]

    def is_over(self, compute_node_id: int) -> bool:
        """Whether a runner has a lease, and has not been heard of for so long."""
        lease = self._leases.get(compute_node_id)
        return lease is not None and lease.expires_at <= self._clock()

    def next_at(self) -> float | None:
        """Return when to look again, None when there is nobody to look for."""
        soonest = min((lease.expires_at for lease in self._leases.values() if lease is not None), default=None)
        if soonest is None or self._looked_at is None:
            self._looked_at = None
            return None
        return min(soonest, self._looked_at + LOOK_SECONDS)
