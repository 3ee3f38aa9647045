"""What a played workflow did: who started when, how long all of it took, what was used, and what never started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torc_core.planning.needs import Capacity, Needs
from torc_core.units import HOUR, human_duration, human_memory

JOB_COLUMNS = ("Job", "Start", "End", "Duration", "CPUs", "Memory", "GPUs", "Slot")


class Entry(NamedTuple):
    """One job that ran. Times in seconds from the start; ``row`` counts jobs side by side, from 0."""

    position: int  # in the plan
    name: str
    group: str
    start_s: float
    end_s: float
    row: int
    gpu_ids: tuple[str, ...]
    needs: Needs


class Peak(NamedTuple):
    """The most that was in use at once, and when for the first time (seconds from the start)."""

    amount: int = 0
    at_s: float = 0.0


class Peaks(NamedTuple):
    """Peaks of what jobs take together; memory in bytes."""

    cpus: Peak = Peak()
    memory_bytes: Peak = Peak()
    gpus: Peak = Peak()
    jobs: Peak = Peak()


class Step(NamedTuple):
    """One job of the critical path."""

    name: str
    seconds: float


class Unstarted(NamedTuple):
    """Jobs that never start, for one and the same reason."""

    reason: str
    positions: list[int]  # in the plan
    names: list[str]


class Schedule:
    """How a plan played. ``entries`` are in the order of their starts."""

    __slots__ = ("capacity", "cpu_seconds", "critical_path", "entries", "makespan_seconds", "peaks", "unstarted")

    def __init__(
        self,
        capacity: Capacity,
        entries: list[Entry],
        peaks: Peaks = Peaks(),  # noqa: B008 - it cannot change
        critical_path: Sequence[Step] = (),
        unstarted: Sequence[Unstarted] = (),
    ) -> None:
        self.capacity = capacity
        self.entries = entries
        self.peaks = peaks
        self.critical_path = list(critical_path)
        self.unstarted = list(unstarted)
        self.makespan_seconds = max((entry.end_s for entry in entries), default=0.0)
        self.cpu_seconds = sum(entry.needs.cpus * (entry.end_s - entry.start_s) for entry in entries)

    @property
    def cpu_hours(self) -> float:
        """CPU time that is held, used or not."""
        return self.cpu_seconds / HOUR

    @property
    def critical_seconds(self) -> float:
        """How long it would take with room for everything."""
        return sum(step.seconds for step in self.critical_path)

    @property
    def cpu_utilisation(self) -> float | None:
        """The part of the offered CPU time that jobs hold; above 1 when slots give out more CPUs than there are."""
        offered = self.capacity.cpus * self.makespan_seconds
        return self.cpu_seconds / offered if offered else None

    @property
    def unstarted_count(self) -> int:
        """How many jobs never start."""
        return sum(len(group.positions) for group in self.unstarted)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        capacity = self.capacity
        utilisation = self.cpu_utilisation
        return {
            "total_jobs": len(self.entries) + self.unstarted_count,
            "started_jobs": len(self.entries),
            "unstarted_jobs": self.unstarted_count,
            "makespan_seconds": self.makespan_seconds,
            "cpu_hours": round(self.cpu_hours, 6),
            "cpu_utilisation": None if utilisation is None else round(utilisation, 6),
            "capacity": {
                "cpus": capacity.cpus,
                "memory_bytes": capacity.memory_bytes,
                "gpus": list(capacity.gpus),
                "max_parallel_jobs": capacity.max_parallel_jobs,
                "labels": sorted(capacity.labels),
            },
            "peaks": {
                name: {"amount": peak.amount, "at_seconds": peak.at_s}
                for name, peak in zip(self.peaks._fields, self.peaks, strict=True)
            },
            "critical_path": {
                "seconds": self.critical_seconds,
                "jobs": [step._asdict() for step in self.critical_path],
            },
            "unstarted": [
                {"reason": group.reason, "count": len(group.names), "jobs": group.names} for group in self.unstarted
            ],
            "jobs": [_job_json(entry) for entry in self.entries],
        }

    def rows(self) -> list[tuple[Any, ...]]:
        """Return a row for each job that ran, under ``JOB_COLUMNS``."""
        return [
            (
                entry.name, human_duration(entry.start_s), human_duration(entry.end_s),
                human_duration(entry.end_s - entry.start_s), entry.needs.cpus, human_memory(entry.needs.memory_bytes),
                ",".join(entry.gpu_ids) or None, entry.row + 1,
            )
            for entry in self.entries
        ]  # fmt: skip

    def summary(self) -> list[tuple[str, str]]:
        """Return what matters about the whole as pairs of a label and a text."""
        total = len(self.entries) + self.unstarted_count
        lines = [
            ("Jobs", f"{len(self.entries):,} of {total:,} run" if self.unstarted else f"{total:,}"),
            ("Makespan", human_duration(self.makespan_seconds)),
            ("Critical path", self._critical_text()),
            ("CPU time", f"{self.cpu_hours:,.2f} CPU hours"),
        ]
        if self.cpu_utilisation is not None:
            lines.append(("CPU utilisation", f"{self.cpu_utilisation:.1%} of {self.capacity.cpus:,} CPUs"))
        peaks = self.peaks
        lines.append(("Most jobs at once", _when(f"{peaks.jobs.amount:,}", peaks.jobs)))
        lines.append(("Most CPUs at once", _when(f"{peaks.cpus.amount:,}", peaks.cpus)))
        lines.append(("Most memory at once", _when(human_memory(peaks.memory_bytes.amount), peaks.memory_bytes)))
        if peaks.gpus.amount:
            lines.append(("Most GPUs at once", _when(f"{peaks.gpus.amount:,}", peaks.gpus)))
        return lines

    def _critical_text(self) -> str:
        names = [step.name for step in self.critical_path]
        if len(names) > 5:
            names = [*names[:2], f"({len(names) - 4:,} more)", *names[-2:]]
        return f"{human_duration(self.critical_seconds)}: {' -> '.join(names)}" if names else "none"


def _when(amount: str, peak: Peak) -> str:
    return f"{amount} after {human_duration(peak.at_s)}"


def _job_json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "start_seconds": entry.start_s,
        "end_seconds": entry.end_s,
        "slot": entry.row + 1,
        "gpus": list(entry.gpu_ids),
        "num_cpus": entry.needs.cpus,
        "memory_bytes": entry.needs.memory_bytes,
        "num_nodes": entry.needs.nodes,
    }
