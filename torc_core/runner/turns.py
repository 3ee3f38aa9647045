"""Turns with the service: when one is due, what is asked for, what an answer means.

While jobs claimed ahead are at hand, ends are reported in batches; when there are none, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torc_core import reasons
from torc_core.errors import TorcError
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.records.answers import FinishedJob, TickAnswer
    from torc_core.records.values import Json
    from torc_core.runner.capacity import Capacity
    from torc_core.runner.jobs import Jobs
    from torc_core.runner.journal import Journal
    from torc_core.runner.limits import RunnerTime
    from torc_core.runner.options import RunnerOptions
    from torc_core.runner.reporting import Reporter
    from torc_core.runner.voice import Voice

_FLUSH_SECONDS = 0.05  # how long an end or a start may wait for others to be reported with it
_FLUSH_COUNT = 64
_NEWS_SECONDS = 0.01  # least time between turns because of news, while there is room for jobs
_NEWS_BUSY_SECONDS = 0.5  # the same while there is none: only a cancellation could matter
_AHEAD_SECONDS = 0.05  # claimed ahead is what runs in that time
_SHORTEST_SECONDS = 0.0002  # no job is shorter
_STALE_SECONDS = 0.5  # a hand from which nothing was started for so long is given back
_NO_AHEAD_SECONDS = 60.0  # after a claim ahead gave jobs that cannot run here


class Turns:
    """Decides about turns and takes them; times are monotonic."""

    def __init__(
        self,
        options: RunnerOptions,
        jobs: Jobs,
        capacity: Capacity,
        reporter: Reporter,
        journal: Journal,
        voice: Voice,
        lead_seconds: float,
        time: RunnerTime | None,
        least_seconds: float,
    ) -> None:
        """``least_seconds`` of a runner's time have to be left for slots to take new jobs."""
        self._options = options
        self._jobs = jobs
        self._capacity = capacity
        self._reporter = reporter
        self._journal = journal
        self._voice = voice
        self._lead_seconds = lead_seconds
        self._time = time
        self._least_seconds = least_seconds
        self._turned_at = float("-inf")
        self._untold_since = 0.0
        self._moved_at = 0.0
        self._no_ahead_until = 0.0
        self._is_starving = False  # the last claim gave nothing
        self.actions = reporter.actions
        self.has_news = False  # the service has announced a change
        self.is_closed = False  # no new jobs are wanted
        self.is_complete = self.is_canceled = False
        self.ready = self.unfinished = 0
        self.ready_at: float | None = None  # when a job is ready that waits for a moment
        self.error: TorcError | None = None

    def claims(self, now: float) -> bool:
        """Say whether new jobs are wanted at all."""
        if self.is_closed or self.is_canceled or self.error is not None or self._journal.is_stuck:
            return False
        # Slots ignore run times, so near the end nothing is begun.
        return (
            self._time is None
            or self._options.max_parallel_jobs is None
            or self._time.end_at - now >= self._least_seconds
        )

    def note(self, now: float, has_started: bool) -> None:
        """Remember that something is there to be told, and whether jobs were started."""
        if not self._reporter.has_news:
            self._untold_since = now
        if has_started:
            self._moved_at = now

    def close(self) -> None:
        """Want no more jobs and give back what was claimed and not started."""
        self.is_closed = True
        self._reporter.released += self._jobs.give_up_hand()

    def give_back_stale(self, now: float) -> None:
        """Give back what was claimed ahead when the jobs that run turn out to be long."""
        jobs = self._jobs
        if jobs.hand and now - self._moved_at >= _STALE_SECONDS:
            self._reporter.released += [job.id for job in jobs.hand]
            jobs.hand.clear()
            jobs.mean_seconds = None

    def is_due(self, now: float) -> bool:
        """Say whether to take a turn now."""
        jobs, reporter = self._jobs, self._reporter
        if now < reporter.retry_at or self.error is not None:
            return False
        since = now - self._turned_at
        if reporter.away_since is not None or reporter.released or since >= self._options.poll_seconds:
            return True
        if self.actions.is_urgent:
            return True
        wants = self.claims(now) and not self._capacity.is_full()
        if wants and self.ready_at is not None and now >= self.ready_at:
            return True
        if self.has_news and since >= (_NEWS_SECONDS if wants else _NEWS_BUSY_SECONDS):
            self.has_news = reporter.has_moved_on()
            if self.has_news:
                return True
        if not jobs.hand:
            if wants and (reporter.finished or not self._is_starving):
                return True
            if jobs.is_empty and reporter.has_news:
                return True
        elif self.ready and not self._is_starving and 4 * len(jobs.hand) <= self._ahead(now) and self.claims(now):
            return True
        if not reporter.has_news:
            return False
        return len(reporter.finished) >= _FLUSH_COUNT or now - self._untold_since >= _FLUSH_SECONDS

    def next_at(self, now: float) -> float:
        """Return when a turn, or giving back, is due though nothing happens."""
        reporter = self._reporter
        if reporter.away_since is not None:
            return reporter.retry_at
        times = [now if self.actions.is_urgent else self._turned_at + self._options.poll_seconds]
        if self.ready_at is not None and now < self.ready_at:
            times.append(self.ready_at)
        if reporter.has_news:
            times.append(self._untold_since + _FLUSH_SECONDS)
        if self.has_news:
            wants = self.claims(now) and not self._capacity.is_full()
            times.append(self._turned_at + (_NEWS_SECONDS if wants else _NEWS_BUSY_SECONDS))
        if self._jobs.hand:
            times.append(self._moved_at + _STALE_SECONDS)
        return min(times)

    def _ahead(self, now: float) -> int:
        """Return how many short jobs to hold beyond those that run."""
        mean = self._jobs.mean_seconds
        if mean is None or now < self._no_ahead_until:
            return 0
        count = int(_AHEAD_SECONDS * max(1, len(self._jobs.running)) / max(mean, _SHORTEST_SECONDS))
        return min(count, self._options.claim_ahead)

    def take(self, now: float) -> None:
        """Tell everything, ask for jobs, and do what the answer says."""
        jobs, reporter = self._jobs, self._reporter
        limit, room, ahead = 0, None, 0
        if self.claims(now):
            ahead = self._ahead(now)
            if ahead or not (jobs.hand or self._capacity.is_full()):
                limit, room = self._capacity.claim(ahead, self._time.claimable(now) if self._time else None)
                limit = max(0, limit - len(jobs.hand))
        if limit == 0:
            room = None
        self.has_news = False
        self._turned_at = now
        was_away, told = reporter.away_since is not None, reporter.finished
        try:
            answer = reporter.turn(now, limit, room, jobs.held)
        except TorcError as exc:
            self._give_up(exc)
            return
        if answer is None:
            if not was_away:
                self._voice.say(
                    f"the service is of no use at the moment, running jobs go on: {reporter.trouble}", "WARN"
                )
            return
        if was_away:
            self._voice.say("the service is there again", "INFO")
        self._journal.note_taken(len(told) - len(reporter.finished))
        if self._journal.is_large() and not reporter.finished and not (jobs.retries and jobs.retries.is_busy):
            self._journal.begin_again((run.job.id, run.job.attempt_id, *handle) for handle, run in jobs.running.items())
        if answer.refused:
            self._hear_refusals(answer.refused, told)
        self._obey(answer, now)
        if answer.jobs:
            self._accept(answer, now, ahead > 0)
        if limit:
            self._is_starving = not answer.jobs

    def _hear_refusals(self, refused: list[Json], told: list[FinishedJob]) -> None:
        """Say which ends are of no use, and count them no more."""
        ends = {(end.job_id, end.attempt_id): end for end in told}
        for refusal in refused:
            self._voice.say(f"result refused: {refusal.get('message')}", "WARN")
            end = ends.get((refusal.get("job_id"), refusal.get("attempt_id")))
            if end is not None:
                self._voice.tally.take_back(end)

    def _obey(self, answer: TickAnswer, now: float) -> None:
        """Take note of where the workflow stands and end what the service does not want to go on."""
        jobs = self._jobs
        self.ready, self.unfinished = answer.ready_count, answer.unfinished_count
        self.is_complete = answer.is_complete
        self.ready_at = None if answer.ready_in_seconds is None else now + answer.ready_in_seconds
        if answer.lost:
            names = jobs.drop(answer.lost, self._lead_seconds)
            if names:
                self._voice.say(f"jobs taken away by the service are ended: {', '.join(names)}", "WARN")
        if answer.is_canceled and not self.is_canceled:
            self.is_canceled = True
            self._voice.say("the workflow is canceled: running jobs are ended", "INFO")
            jobs.give_up_hand()
            jobs.end_all(JobStatus.CANCELED, reasons.CANCELED, self._lead_seconds)

    def _accept(self, answer: TickAnswer, now: float, is_ahead: bool) -> None:
        """Take the jobs given. Of those claimed ahead some may not fit here at all: they go back."""
        self._moved_at = now
        given = answer.jobs
        if is_ahead:
            given = [job for job in given if self._capacity.misfit(job) is None]
            if len(given) < len(answer.jobs):
                self._no_ahead_until = now + _NO_AHEAD_SECONDS
                kept = {job.id for job in given}
                self._reporter.released += [job.id for job in answer.jobs if job.id not in kept]
        self._jobs.add(given, self._lead_seconds)

    def _give_up(self, error: TorcError) -> None:
        """End everything: the service will not have this runner any more."""
        self.error = error
        self._voice.say(f"the service refuses this runner: {error}", "ERROR")
        self._jobs.give_up_hand()
        self._jobs.drop([job_id for job_id, _ in self._jobs.held()], 0.0)
