"""Looks at what jobs and the machine use, from a thread of its own: neither /proc nor a disk keeps jobs waiting.

Every attempt is looked at soon after its start, then ever less often, and at the sample interval; where memory is
limited, more often.
Looks between samples together take at most 0.3 percent of a CPU.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from torc_core.runner.metrics_file import JobFacts, JobSample, MetricsFile, SystemSample, now_moment
from torc_core.runner.usage import FIRST_LOOK_SECONDS, MachineSummary, MachineTrack, Track

if TYPE_CHECKING:
    from torc_core.contracts.executor import Processes
    from torc_core.contracts.monitor import Monitor, Usage

_LIMIT_SECONDS, _NEAR_SECONDS = 2.0, 0.5  # between looks at limited jobs, and when one is near its limit
_NEAR_SHARE = 0.8
_COST_SHARE = 0.003  # of a CPU, for looks between samples
_LONGEST_SECONDS = 5.0  # between looks at limited jobs, whatever they cost
_END_SECONDS = 10.0  # how long to wait for the thread
_LEAST_MACHINE_SECONDS = 0.1  # between looks at the machine, for their rates to mean something
_MOST_ENDED = 5000  # attempts whose ends wait to be written


class OverLimit(NamedTuple):
    """An attempt that used more memory than it may at two looks in a row."""

    number: int
    used_bytes: int


class Sampler:
    """Watches attempts by numbers. ``begin``, ``end`` and ``close`` are for one thread, the runner's."""

    def __init__(
        self,
        monitor: Monitor,
        interval_seconds: float,
        flush_seconds: float,
        machine: MachineTrack | None = None,
        series: MetricsFile | None = None,
        *,
        keeps_jobs: bool = False,
        keeps_machine: bool = False,
        on_over: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``keeps_jobs`` and ``keeps_machine`` say what goes into the series. The callbacks come from the thread."""
        self._monitor = monitor
        self._interval = interval_seconds
        self._flush_seconds = flush_seconds
        self._machine = machine
        self._series = series
        self._keeps_jobs = keeps_jobs and series is not None
        self._keeps_machine = keeps_machine and series is not None
        self._on_over = on_over
        self._say = say
        self._tracks: dict[int, tuple[Track, Processes]] = {}
        self._ended: deque[JobFacts] = deque()
        self.over: deque[OverLimit] = deque()
        """Attempts to be ended; whoever ends them takes them away."""
        now = time.monotonic()
        self._sample_at = now + interval_seconds
        self._flush_at = now + flush_seconds
        self._look_after = now  # no look between samples before
        self._looked_at = self._looked_at_machine = now
        self._planned = now
        self._is_near = False
        self._change = threading.Condition()
        self._is_closed = False
        self.cpu_seconds = 0.0
        """What the thread has used."""
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def begin(self, number: int, track: Track, processes: Processes) -> None:
        """Watch an attempt that has just started."""
        self._tracks[number] = track, processes
        if self._planned > max(track.started_at + FIRST_LOOK_SECONDS, self._look_after):
            with self._change:
                self._planned = 0.0
                self._change.notify()

    def end(self, number: int) -> Track | None:
        """Stop to watch an attempt; returns what was seen of it."""
        found = self._tracks.pop(number, None)
        return None if found is None else found[0]

    def note_end(self, facts: JobFacts) -> None:
        """Keep what an attempt used in all."""
        if self._keeps_jobs:
            self._ended.append(facts)

    def close(self) -> MachineSummary | None:
        """Look at the machine a last time, write what is left and end the thread; returns the machine's summary."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            self._say("what was measured last is not kept: the file system does not answer")
        return None if self._machine is None else self._machine.summary()

    # in the thread

    def _run(self) -> None:
        if self._machine is not None:
            self._monitor.machine()  # rates begin here
            self._looked_at_machine = time.monotonic()
        while True:
            with self._change:
                if not self._is_closed:
                    self._planned = self._next_at()
                    self._change.wait(max(0.0, self._planned - time.monotonic()))
                is_closed = self._is_closed
            if is_closed:
                break
            try:
                self._do_what_is_due(time.monotonic())
            except Exception as exc:  # noqa: BLE001 - a third party's monitor
                self._say(f"nothing is measured any more: monitor {self._monitor.name} failed: {exc!r}")
                break
            self.cpu_seconds = time.thread_time()
        self._finish()

    def _next_at(self) -> float:
        """Return when something is due; a new attempt may bring that forward."""
        times = [self._sample_at]
        if self._series is not None:
            times.append(self._flush_at)
        look = self._look_at()
        if look is not None:
            times.append(max(look, self._look_after))
        return min(times)

    def _look_at(self) -> float | None:
        """Return when a look between samples is wanted."""
        wanted: list[float] = []
        is_limited = False
        for track, _ in list(self._tracks.values()):
            wanted.append(track.look_at)
            is_limited = is_limited or track.limit_bytes > 0
        if is_limited:
            wanted.append(self._looked_at + (_NEAR_SECONDS if self._is_near else _LIMIT_SECONDS))
        return min(wanted, default=None)

    def _do_what_is_due(self, now: float) -> None:
        is_sample = now >= self._sample_at
        look = self._look_at()
        if is_sample or (look is not None and now >= max(look, self._look_after)):
            before = time.thread_time()
            self._look(is_sample)
            pause = (time.thread_time() - before) / _COST_SHARE
            self._looked_at = time.monotonic()
            self._look_after = self._looked_at + min(pause, _LONGEST_SECONDS)
        if is_sample:
            self._look_at_machine()
            self._sample_at += self._interval * (1 + (now - self._sample_at) // self._interval)
        if self._series is not None and (now >= self._flush_at or self._is_full):
            self._flush()
            self._flush_at = now + self._flush_seconds

    @property
    def _is_full(self) -> bool:
        """Whether so much waits to be written that memory is the worse place for it."""
        return len(self._ended) >= _MOST_ENDED or (self._series is not None and self._series.is_full)

    def _look(self, is_sample: bool) -> None:
        watched = dict(self._tracks)
        used = self._monitor.measure({number: processes for number, (_, processes) in watched.items()})
        now, moment = time.monotonic(), now_moment()
        self._is_near = False
        for number, usage in used.items():
            track = watched[number][0]
            if now - track.started_at < FIRST_LOOK_SECONDS / 2:
                continue  # it has hardly begun: what is seen may be what it was started with
            track.look(now, usage)
            if track.limit_bytes:
                self._check_limit(number, track, usage)
            if is_sample:
                percent = track.sample(now)
                if self._keeps_jobs and self._series is not None:
                    began = round(moment - (now - track.started_at), 3)
                    self._series.add_job(JobFacts(track.job_id, track.job_name, track.attempt_id, began))
                    self._series.add_sample(_row(track, usage, percent, moment))
        if self.over:
            self._on_over()

    def _check_limit(self, number: int, track: Track, usage: Usage) -> None:
        """End what is above its limit at two looks in a row; pages that processes share are counted once for that."""
        used = usage.memory_bytes
        if used > track.limit_bytes and usage.num_processes > 1:
            exact = self._monitor.exact_memory(number)
            used = used if exact is None else min(used, exact)
        is_over = used > track.limit_bytes
        self._is_near = self._is_near or used > _NEAR_SHARE * track.limit_bytes
        if is_over and track.is_over and number in self._tracks:
            self.over.append(OverLimit(number, used))
        track.is_over = is_over

    def _look_at_machine(self) -> None:
        if self._machine is None:
            return
        usage = self._monitor.machine()
        self._looked_at_machine = time.monotonic()
        if usage is None:
            return
        self._machine.look(usage)
        if self._keeps_machine and self._series is not None:
            moment = now_moment()
            self._series.add_system(
                SystemSample(
                    int(moment), round(usage.cpu_percent, 2), usage.memory_bytes, usage.total_memory_bytes, moment
                )
            )

    def _flush(self) -> None:
        """Write the series; when that fails there is none from then on."""
        assert self._series is not None
        while self._ended:
            self._series.add_job(self._ended.popleft())
        try:
            self._series.flush()
        except Exception as exc:  # noqa: BLE001 - whatever a database or a file system comes up with
            self._lose_series(exc)

    def _lose_series(self, exc: Exception) -> None:
        path, self._series = self._series and self._series.path, None
        self._keeps_jobs = self._keeps_machine = False
        self._say(f"no more time series are kept: {path} cannot be written: {exc}")

    def _finish(self) -> None:
        """Look at the machine a last time, so that a short run has a sample too, and write what is left."""
        if self._machine is not None and time.monotonic() - self._looked_at_machine >= _LEAST_MACHINE_SECONDS:
            self._look_at_machine()
        if self._series is None:
            return
        try:
            self._flush()
            if self._series is not None:
                if self._keeps_machine and self._machine is not None:
                    self._series.add_summary(self._machine.summary())
                self._series.close()
        except Exception as exc:  # noqa: BLE001
            self._lose_series(exc)


def _row(track: Track, usage: Usage, percent: float, moment: float) -> JobSample:
    return JobSample(
        track.job_id, int(moment), round(percent, 2), usage.memory_bytes, usage.num_processes, track.attempt_id, moment,
        usage.read_bytes, usage.write_bytes,
    )  # fmt: skip
