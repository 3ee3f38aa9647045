"""The runner: one loop around one selector that claims jobs, starts them, and reports how they end.

Each wake-up gathers what ended, starts what waits, writes the journal and, when that is due, takes one turn with the
service: everything that happened goes in, the next jobs come out.
"""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.errors import TorcError
from torc_core.records.resources import ComputeNode, Workflow
from torc_core.runner.jobs import Jobs
from torc_core.runner.journal import FOLDER, Journal
from torc_core.runner.launching import Launcher
from torc_core.runner.limits import Limits, RunnerTime
from torc_core.runner.log import RunnerLog
from torc_core.runner.node import capacity_of, journal_owner, node_record, offered
from torc_core.runner.options import Counts, RunnerOptions, RunSummary
from torc_core.runner.progress import Progress, Tally
from torc_core.runner.recovery import recover
from torc_core.runner.reporting import Reporter
from torc_core.runner.stopping import DRAIN, END, KILL, Stop, stop_signals
from torc_core.runner.stuck import explain
from torc_core.service.processes import this_machine
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.records.answers import TickAnswer
    from torc_core.runner.progress import Notify
    from torc_core.service.api import Service

_FLUSH_SECONDS = 0.05  # how long an end or a start may wait for others to be reported with it
_FLUSH_COUNT = 64
_NEWS_SECONDS = 0.01  # least time between turns because of news, while there is room for jobs
_NEWS_BUSY_SECONDS = 0.5  # the same while there is none: only a cancellation could matter
_AHEAD_SECONDS = 0.05  # claimed ahead is what runs in that time
_SHORTEST_SECONDS = 0.0002  # no job is shorter
_STALE_SECONDS = 0.5  # a hand from which nothing was started for so long is given back
_NO_AHEAD_SECONDS = 60.0  # after a claim ahead gave jobs that cannot run here
_FOREVER = float("inf")


