"""What a runner says: lines in its log, progress and messages for whoever shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torc_core.runner.options import Counts
from torc_core.runner.progress import Progress, Tally

if TYPE_CHECKING:
    from torc_core.records.answers import FinishedJob, JobLaunch
    from torc_core.runner.jobs import Jobs
    from torc_core.runner.log import RunnerLog
    from torc_core.runner.progress import Notify
    from torc_core.runner.turns import Turns


class Voice:
    """Says things and keeps the counts that are said with them."""

    def __init__(self, log: RunnerLog, notify: Notify | None, workflow_id: int) -> None:
        """``notify`` hears of progress, see there."""
        self.log = log
        self.tally = Tally()
        self._notify = notify
        self._workflow_id = workflow_id
        self._jobs: Jobs | None = None
        self._turns: Turns | None = None

    def know(self, jobs: Jobs, turns: Turns) -> None:
        """Count what these have; before that there is nothing to count."""
        self._jobs, self._turns = jobs, turns

    def counts(self) -> Counts:
        """Return the totals so far."""
        if self._jobs is None or self._turns is None:
            return Counts()
        return self.tally.counts(len(self._jobs.running), self._turns.ready, self._turns.unfinished)

    def tell(self, text: str) -> None:
        """Say what people like to know."""
        self.say(text, "INFO")

    def say(self, text: str, level: str) -> None:
        """Write a line and show it; levels are INFO, WARN and ERROR."""
        self.log.write(level, text)
        self._show([], [], text)

    def progress(self, starts: list[JobLaunch], ends: list[tuple[JobLaunch, FinishedJob]]) -> None:
        """Count ends, write down the bad ones, show all."""
        for job, result in ends:
            self.tally.add(job, result)
            if result.return_code != 0:
                self.log.write(
                    "WARN", f"job {result.status} name={job.name!r} workflow_id={self._workflow_id} job_id={job.id} "
                    f"attempt_id={job.attempt_id} return_code={result.return_code} reason={result.reason!r}",
                )  # fmt: skip
        self._show(starts, ends)

    def _show(self, starts: list[JobLaunch], ends: list[tuple[JobLaunch, FinishedJob]], text: str = "") -> None:
        """Tell whoever shows progress; jobs do not suffer when that cannot be shown any more."""
        if self._notify is None:
            return
        try:
            self._notify(Progress(self.counts(), starts, ends, text))
        except Exception as exc:  # noqa: BLE001
            self._notify = None
            self.log.write("WARN", f"progress is not shown any more: {exc}")
