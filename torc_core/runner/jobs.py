"""The jobs in a runner's hands: claimed and waiting, running, ended but not yet told."""

from __future__ import annotations

import signal
import time
from collections import deque
from typing import TYPE_CHECKING

from torc_core.contracts.executor import Handle, Observation, SubmitError
from torc_core.errors import TorcError
from torc_core.records.answers import FinishedJob, JobLaunch, StartedJob
from torc_core.runner.outcomes import (
    NOT_STARTED_CODE,
    SUCCESS,
    TERMINATED,
    Outcome,
    is_canceled,
    missing_outputs,
    outcome,
    without_outputs,
)
from torc_core.service.clock import utc_now
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from torc_core.contracts.executor import Executor, LaunchRequest
    from torc_core.runner.capacity import Capacity
    from torc_core.runner.journal import Started
    from torc_core.runner.launching import Launcher
    from torc_core.runner.limits import Limits
    from torc_core.runner.monitoring import Meter
    from torc_core.runner.output_files import Streams
    from torc_core.runner.retries import Retries
    from torc_core.runner.side import SideProcesses

_RETRY_SECONDS = (0.2, 1.0)  # after a start that failed, before the next try; then the job has failed
_MEASURED = ("peak_memory_bytes", "avg_memory_bytes", "peak_cpu_percent", "read_bytes", "write_bytes")
_MEAN_WEIGHT = 0.1  # of the latest job in the mean run time
_LEAVING_SECONDS = 0.25  # a job is in the process group of its runner until it has a session of its own


class Running:
    """One job that runs."""

    __slots__ = ("ended_as", "gpu_ids", "handle", "is_dropped", "job", "started_at", "streams")

    def __init__(self, job: JobLaunch, gpu_ids: tuple[str, ...], streams: Streams) -> None:
        self.job = job
        self.gpu_ids = gpu_ids
        self.streams = streams
        self.handle: Handle | None = None
        self.started_at = 0.0
        self.ended_as: tuple[JobStatus, str] | None = None  # status and reason when the runner ends it
        self.is_dropped = False  # it belongs to somebody else by now: its end is nobody's business


