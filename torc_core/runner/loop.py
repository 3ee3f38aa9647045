"""The runner: one loop around one selector that claims jobs, starts them, and reports how they end.

Each wake-up gathers what ended, starts what waits, writes the journal and, when that is due, takes one turn with the
service: everything that happened goes in, the next jobs come out.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core import reasons
from torc_core.errors import StorageError, TorcError, Unavailable
from torc_core.records.resources import ComputeNode, Workflow
from torc_core.runner.companions import Scene, companions_of
from torc_core.runner.jobs import Jobs
from torc_core.runner.journal import FOLDER, Journal
from torc_core.runner.launching import Launcher
from torc_core.runner.leaving import Leaving
from torc_core.runner.limits import Limits, RunnerTime
from torc_core.runner.log import RunnerLog
from torc_core.runner.node import capacity_of, journal_owner, node_record, offered
from torc_core.runner.options import RunnerOptions, RunSummary
from torc_core.runner.output_files import make_folder
from torc_core.runner.recovery import recover
from torc_core.runner.reporting import Reporter
from torc_core.runner.side import SideProcesses
from torc_core.runner.stopping import DRAIN, END, Stop, stop_signals
from torc_core.runner.turns import Turns
from torc_core.runner.voice import Voice
from torc_core.service.processes import this_machine
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.plugins import PluginHost
    from torc_core.records.answers import FinishedJob
    from torc_core.runner.companions import Companion
    from torc_core.runner.progress import Notify
    from torc_core.service.api import Service

_BEATS = 4  # turns within a lease, at least
_LOOK_SECONDS = 5.0  # between looks for other runners that died here


class Runner:
    """Runs jobs of one workflow until there are none left to run. One object runs once."""

    def __init__(
        self,
        service: Service,
        executor: Executor,
        workflow_id: int,
        options: RunnerOptions | None = None,
        notify: Notify | None = None,
        host: PluginHost | None = None,
    ) -> None:
        """The executor becomes the runner's own, which closes it. ``notify`` hears of progress, see there.

        ``host`` has the plugins that take part in the run; without it there are none.
        """
        self._service = service
        self._executor = executor
        self._workflow_id = workflow_id
        self._options = _heard_in_time(options or RunnerOptions())
        self._host = host
        self._notify = notify
        self._stop = Stop()
        self._obeyed = 0
        self._written = 0  # of the new ends, in the journal
        self._asked_at = self._look_at = float("-inf")
        self._is_time_over = False
        self._companions: list[Companion] = []

    def request_stop(self, level: int = DRAIN) -> None:
        """Ask the run to stop, from any thread; asking again asks for more, see ``stopping``."""
        self._stop.request(level)

    def run(self) -> RunSummary:
        """Run until the workflow is complete, nothing is left to do, or somebody stops it; raises TorcError."""
        try:
            with stop_signals(self._stop):
                return self._run()
        finally:
            self._executor.close()
            self._stop.close()

    def _run(self) -> RunSummary:
        began = time.monotonic()
        self._thread = threading.get_ident()
        options, service = self._options, self._service
        workflow = self._workflow = service.get(Workflow, self._workflow_id)
        limits = self._limits = Limits.of(workflow.execution_config)
        launcher = Launcher(workflow, options, limits)
        make_folder(launcher.output_files.directory)
        seconds = options.time_limit_seconds
        self._time = None if seconds is None else RunnerTime.of(began, seconds, limits)
        machine = this_machine()
        with RunnerLog(options.output_dir, machine.host, workflow.id, workflow.run_id) as log:
            self._voice = Voice(log, self._notify, workflow.id)
            self._recover()
            node = self._set_up(launcher)
            try:
                self._loop()
            finally:
                untold = self._jobs.new_ends or self._reporter.finished
                self._journal.close(keep=bool(untold) or not self._jobs.is_empty)
            return self._finish(node.id, time.monotonic() - began)

    def _set_up(self, launcher: Launcher) -> ComputeNode:
        """Register this runner and make what works in it."""
        options, service, workflow, limits = self._options, self._service, self._workflow, self._limits
        here, gpus = offered(options)
        capacity = self._capacity = capacity_of(options, here, gpus)
        side = self._side = SideProcesses(self._executor)
        jobs = self._jobs = Jobs(self._executor, capacity, launcher, limits, self._before_start, side)
        folder = Path(options.output_dir) / FOLDER
        make_folder(folder)
        node = service.create(node_record(workflow.id, options, here, gpus))
        if options.scheduler is not None:
            from torc_core.runner.allocating import come_up

            come_up(service, options.scheduler["scheduler_id"], self._voice)
        journal = self._journal = Journal(
            folder, journal_owner(workflow, node.id), lambda text: self._voice.say(text, "WARN")
        )
        reporter = self._reporter = Reporter(
            service, workflow.id, workflow.run_id, node.id, options.strict_scheduler_match, options.lease_seconds
        )
        turns = self._turns = Turns(
            options, jobs, capacity, reporter, journal, self._voice, limits.sigterm_lead_seconds, self._time,
            min(workflow.compute_node_min_time_for_new_jobs_seconds, (options.time_limit_seconds or 0) / 10),
        )  # fmt: skip
        self._voice.know(jobs, turns)
        self._leaving = Leaving(service, workflow, options, turns, capacity, self._time, self._voice, self._recover)
        self._companions += companions_of(
            Scene(
                service, self._executor, workflow, node.id, options, limits, launcher, jobs, side, turns, self._voice,
                self._stop.wake, journal, self._host,
            )
        )  # fmt: skip
        self._voice.log.write(
            "INFO", f"runner starts workflow_id={workflow.id} run_id={workflow.run_id} compute_node_id={node.id} "
            f"pid={os.getpid()} num_cpus={here.num_cpus} memory_bytes={here.memory_bytes} num_gpus={len(gpus.ids)}",
        )  # fmt: skip
        return node

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
            for companion in self._companions:
                companion.close()

    def _hear(self) -> None:
        if not self._turns.has_news:
            self._turns.has_news = True
            if threading.get_ident() != self._thread:  # our own turn made the change, and we are awake
                self._stop.wake()

    def _wake_up(self) -> bool:
        """Do everything that is due; returns whether the run is over."""
        now = time.monotonic()
        jobs = self._jobs
        jobs.stopped_by = self._stop.cause
        self._journal.try_again()
        self._asked_at = jobs.collect(now, self._asked_at)
        if jobs.trouble and not self._turns.is_closed:
            self._voice.say(f"{jobs.trouble}; no more jobs are started", "ERROR")
            self._turns.close()
        if jobs.given_back:
            self._reporter.released += jobs.given_back
            jobs.given_back = []
        self._look_after_others(now)
        self._obey(now)
        for companion in self._companions:
            companion.wake_up(now)
        jobs.start_what_fits(now)
        self._note(now)
        if self._turns.is_due(now):
            self._turns.take(now)
            jobs.start_what_fits(now)
            self._note(now)
        return self._is_over(now) and (
            self._turns.error is not None or all(companion.lets_go() for companion in self._companions)
        )

    def _before_start(self, starting: list[tuple[int, int]]) -> None:
        self._journal.write_intent(starting, self._not_written())

    def _not_written(self) -> list[FinishedJob]:
        """Return the ends that are not in the journal yet, to be written there at once."""
        finished = [result for _, result in self._jobs.new_ends[self._written :]]
        self._written += len(finished)
        return finished

    def _look_after_others(self, now: float) -> None:
        """Take over from runners that died here while this one runs."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._recover()

    def _recover(self) -> None:
        try:
            recover(
                self._service, self._executor, self._workflow, self._options.output_dir, this_machine(),
                self._voice.tell,
            )  # fmt: skip
        except TorcError as exc:
            if not isinstance(exc, Unavailable):  # when the service is away, turns deal with that
                self._voice.say(f"cannot take over from runners that are gone: {exc}", "WARN")

    def _note(self, now: float) -> None:
        """Write down, count and tell what this wake-up brought."""
        jobs, reporter = self._jobs, self._reporter
        starts, ends = jobs.new_starts, jobs.new_ends
        if not starts and not ends:
            return
        finished = self._not_written()
        if finished or jobs.journal_starts:
            self._journal.write(jobs.journal_starts, finished)
        self._written = 0
        self._turns.note(now, bool(starts))
        reporter.started += jobs.start_reports
        reporter.finished += [result for _, result in ends]
        jobs.new_starts, jobs.new_ends, jobs.start_reports, jobs.journal_starts = [], [], [], []
        for companion in self._companions:
            companion.note(starts, ends)
        self._voice.progress(starts, ends)

    def _obey(self, now: float) -> None:
        """Do what signals and the clock ask for."""
        jobs = self._jobs
        if self._stop.level > self._obeyed:
            self._obeyed = level = self._stop.level
            self._turns.close()
            lead, count = self._limits.sigterm_lead_seconds, len(jobs.running)
            running, them = counted(count, "running job"), "it" if count == 1 else "them"
            if level == DRAIN:
                have = "has" if count == 1 else "have"
                self._voice.tell(f"stopping when {running} {have} ended; once more to end {them} now")
            elif level == END:
                gentle = f"{lead:g} s for those that support it"
                self._voice.tell(f"ending {running}, {gentle}; once more to kill {them}")
            else:
                self._voice.tell(f"killing {running}")
            if level >= END:
                reason = reasons.runner_stopped(self._stop.cause)
                jobs.end_all(JobStatus.TERMINATED, reason, lead if level == END else 0.0)
            self._stop_companions(level)
        if self._time is not None and not self._is_time_over and now >= self._time.stop_at:
            self._is_time_over = True
            self._voice.tell("the time of this runner is over: running jobs are ended")
            self._turns.close()
            jobs.end_all(JobStatus.TERMINATED, reasons.RUNNER_TIME, self._time.grace_seconds)
            self._stop_companions(END)
        self._turns.give_back_stale(now)

    def _stop_companions(self, level: int) -> None:
        for companion in self._companions:
            companion.stop(level)

    def _is_over(self, now: float) -> bool:
        turns, reporter = self._turns, self._reporter
        if not self._jobs.is_empty or any(companion.is_busy for companion in self._companions):
            self._leaving.has_work()
            return False
        if turns.error is not None:
            return True
        if self._journal.is_stuck:
            turns.error = StorageError(
                f"{self._journal.path} cannot be written, so nothing more is started",
                hint=f"Free some space, then go on with: torc run {self._workflow_id}",
            )
            return True
        if reporter.away_since is not None:
            patience = 60 * self._workflow.compute_node_wait_for_healthy_database_minutes
            return self._stop.level >= END or now - reporter.away_since >= patience
        if reporter.has_news:
            self._leaving.has_work()
            return False
        if not turns.claims(now):
            return True
        if turns.is_complete and not self._workflow.compute_node_ignore_workflow_completion:
            return True
        if turns.ready_at is not None or turns.actions.is_held:
            self._leaving.has_work()
            return False
        return self._leaving.is_due(now)

    def _patience_ms(self) -> int:
        """Return how long to sleep at most when nothing happens."""
        now, jobs = time.monotonic(), self._jobs
        times = [
            self._turns.next_at(now),
            self._look_at,
            self._executor.deadline(),
            jobs.next_retry(),
            None if self._time is None or self._is_time_over else self._time.stop_at,
            self._leaving.next_at(),
            *(companion.next_at() for companion in self._companions),
        ]
        if (jobs.running or self._side.running) and self._executor.wake_fd() is None:
            times.append(self._asked_at + self._executor.capabilities.poll_interval_seconds)
        due = min(t for t in times if t is not None)  # what was never done yet has been due forever
        return int((max(due, now) - now) * 1000) + 1

    def _has_failures(self) -> bool:
        return self._voice.tally.has_failures or self._turns.is_canceled

    def _finish(self, node_id: int, seconds: float) -> RunSummary:
        """Sign off and sum up."""
        turns, unreported = self._turns, len(self._reporter.finished)
        if turns.error is None:
            self._recover()
        try:
            self._service.update(ComputeNode, node_id, {"is_active": False, "duration_seconds": round(seconds, 3)})
        except TorcError as exc:
            self._voice.say(f"the service does not hear that this runner ends: {exc}", "WARN")
        if turns.error is not None:
            raise turns.error
        if self._jobs.trouble:
            raise TorcError(self._jobs.trouble, hint=f"Mend that, then go on with: torc run {self._workflow_id}")
        interrupted = self._stop.cause if self._stop.level else None
        stuck = self._leaving.stuck if not interrupted and not turns.is_complete else None
        code = 0
        if interrupted and not turns.is_complete:
            code = 128 + signal.Signals[interrupted] if interrupted in signal.Signals.__members__ else 1
        elif unreported or stuck or (self._options.fail_on_job_failure and self._has_failures()):
            code = 1
        summary = RunSummary(
            self._workflow_id, self._workflow.run_id, node_id, self._voice.counts(), seconds,
            self._voice.tally.failed_names(),
            turns.is_complete, turns.is_canceled, interrupted, stuck, unreported, code,
            self._workflow.execution_config,
        )  # fmt: skip
        self._voice.log.write("INFO", f"runner ends {summary.counts} exit_code={code}")
        return summary


def _heard_in_time(options: RunnerOptions) -> RunnerOptions:
    """Return options by which a runner is heard of several times within its lease."""
    if options.lease_seconds is None:
        return options
    return options._replace(poll_seconds=min(options.poll_seconds, options.lease_seconds / _BEATS))
