"""What one attempt, or a machine, used: from looks to peaks and averages. No I/O; times are monotonic seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from torc_core.contracts.executor import Observation

if TYPE_CHECKING:
    from torc_core.contracts.monitor import MachineUsage, Usage

N = TypeVar("N", int, float)
FIRST_LOOK_SECONDS = 0.25
"""After the start; most short jobs have ended by then and need none."""
LEAST_RATE_SECONDS = 2.0
"""Rates over less time say little: the kernel tells CPU time in hundredths of a second, and not at the very moment."""


class Track:
    """The looks at one attempt so far."""

    __slots__ = (
        "_area", "_at", "_mark_at", "_mark_cpu", "attempt_id", "cpu_seconds", "is_over", "job_id", "job_name",
        "least_seconds", "limit_bytes", "look_at", "peak_cpu_percent", "peak_memory_bytes", "read_bytes",
        "started_at", "usage", "write_bytes",
    )  # fmt: skip

    def __init__(
        self, job_id: int, job_name: str, attempt_id: int, started_at: float, limit_bytes: int, interval_seconds: float
    ) -> None:
        """``limit_bytes`` 0: memory is not limited."""
        self.job_id = job_id
        self.job_name = job_name
        self.attempt_id = attempt_id
        self.started_at = self._at = self._mark_at = started_at
        self.limit_bytes = limit_bytes
        self.least_seconds = min(LEAST_RATE_SECONDS, interval_seconds)
        self.look_at = started_at + FIRST_LOOK_SECONDS  # ever later, so that the last look is never long before the end
        self.is_over = False  # its memory was above the limit at the last look
        self.usage: Usage | None = None  # of the last look
        self.cpu_seconds = self._mark_cpu = self._area = 0.0
        self.peak_cpu_percent: float | None = None
        self.peak_memory_bytes: int | None = None
        self.read_bytes: int | None = None
        self.write_bytes: int | None = None

    def look(self, now: float, usage: Usage) -> None:
        """Take in what was seen."""
        self.usage = usage
        self._area += usage.memory_bytes * max(0.0, now - self._at)
        self._at = max(now, self._at)
        self.peak_memory_bytes = max(self.peak_memory_bytes or 0, usage.memory_bytes, usage.peak_memory_bytes or 0)
        self.look_at = self.started_at + 2 * (now - self.started_at)
        self.cpu_seconds = max(self.cpu_seconds, usage.cpu_seconds)
        self.read_bytes = most(self.read_bytes, usage.read_bytes)
        self.write_bytes = most(self.write_bytes, usage.write_bytes)

    def sample(self, now: float) -> float:
        """Return the CPU use in percent since the last sample; ``look`` went before."""
        return self._rate(now, self.cpu_seconds)

    def _rate(self, now: float, cpu_seconds: float) -> float:
        seconds = now - self._mark_at
        percent = 100 * max(0.0, cpu_seconds - self._mark_cpu) / seconds if seconds > 0 else 0.0
        if seconds >= self.least_seconds:
            self.peak_cpu_percent = most(self.peak_cpu_percent, percent)
            self._mark_at, self._mark_cpu = now, cpu_seconds
        return percent

    @property
    def avg_memory_bytes(self) -> int | None:
        """The average over the time that was looked at."""
        seconds = self._at - self.started_at
        return None if self.usage is None or seconds <= 0 else round(self._area / seconds)

    def complete(self, now: float, seen: Observation) -> Observation:
        """Return what the executor saw at the end with all that is known of the use before; ``now`` is that end.

        What the system counted is exact for the processes it counted, looks see the whole tree: the larger figure is
        nearer to the truth. The average of an attempt is the least its peak can be.
        """
        total = most(seen.cpu_seconds, self.cpu_seconds if self.usage is not None else None)
        seconds = now - self.started_at
        if total is not None:
            self._rate(now, total)
            if seconds > 0:
                self.peak_cpu_percent = most(self.peak_cpu_percent, 100 * total / seconds)
        peak = self.peak_cpu_percent
        return seen._replace(
            cpu_seconds=total,
            peak_cpu_percent=None if peak is None else round(peak, 1),
            peak_memory_bytes=most(seen.peak_memory_bytes, self.peak_memory_bytes),
            avg_memory_bytes=self.avg_memory_bytes,
            read_bytes=most(seen.read_bytes, self.read_bytes),
            write_bytes=most(seen.write_bytes, self.write_bytes),
        )


def most(one: N | None, other: N | None) -> N | None:
    """Return the larger of two values of which either may not be known."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


class MachineSummary(NamedTuple):
    """What a machine used while it was looked at; None is not known or not wanted."""

    sample_count: int = 0
    peak_cpu_percent: float | None = None
    avg_cpu_percent: float | None = None
    peak_memory_bytes: int | None = None
    avg_memory_bytes: int | None = None


class MachineTrack:
    """The looks at a machine so far."""

    def __init__(self, *, cpu: bool = True, memory: bool = True) -> None:
        self._cpu = cpu
        self._memory = memory
        self._count = 0
        self._cpu_sum = self._cpu_peak = 0.0
        self._memory_sum = self._memory_peak = 0

    def look(self, usage: MachineUsage) -> None:
        """Take in what was seen."""
        self._count += 1
        self._cpu_sum += usage.cpu_percent
        self._cpu_peak = max(self._cpu_peak, usage.cpu_percent)
        self._memory_sum += usage.memory_bytes
        self._memory_peak = max(self._memory_peak, usage.memory_bytes)

    def summary(self) -> MachineSummary:
        """Return peaks and averages."""
        count = self._count
        if not count:
            return MachineSummary()
        cpu = (round(self._cpu_peak, 1), round(self._cpu_sum / count, 1)) if self._cpu else (None, None)
        memory = (self._memory_peak, round(self._memory_sum / count)) if self._memory else (None, None)
        return MachineSummary(count, *cpu, *memory)