class Runner:
    """Runs jobs of one workflow until there are none left to run."""

    def __init__(
        self,
        service: Service,
        executor: Executor,
        workflow_id: int,
        options: RunnerOptions | None = None,
        notify: Notify | None = None,
    ) -> None:
        """The executor becomes the runner's own, which closes it. ``notify`` hears of progress, see there."""
        self._service = service
        self._executor = executor
        self._workflow_id = workflow_id
        self._options = options or RunnerOptions()
        self._notify = notify
        self._stop = Stop()
        self._obeyed = 0
        self._tally = Tally()
        self._error: TorcError | None = None
        self._turned_at = -_FOREVER
        self._untold_since = 0.0
        self._asked_at = -_FOREVER
        self._moved_at = 0.0
        self._idle_since: float | None = None
        self._no_ahead_until = 0.0
        self._has_news = False
        self._starving = False
        self._is_time_over = False
        self._is_complete = self._is_canceled = False
        self._ready = self._unfinished = 0
        self._stuck: str | None = None

    def request_stop(self, level: int = DRAIN) -> None:
        """Ask the run to stop, from any thread; asking again asks for more, see ``stopping``."""
        self._stop.request(level)

    def run(self) -> RunSummary:
        """Run until the workflow is complete, nothing is left to do, or somebody stops it; raises TorcError."""
        began = time.monotonic()
        options, service = self._options, self._service
        workflow = self._workflow = service.get(Workflow, self._workflow_id)
        limits = self._limits = Limits.of(workflow.execution_config)
        launcher = Launcher(workflow, options, limits)
        _make_folder(launcher.output_files.directory)
        here, gpus = offered(options)
        capacity = self._capacity = capacity_of(options, here, gpus)
        self._jobs = Jobs(self._executor, capacity, launcher, limits)
        seconds = options.time_limit_seconds
        self._time = None if seconds is None else RunnerTime.of(began, seconds, limits)
        self._idle_seconds = options.idle_seconds
        if self._idle_seconds is None:
            self._idle_seconds = workflow.compute_node_wait_for_new_jobs_seconds
        machine = this_machine()
        with RunnerLog(options.output_dir, machine.host, workflow.id, workflow.run_id) as self._log:
            recover(service, self._executor, workflow, options.output_dir, machine, self._say)
            node = service.create(node_record(workflow.id, options, here, gpus))
            self._reporter = Reporter(
                service, workflow.id, workflow.run_id, node.id, options.strict_scheduler_match
            )  # fmt: skip
            self._journal = Journal(Path(options.output_dir) / FOLDER, journal_owner(workflow, node.id), self._warn)
            self._log.write(
                "INFO", f"runner starts workflow_id={workflow.id} run_id={workflow.run_id} compute_node_id={node.id} "
                f"pid={os.getpid()} num_cpus={here.num_cpus} memory_bytes={here.memory_bytes} num_gpus={len(gpus.ids)}",
            )  # fmt: skip
            try:
                with stop_signals(self._stop):
                    self._loop()
            finally:
                self._executor.close()
                self._journal.close(keep=not self._jobs.is_empty or bool(self._reporter.finished))
            return self._finish(node.id, time.monotonic() - began)

    # the loop

    def _loop(self) -> None:
        poller = select.poll()
        poller.register(self._stop.fd, select.POLLIN)
        wake_fd = self._executor.wake_fd()
        if wake_fd is not None:
            poller.register(wake_fd, select.POLLIN)
        end_listening = self._service.on_change(self._workflow_id, self._hear)
        try:
            while not self._wake_up():
                for fd, _ in poller.poll(self._patience_ms()):
                    if fd == self._stop.fd:
                        self._stop.drain()
        finally:
            end_listening()

    def _hear(self) -> None:
        if not self._has_news:
            self._has_news = True
            self._stop.wake()

    def _wake_up(self) -> bool:
        """Do everything that is due; returns whether the run is over."""
        now = time.monotonic()
        jobs = self._jobs
        self._asked_at = jobs.collect(now, self._asked_at)
        self._obey(now)
        jobs.start_what_fits(now)
        self._note(now)
        if self._turn_is_due(now):
            self._turn(now)
            jobs.start_what_fits(now)
            self._note(now)
        return self._is_over(now)

    def _note(self, now: float) -> None:
        """Write down, count and tell what this wake-up brought."""
        jobs, reporter = self._jobs, self._reporter
        starts, ends = jobs.new_starts, jobs.new_ends
        if not starts and not ends:
            return
        finished = [result for _, result in ends]
        self._journal.write(jobs.journal_starts, finished)
        if not reporter.has_news:
            self._untold_since = now
        reporter.started += jobs.start_reports
        reporter.finished += finished
        for job, result in ends:
            self._tally.add(job, result.status)
            if result.return_code != 0:
                self._log.write(
                    "WARN", f"job {result.status} name={job.name!r} workflow_id={self._workflow_id} job_id={job.id} "
                    f"attempt_id={job.attempt_id} return_code={result.return_code} reason={result.reason!r}",
                )  # fmt: skip
        if starts:
            self._moved_at = now
        jobs.new_starts, jobs.new_ends, jobs.start_reports, jobs.journal_starts = [], [], [], []
        if self._notify is not None:
            self._notify(Progress(self._counts(), starts, ends))

    # turns

    def _claims(self, now: float) -> bool:
        """Say whether new jobs are wanted at all."""
        if self._stop.level or self._is_time_over or self._is_canceled or self._error is not None:
            return False
        limit, end = self._options.time_limit_seconds, self._time
        if limit is None or end is None or self._options.max_parallel_jobs is None:
            return True
        least = self._workflow.compute_node_min_time_for_new_jobs_seconds
        return end.end_at - now >= min(least, limit / 10)  # slots ignore run times: near the end nothing is begun

    def _ahead(self, now: float) -> int:
        """Return how many short jobs to hold beyond those that run."""
        mean = self._jobs.mean_seconds
        if mean is None or now < self._no_ahead_until:
            return 0
        count = int(_AHEAD_SECONDS * max(1, len(self._jobs.running)) / max(mean, _SHORTEST_SECONDS))
        return min(count, self._options.claim_ahead)

    def _turn_is_due(self, now: float) -> bool:
        jobs, reporter = self._jobs, self._reporter
        if now < reporter.retry_at or self._error is not None:
            return False
        if reporter.away_since is not None:
            return True
        since = now - self._turned_at
        if reporter.released or since >= self._options.poll_seconds:
            return True
        wants = self._claims(now) and not self._capacity.is_full()
        if self._has_news and since >= (_NEWS_SECONDS if wants else _NEWS_BUSY_SECONDS):
            return True
        if not jobs.hand:
            if wants and (reporter.finished or not self._starving):
                return True
            if jobs.is_empty and reporter.has_news:
                return True
        elif self._ready and not self._starving and 4 * len(jobs.hand) <= self._ahead(now) and self._claims(now):
            return True
        if not reporter.has_news:
            return False
        return len(reporter.finished) >= _FLUSH_COUNT or now - self._untold_since >= _FLUSH_SECONDS

    def _turn(self, now: float) -> None:
        jobs, reporter = self._jobs, self._reporter
        limit, room, ahead = 0, None, 0
        if self._claims(now):
            ahead = self._ahead(now)
            if ahead or not (jobs.hand or self._capacity.is_full()):
                limit, room = self._capacity.claim(ahead, self._time.claimable(now) if self._time else None)
                limit = max(0, limit - len(jobs.hand))
        if limit == 0:
            room = None
        self._has_news = False
        self._turned_at = now
        was_away, untold = reporter.away_since is not None, len(reporter.finished)
        try:
            answer = reporter.turn(now, limit, room)
        except TorcError as exc:
            self._give_up(exc)
            return
        if answer is None:
            if not was_away:
                self._say(f"the service is away, running jobs go on: {reporter.trouble}", "WARN")
            return
        if was_away:
            self._say("the service is there again")
        self._journal.note_taken(untold - len(reporter.finished))
        if self._journal.is_large() and not reporter.finished:
            self._journal.begin_again((run.job.id, run.job.attempt_id, *handle) for handle, run in jobs.running.items())
        self._take(answer, now, limit, ahead, was_away)

    def _take(self, answer: TickAnswer, now: float, limit: int, ahead: int, was_away: bool) -> None:
        """Do what an answer says."""
        jobs = self._jobs
        self._ready, self._unfinished = answer.ready_count, answer.unfinished_count
        for refusal in answer.refused:
            self._log.write("WARN", f"result refused: {refusal.get('message')}")
        if answer.lost:
            names = jobs.drop(answer.lost, self._limits.sigterm_lead_seconds)
            if names:
                self._say(f"jobs taken away by the service are ended: {', '.join(names)}", "WARN")
        if answer.jobs:
            self._moved_at = now
            given = answer.jobs
            if ahead:
                given = [job for job in given if self._capacity.misfit(job) is None]
                if len(given) < len(answer.jobs):
                    self._no_ahead_until = now + _NO_AHEAD_SECONDS
                    kept = {job.id for job in given}
                    self._reporter.released += [job.id for job in answer.jobs if job.id not in kept]
            if was_away:
                jobs.add_once(given)
            else:
                jobs.add(given)
        if limit:
            self._starving = not answer.jobs
        if answer.is_canceled and not self._is_canceled:
            self._is_canceled = True
            self._say("the workflow is canceled: running jobs are ended")
            jobs.give_up_hand()
            jobs.end_all(JobStatus.CANCELED, "the workflow was canceled", self._limits.sigterm_lead_seconds)
        self._is_complete = answer.is_complete

    def _give_up(self, error: TorcError) -> None:
        """The service will not have this runner any more: end everything, tell the caller."""
        self._error = error
        self._say(f"the service refuses this runner: {error}", "ERROR")
        self._jobs.give_up_hand()
        self._jobs.drop([run.job.id for run in self._jobs.running.values()], 0.0)

    # stopping

    def _obey(self, now: float) -> None:
        """Do what was asked for by signals, by the clock, or by a hand that does not move."""
        jobs, lead = self._jobs, self._limits.sigterm_lead_seconds
        if self._stop.level > self._obeyed:
            self._obeyed = level = self._stop.level
            self._reporter.released += jobs.give_up_hand()
            reason = f"the runner was stopped ({self._stop.cause})"
            count = len(jobs.running)
            if level == DRAIN:
                self._say(f"stopping when the {count} running jobs have ended; once more to end them now")
            elif level == END:
                self._say(f"ending {count} running jobs, {lead:g} s for those that support it; once more to kill them")
                jobs.end_all(JobStatus.TERMINATED, reason, lead)
            elif level == KILL:
                self._say(f"killing {count} running jobs")
                jobs.end_all(JobStatus.TERMINATED, reason, 0.0)
        if self._time is not None and not self._is_time_over and now >= self._time.stop_at:
            self._is_time_over = True
            self._say("the time of this runner is over: running jobs are ended")
            self._reporter.released += jobs.give_up_hand()
            jobs.end_all(JobStatus.TERMINATED, "the time of the runner was over", self._time.grace_seconds)
        if jobs.hand and now - self._moved_at >= _STALE_SECONDS:
            self._reporter.released += jobs.give_up_hand()
            jobs.mean_seconds = None  # they are not short any more

    def _is_over(self, now: float) -> bool:
        jobs, reporter = self._jobs, self._reporter
        if not jobs.is_empty:
            self._idle_since = None
            return False
        if self._error is not None:
            return True
        if reporter.away_since is not None:
            patience = 60 * self._workflow.compute_node_wait_for_healthy_database_minutes
            return self._stop.level >= END or now - reporter.away_since >= patience
        if reporter.has_news:
            self._idle_since = None
            return False
        if self._stop.level or self._is_time_over or self._is_canceled or not self._claims(now):
            return True
        if self._is_complete and not self._workflow.compute_node_ignore_workflow_completion:
            return True
        if self._idle_since is None:
            self._idle_since = now
            self._look_whether_stuck(now)
        idle = self._idle_seconds
        if not idle or now - self._idle_since < idle:
            return False
        if self._options.persistent and self._unfinished:
            return False
        if not self._is_complete:
            self._say(f"leaving after {idle:g} s without work; {self._unfinished} jobs have not ended")
        return True

    def _look_whether_stuck(self, now: float) -> None:
        """Find out why ready jobs are not given to a runner on which nothing runs."""
        self._stuck = None
        if self._ready:
            left = None if self._time is None else self._time.end_at - now
            self._stuck = explain(self._service, self._workflow_id, self._capacity, self._options, left)
        if self._stuck:
            self._say(f"{self._ready} ready jobs, but none can run here: {self._stuck}", "WARN")

    def _patience_ms(self) -> int:
        """Return how long to sleep at most when nothing happens."""
        now, jobs, reporter = time.monotonic(), self._jobs, self._reporter
        wake_at = [self._turned_at + self._options.poll_seconds]
        if reporter.away_since is not None:
            wake_at = [reporter.retry_at]
        else:
            if reporter.has_news:
                wake_at.append(self._untold_since + _FLUSH_SECONDS)
            if self._has_news:
                full = self._capacity.is_full() or not self._claims(now)
                wake_at.append(self._turned_at + (_NEWS_BUSY_SECONDS if full else _NEWS_SECONDS))
        deadline = self._executor.deadline()
        if deadline is not None:
            wake_at.append(deadline)
        if self._time is not None and not self._is_time_over:
            wake_at.append(self._time.stop_at)
        if jobs.hand:
            wake_at.append(self._moved_at + _STALE_SECONDS)
        retry_at = jobs.next_retry()
        if retry_at is not None:
            wake_at.append(retry_at)
        if self._idle_since is not None and self._idle_seconds:
            wake_at.append(self._idle_since + self._idle_seconds)
        if jobs.running and self._executor.wake_fd() is None:
            wake_at.append(self._asked_at + self._executor.capabilities.poll_interval_seconds)
        return max(0, int((min(wake_at) - now) * 1000) + 1)

    # telling

    def _counts(self) -> Counts:
        return self._tally.counts(len(self._jobs.running), self._ready, self._unfinished)

    def _say(self, text: str, level: str = "INFO") -> None:
        self._log.write(level, text)
        if self._notify is not None:
            self._notify(Progress(self._counts(), [], [], text))

    def _warn(self, text: str) -> None:
        self._say(text, "WARN")

    def _finish(self, node_id: int, seconds: float) -> RunSummary:
        """Sign off and sum up."""
        unreported = len(self._reporter.finished)
        try:
            self._service.update(ComputeNode, node_id, {"is_active": False, "duration_seconds": round(seconds, 3)})
        except TorcError as exc:
            self._say(f"the service does not hear that this runner ends: {exc}", "WARN")
        self._stop.close()
        if self._error is not None:
            raise self._error
        interrupted = self._stop.cause if self._stop.level else None
        stuck = self._stuck if self._ready and not interrupted and not self._is_complete else None
        code = 0
        if interrupted and not self._is_complete:
            code = 128 + signal.Signals[interrupted] if interrupted in signal.Signals.__members__ else 1
        elif unreported or stuck or (self._options.fail_on_job_failure and self._tally.has_failures):
            code = 1
        summary = RunSummary(
            self._workflow_id, self._workflow.run_id, node_id, self._counts(), seconds, self._tally.failed_names(),
            self._is_complete, self._is_canceled, interrupted, stuck, unreported, code,
        )  # fmt: skip
        self._log.write("INFO", f"runner ends {summary.counts} exit_code={code}")
        return summary


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise TorcError(
            f"cannot make the output folder {str(path)!r}: {exc.strerror}", hint="Choose another one with --output-dir"
        ) from exc
