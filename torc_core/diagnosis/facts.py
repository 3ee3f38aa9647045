"""What is known of a workflow when somebody asks why nothing happens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torc_core.engine.lanes import UNLIMITED, Lane, Room
from torc_core.status import JobStatus

GRACE_SECONDS = 120
"""A runner takes jobs that need so much longer than it has left."""


class JobFacts(NamedTuple):
    """One job; ``waits_for`` are the jobs that it names, the files it reads and the user data it reads."""

    id: int
    name: str
    status: JobStatus
    needs: Lane
    waits_for: Sequence[int] = ()
    reads: Sequence[tuple[str, int]] = ()  # ("file", 3), ("data", 1)
    writes: Sequence[tuple[str, int]] = ()
    retry_at: str | None = None  # UTC
    holder: int | None = None


class RunnerFacts(NamedTuple):
    """One active runner. ``seconds_left`` is None without an end; ``is_dead``: its process is known to be gone."""

    id: int
    hostname: str
    room: Room
    seconds_left: float | None = None
    is_dead: bool = False

    def has_time_for(self, seconds: float) -> bool:
        """Whether a job that runs so long is given to it."""
        return self.seconds_left is None or seconds <= self.seconds_left + GRACE_SECONDS


class Facts(NamedTuple):
    """A workflow at one moment."""

    workflow_id: int
    jobs: Sequence[JobFacts]
    runners: Sequence[RunnerFacts] = ()
    is_archived: bool = False
    is_canceled: bool = False
    missing_files: Sequence[str] = ()  # that must exist and do not, on this machine
    missing_data: Sequence[str] = ()  # names of user data without a value that no job makes
    pending_allocations: int = 0
    active_allocations: int = 0
    past: Sequence[RunnerFacts] = ()  # runners that have left, as they were when idle

    def with_status(self, *statuses: JobStatus) -> list[JobFacts]:
        """Return the jobs with one of the statuses."""
        return [job for job in self.jobs if job.status in statuses]

    @property
    def alive(self) -> list[RunnerFacts]:
        """The runners that may still take jobs."""
        return [runner for runner in self.runners if not runner.is_dead]


def room(
    cpus: int, memory_bytes: int, gpus: int = 0, nodes: int = 1, labels: Iterable[str] = (), scheduler: int = 0
) -> Room:
    """Return what a runner has when it is idle, whatever time it has."""
    return Room(cpus, memory_bytes, gpus, nodes, UNLIMITED, scheduler, frozenset(labels))
