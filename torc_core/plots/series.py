"""Time series of jobs and machines, as they were measured, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

N = TypeVar("N", int, float)


class JobPoint(NamedTuple):
    """What a job used at a moment (seconds since 1970); bytes since its start, None where they are not known."""

    moment: float
    cpu_percent: float
    memory_bytes: int
    num_processes: int
    read_bytes: int | None = None
    write_bytes: int | None = None
    attempt_id: int = 1


class JobSeries(NamedTuple):
    """One job; figures that are None are taken from the points."""

    job_id: int
    name: str
    points: Sequence[JobPoint]
    start_moment: float | None = None
    end_moment: float | None = None
    known_peak_cpu: float | None = None
    known_avg_cpu: float | None = None
    known_peak_memory: int | None = None
    known_avg_memory: int | None = None
    known_read: int | None = None
    known_written: int | None = None

    @property
    def start(self) -> float:
        """When it started, or was first seen."""
        first = self.points[0].moment if self.points else None
        return min(m for m in (self.start_moment, first, self.end_moment) if m is not None)

    @property
    def end(self) -> float:
        """When it ended, or was last seen."""
        last = self.points[-1].moment if self.points else None
        return max(m for m in (self.end_moment, last, self.start_moment) if m is not None)

    @property
    def seconds(self) -> float:
        """How long it was at work, as far as that was seen."""
        return self.end - self.start

    @property
    def peak_cpu_percent(self) -> float | None:
        """The most of any sample, or what the runner found out in the end."""
        return _most([*(point.cpu_percent for point in self.points), self.known_peak_cpu])

    @property
    def avg_cpu_percent(self) -> float | None:
        """What the runner found out in the end, else the mean of the samples."""
        return _mean(self.known_avg_cpu, [point.cpu_percent for point in self.points])

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most of any sample, or what the runner found out in the end."""
        return _most([*(point.memory_bytes for point in self.points), self.known_peak_memory])

    @property
    def avg_memory_bytes(self) -> int | None:
        """What the runner found out in the end, else the mean of the samples."""
        mean = _mean(self.known_avg_memory, [point.memory_bytes for point in self.points])
        return None if mean is None else round(mean)

    @property
    def read_bytes(self) -> int | None:
        """All bytes read by the latest attempt."""
        return _most([self.known_read, *(p.read_bytes for p in self.points[-1:])])

    @property
    def write_bytes(self) -> int | None:
        """All bytes written by the latest attempt."""
        return _most([self.known_written, *(p.write_bytes for p in self.points[-1:])])

    def facts(self) -> dict[str, Any]:
        """Return the figures, without those that are not known."""
        found = {
            "job_id": self.job_id, "job_name": self.name, "samples": len(self.points),
            "duration_seconds": round(self.seconds, 3), "peak_cpu_percent": self.peak_cpu_percent,
            "avg_cpu_percent": self.avg_cpu_percent, "peak_memory_bytes": self.peak_memory_bytes,
            "avg_memory_bytes": self.avg_memory_bytes, "read_bytes": self.read_bytes, "write_bytes": self.write_bytes,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


class SystemPoint(NamedTuple):
    """What a machine used at a moment; 100 is all its CPUs."""

    moment: float
    cpu_percent: float
    memory_bytes: int
    total_memory_bytes: int


class SystemSeries(NamedTuple):
    """One machine, known by the label of its file."""

    label: str
    points: Sequence[SystemPoint]

    def facts(self) -> dict[str, Any]:
        """Return the figures; there is at least one point."""
        cpu, memory = [p.cpu_percent for p in self.points], [p.memory_bytes for p in self.points]
        return {
            "label": self.label, "samples": len(self.points),
            "duration_seconds": round(self.points[-1].moment - self.points[0].moment, 3), "peak_cpu_percent": max(cpu),
            "avg_cpu_percent": round(sum(cpu) / len(cpu), 1), "peak_memory_bytes": max(memory),
            "avg_memory_bytes": round(sum(memory) / len(memory)),
            "total_memory_bytes": max(p.total_memory_bytes for p in self.points),
        }  # fmt: skip


class Metrics(NamedTuple):
    """Everything that was read from one or more files."""

    jobs: Sequence[JobSeries] = ()
    systems: Sequence[SystemSeries] = ()


def _most(values: Sequence[N | None]) -> N | None:
    return max((value for value in values if value is not None), default=None)


def _mean(known: float | None, values: Sequence[float]) -> float | None:
    if known is not None or not values:
        return known
    return round(sum(values) / len(values), 1)
