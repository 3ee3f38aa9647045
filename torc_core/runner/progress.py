"""What a runner tells while it runs, and what it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from torc_core.runner.options import SHOWN_FAILURES, Counts
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.records.answers import FinishedJob, JobLaunch


class Progress(NamedTuple):
    """What one wake-up brought; ``counts`` are totals. ``message`` is for people."""

    counts: Counts
    started: list[JobLaunch]
    finished: list[tuple[JobLaunch, FinishedJob]]
    message: str = ""


def is_retried(end: FinishedJob) -> bool:
    """Whether an attempt failed and it was decided to try again; what a runner had to end itself is none."""
    return end.again and end.decided is not None


Notify = Callable[[Progress], None]
"""Called in the runner's thread, at most once per wake-up and message; the runner waits for it."""


class Tally:
    """Counts ends by status and remembers which jobs did not succeed, unless a later attempt did."""

    def __init__(self) -> None:
        self.by_status = dict.fromkeys(JobStatus, 0)
        self.retried = 0
        self._failed: dict[int, tuple[str, JobStatus]] = {}

    def add(self, job: JobLaunch, end: FinishedJob) -> None:
        """Count the end of an attempt."""
        status = end.status
        if is_retried(end):
            self.retried += 1
        else:
            self.by_status[status] += 1
        if status is not JobStatus.COMPLETED:
            self._failed[job.id] = (job.name, status)
        elif self._failed:
            self._failed.pop(job.id, None)

    def take_back(self, end: FinishedJob) -> None:
        """Count an end no more that somebody else's has been kept instead of."""
        if is_retried(end):
            self.retried -= 1
        else:
            self.by_status[end.status] -= 1
        self._failed.pop(end.job_id, None)

    def counts(self, running: int, ready: int, unfinished: int) -> Counts:
        """Return the totals."""
        by = self.by_status
        return Counts(
            running, by[JobStatus.COMPLETED], by[JobStatus.FAILED], by[JobStatus.TERMINATED], by[JobStatus.CANCELED],
            ready, unfinished, self.retried, by[JobStatus.PENDING_FAILED],
        )  # fmt: skip

    @property
    def has_failures(self) -> bool:
        """Whether a job's last attempt here failed or was terminated."""
        return any(status is not JobStatus.CANCELED for _, status in self._failed.values())

    def failed_names(self) -> tuple[str, ...]:
        """Return the names of the first jobs that failed or were terminated."""
        names = (name for name, status in self._failed.values() if status is not JobStatus.CANCELED)
        return tuple(name for name, _ in zip(names, range(SHOWN_FAILURES), strict=False))