class Jobs:
    """Starts jobs as capacity allows and turns their ends into results."""

    def __init__(
        self,
        executor: Executor,
        capacity: Capacity,
        launcher: Launcher,
        limits: Limits,
        before_start: Callable[[list[tuple[int, int]]], None],
        side: SideProcesses,
    ) -> None:
        """``before_start`` is told which attempts (job, attempt) are about to start; ``side`` has what else runs."""
        self._executor = executor
        self._side = side
        self._before_start = before_start
        self._capacity = capacity
        self._launcher = launcher
        self._limits = limits
        self.hand: deque[JobLaunch] = deque()  # claimed, not started
        self.running: dict[Handle, Running] = {}
        self._again: list[tuple[float, JobLaunch, int]] = []  # when to try again, which, how often it was tried
        self._tries: dict[int, int] = {}
        self._dying: set[int] = set()  # jobs that were dropped while they ran, up to the end of their processes
        self.retries: Retries | None = None  # what becomes of attempts that failed; None: they are reported
        self.meter: Meter | None = None  # measures attempts; None: nobody does
        # What a wake-up brought; taken away by the loop.
        self.new_starts: list[JobLaunch] = []
        self.new_ends: list[tuple[JobLaunch, FinishedJob]] = []
        self.start_reports: list[StartedJob] = []
        self.journal_starts: list[Started] = []
        self.given_back: list[int] = []  # started, and ended by a signal to the runner before they had begun
        self.stopped_by: str | None = None  # the signal that the runner got
        self.trouble: str | None = None  # why no job can be started here
        self.mean_seconds: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs, waits to run or waits to be reported."""
        return not (self.running or self.hand or self._again or (self.retries is not None and self.retries.is_busy))

    def held(self) -> list[tuple[int, int]]:
        """Return all attempts (job, attempt) that are in this runner's hands."""
        jobs = [*self.hand, *(job for _, job, _ in self._again)]
        jobs += [run.job for run in self.running.values() if not run.is_dropped]
        return [(job.id, job.attempt_id) for job in jobs] + (self.retries.held() if self.retries is not None else [])

    def has_room(self, job: JobLaunch) -> bool:
        """Say whether what a job needs is free."""
        return self._capacity.fits(job)

    def reserve(self, job: JobLaunch) -> tuple[str, ...]:
        """Take what a job needs, for something else that is done for it; returns its GPUs."""
        return self._capacity.take(job)

    def free(self, job: JobLaunch, gpu_ids: tuple[str, ...]) -> None:
        """Give back what was reserved."""
        self._capacity.give(job, gpu_ids)

    def add(self, jobs: list[JobLaunch], grace_seconds: float) -> None:
        """Take claimed jobs. After a lost answer some are here already; others at an attempt that was given up ends."""
        known = dict(self.held())
        given_up = [job.id for job in jobs if known.get(job.id, job.attempt_id) != job.attempt_id]
        if given_up:
            self.drop(given_up, grace_seconds)
        self.hand.extend(job for job in jobs if known.get(job.id) != job.attempt_id)

    def give_up_hand(self) -> list[int]:
        """Forget the jobs that have not started; returns their ids."""
        ids = [job.id for job in self.hand] + [job.id for _, job, _ in self._again]
        self.hand.clear()
        self._again.clear()
        return ids

    def next_retry(self) -> float | None:
        """Return when a start is to be tried again."""
        return min((when for when, _, _ in self._again), default=None)

    def start_what_fits(self, now: float) -> None:
        """Start jobs from the hand, in order; one that does not fit now does not keep others waiting."""
        if self._again:
            due = [entry for entry in self._again if entry[0] <= now]
            if due:
                self._again = [entry for entry in self._again if entry[0] > now]
                self._tries.update((job.id, tries) for _, job, tries in due)
                self.hand.extendleft(job for _, job, _ in due)
        hand, capacity = self.hand, self._capacity
        if not hand or capacity.is_full():
            return
        batch: list[tuple[LaunchRequest, Running]] = []
        kept: list[JobLaunch] = []
        while hand and not capacity.is_full():
            job = hand.popleft()
            if not capacity.fits(job) or job.id in self._dying:
                kept.append(job)
                continue
            gpu_ids = capacity.take(job) or ()
            try:
                request, streams = self._launcher.request(job, gpu_ids)
            except TorcError as exc:
                capacity.give(job, gpu_ids)
                self._could_not_start(job, str(exc), now, len(_RETRY_SECONDS))
                continue
            batch.append((request, Running(job, gpu_ids, streams)))
        hand.extendleft(reversed(kept))
        size = self._executor.capabilities.max_batch
        for first in range(0, len(batch), size):
            self._submit(batch[first : first + size], now)

    def _submit(self, batch: list[tuple[LaunchRequest, Running]], now: float) -> None:
        self._before_start([(run.job.id, run.job.attempt_id) for _, run in batch])
        answers = self._executor.submit([request for request, _ in batch])
        if len(answers) != len(batch):
            raise TorcError(
                f"executor {self._executor.name!r} has answered {len(answers)} times to {counted(len(batch), 'start')}",
                hint="That is a defect of its plugin: submit returns one handle or error for each request.",
            )
        moment = utc_now()
        for (_, run), answer in zip(batch, answers, strict=True):
            job = run.job
            if isinstance(answer, SubmitError):
                self._capacity.give(job, run.gpu_ids)
                self._could_not_start(job, answer.message, now, self._tries.pop(job.id, 0))
                continue
            if self._tries:
                self._tries.pop(job.id, None)
            run.handle = answer
            run.started_at = now
            self.running[answer] = run
            if self.meter is not None:
                self.meter.began(answer, job, self._limits.memory(job.requirements_name, job.memory_bytes), now)
            self.new_starts.append(job)
            self.start_reports.append(StartedJob.of({"job_id": job.id, "start_time": moment}))
            self.journal_starts.append((job.id, job.attempt_id, *answer))

    def _could_not_start(self, job: JobLaunch, message: str, now: float, tries: int) -> None:
        """Try again a little later, for what is scarce may be there again; then the job has failed."""
        trouble = self._launcher.output_files.trouble()  # makes a folder again that somebody removed
        if tries < len(_RETRY_SECONDS):
            self._again.append((now + _RETRY_SECONDS[tries], job, tries + 1))
            return
        if trouble:  # no fault of the job: others would fail like it, so it goes back
            self.given_back.append(job.id)
            self.trouble = trouble
            return
        self._end(job, Outcome(JobStatus.FAILED, NOT_STARTED_CODE, message), 0.0, utc_now(), {})

    def _was_hit_by_our_signal(self, run: Running, seen: Observation, seconds: float) -> bool:
        """Whether a Ctrl-C that was meant for the runner hit a job in the moment before it left our process group."""
        if self.stopped_by is None or seen.signal is None or seen.reason is not None or run.ended_as is not None:
            return False
        return seconds < _LEAVING_SECONDS and signal.Signals(seen.signal).name == self.stopped_by

    def settle(self, ended: list[tuple[Handle, Observation]], now: float) -> None:
        """Turn ends into results and free what the jobs had."""
        moment = utc_now()
        for handle, seen in ended:
            run = self.running.pop(handle, None)
            if run is None:
                self._side.settle(handle, seen)
                continue
            job = run.job
            self._capacity.give(job, run.gpu_ids)
            if self.meter is not None:
                seen = self.meter.complete(handle, seen)
            if run.is_dropped:
                self._dying.discard(job.id)
                continue
            if seen.started_at is not None and seen.ended_at is not None:
                seconds = max(0.0, seen.ended_at - seen.started_at)
            else:
                seconds = max(0.0, now - run.started_at)
            if self._was_hit_by_our_signal(run, seen, seconds):
                self.given_back.append(job.id)
                continue
            mean = self.mean_seconds
            self.mean_seconds = seconds if mean is None else mean + _MEAN_WEIGHT * (seconds - mean)
            extra: dict[str, object] = {}
            if seen.exit_code == 0 and not is_canceled(run.ended_as):
                result = SUCCESS
                if job.output_files:
                    missing, mtimes = missing_outputs(job.output_files, job.output_file_ids)
                    if missing:
                        result = without_outputs(missing, run.ended_as or _as_timeout(seen))
                    if mtimes:
                        extra["file_mtimes"] = mtimes
            else:
                result = outcome(seen, self._limits, run.ended_as)
                if run.ended_as is not None and result.status is run.ended_as[0] is JobStatus.TERMINATED:
                    extra["again"] = True
            for name in _MEASURED:
                value = getattr(seen, name)
                if value is not None:
                    extra[name] = value
            if seen.cpu_seconds is not None and seconds > 0:
                extra["avg_cpu_percent"] = round(100 * seen.cpu_seconds / seconds, 1)
            self._end(job, result, seconds, moment, extra, run.streams)
            if run.streams.delete_on_success and result is SUCCESS:
                run.streams.delete()

    def _end(
        self,
        job: JobLaunch,
        result: Outcome,
        seconds: float,
        moment: str,
        extra: dict[str, object],
        streams: Streams | None = None,
    ) -> None:
        values = {
            "job_id": job.id, "attempt_id": job.attempt_id, "status": result.status,
            "return_code": result.return_code, "exec_time_minutes": seconds / 60, "completion_time": moment,
        }  # fmt: skip
        if result.reason is not None:
            values["reason"] = result.reason
        if extra:
            values.update(extra)
        found = FinishedJob.of(values)
        if result is SUCCESS or self.retries is None or not self.retries.keep_back(job, found, streams):
            self.new_ends.append((job, found))

    def end_all(self, status: JobStatus, reason: str, grace_seconds: float) -> None:
        """End everything that runs; results will have that status, unless a job succeeds nevertheless."""
        for run in self.running.values():
            run.ended_as = run.ended_as or (status, reason)
        if self.running:
            self._executor.cancel(list(self.running), grace_seconds)
        if status is JobStatus.CANCELED and self.retries is not None:
            self.retries.end_all(grace_seconds)

    def drop(self, job_ids: list[int], grace_seconds: float) -> list[str]:
        """End jobs that belong to somebody else by now, without a result; returns the names of those that ran."""
        gone = set(job_ids)
        self.hand = deque(job for job in self.hand if job.id not in gone)
        self._again = [entry for entry in self._again if entry[1].id not in gone]
        dropped = [run for run in self.running.values() if run.job.id in gone and not run.is_dropped]
        for run in dropped:
            run.is_dropped = True
            self._dying.add(run.job.id)
        if dropped:
            self._executor.cancel([run.handle for run in dropped if run.handle is not None], grace_seconds)
        kept = self.retries.drop(gone, grace_seconds) if self.retries is not None else []
        return [run.job.name for run in dropped] + kept

    def collect(self, now: float, asked_at: float) -> float:
        """Settle what has ended; executors that cannot wake are asked at their interval. Returns when they were."""
        executor = self._executor
        if executor.wake_fd() is not None:
            ended = executor.ended()
        elif (self.running or self._side.running) and now - asked_at >= executor.capabilities.poll_interval_seconds:
            asked_at = time.monotonic()
            seen = executor.poll([*self.running, *self._side.running])
            ended = [(handle, what) for handle, what in seen.items() if what.state in {"done", "lost"}]
        else:
            return asked_at
        if ended:
            self.settle(ended, now)
        return asked_at


def _as_timeout(seen: Observation) -> tuple[JobStatus, str] | None:
    return (TERMINATED, "") if seen.reason == "timeout" else None
