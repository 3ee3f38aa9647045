"""Measuring jobs while they run: what the workflow asks for, and the companion of a runner that sees to it."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.errors import StorageError, TorcError
from torc_core.records.resources import ComputeNode
from torc_core.runner.companions import Companion
from torc_core.runner.metrics_file import JobFacts, MetricsFile, metrics_path, now_moment, runner_label
from torc_core.runner.sampling import Sampler
from torc_core.runner.usage import MachineTrack, Track
from torc_core.spec.choices import Granularity
from torc_core.units import counted

if TYPE_CHECKING:
    from pathlib import Path

    from torc_core.contracts.executor import Executor, Handle, Observation
    from torc_core.contracts.monitor import Monitor
    from torc_core.records.answers import JobLaunch
    from torc_core.runner.companions import Scene

_INTERVAL_SECONDS, _FLUSH_SECONDS = 10, 300
_NODE = ("peak_cpu_percent", "avg_cpu_percent", "peak_memory_bytes", "avg_memory_bytes", "sample_count")


class MonitorConfig(NamedTuple):
    """What a workflow wants to be measured; None: nothing."""

    jobs: Granularity | None = Granularity.SUMMARY
    machine: Granularity | None = None
    sample_interval_seconds: float = _INTERVAL_SECONDS
    flush_interval_seconds: float = _FLUSH_SECONDS
    generate_plots: bool = False
    machine_cpu: bool = True
    machine_memory: bool = True

    @classmethod
    def of(cls, config: Any) -> MonitorConfig:
        """Read the stored section; none means summaries of jobs. Raises ValueError, TypeError or AttributeError."""
        if config is None:
            return cls()
        jobs, machine = config.get("jobs"), config.get("compute_node") or {}
        found = cls(
            _granularity(config if jobs is None else jobs),
            _granularity(machine),
            float(config.get("sample_interval_seconds") or _INTERVAL_SECONDS),
            float(config.get("flush_interval_seconds") or _FLUSH_SECONDS),
            bool(config.get("generate_plots")),
            bool(machine.get("cpu", True)),
            bool(machine.get("memory", True)),
        )
        if found.sample_interval_seconds <= 0 or found.flush_interval_seconds <= 0:
            raise ValueError("intervals must be greater than 0")
        return found

    @property
    def wants_series(self) -> bool:
        """Whether anything goes into a file."""
        return Granularity.TIME_SERIES in (self.jobs, self.machine)


def _granularity(section: Any) -> Granularity | None:
    if not section.get("enabled"):
        return None
    return Granularity(section.get("granularity") or Granularity.SUMMARY)


class Meter:
    """Measures the attempts of a runner; for its thread. Others add what was measured to what they saw."""

    def __init__(self, executor: Executor, sampler: Sampler, interval_seconds: float) -> None:
        self._executor = executor
        self._sampler = sampler
        self._interval = interval_seconds
        self._numbers: dict[Handle, int] = {}
        self._handles: dict[int, Handle] = {}
        self._over: dict[Handle, int] = {}
        self._next = itertools.count(1)

    def began(self, handle: Handle, job: JobLaunch, limit_bytes: int, now: float) -> None:
        """Watch an attempt that has just started; ``limit_bytes`` 0: as much memory as it likes."""
        processes = self._executor.processes(handle)
        if processes is None:
            return
        number = next(self._next)
        self._numbers[handle], self._handles[number] = number, handle
        self._sampler.begin(
            number, Track(job.id, job.name, job.attempt_id, now, limit_bytes, self._interval), processes
        )

    def complete(self, handle: Handle, seen: Observation) -> Observation:
        """Return how an attempt ended with all that is known of what it used."""
        number = self._numbers.pop(handle, None)
        if number is None:
            return seen
        del self._handles[number]
        now = time.monotonic()
        track = self._sampler.end(number)
        if track is None:
            return seen
        if self._over.pop(handle, None) is not None and seen.exit_code != 0 and seen.reason != "timeout":
            seen = seen._replace(reason="memory")
        if seen.started_at is not None and seen.ended_at is not None:
            now = track.started_at + seen.ended_at - seen.started_at
        seen = track.complete(now, seen)
        self._sampler.note_end(_facts(track, seen, now))
        return seen

    def take_over_limit(self) -> list[tuple[Handle, int]]:
        """Return the attempts that used too much memory since the last call, with how much."""
        found = []
        while self._sampler.over:
            number, used = self._sampler.over.popleft()
            handle = self._handles.get(number)
            if handle is not None and handle not in self._over:
                self._over[handle] = used
                found.append((handle, used))
        return found


def _facts(track: Track, seen: Observation, now: float) -> JobFacts:
    seconds = now - track.started_at
    end = seen.ended_at if seen.ended_at is not None else now_moment()
    average = 100 * seen.cpu_seconds / seconds if seen.cpu_seconds is not None and seconds > 0 else None
    return JobFacts(
        track.job_id, track.job_name, track.attempt_id, round(end - seconds, 3), round(end, 3), seen.peak_cpu_percent,
        None if average is None else round(average, 1), seen.peak_memory_bytes, seen.avg_memory_bytes, seen.read_bytes,
        seen.write_bytes,
    )  # fmt: skip


class Monitoring(Companion):
    """Ends what uses too much memory, and keeps what the machine used when the run is over."""

    def __init__(self, scene: Scene, config: MonitorConfig, monitor: Monitor) -> None:
        self._scene = scene
        self._config = config
        self._monitor = monitor
        series = _series(scene, config)
        self._path = None if series is None else series.path
        self._sampler = Sampler(
            monitor,
            config.sample_interval_seconds,
            config.flush_interval_seconds,
            None if config.machine is None else MachineTrack(cpu=config.machine_cpu, memory=config.machine_memory),
            series,
            keeps_jobs=config.jobs is Granularity.TIME_SERIES,
            keeps_machine=config.machine is Granularity.TIME_SERIES,
            on_over=scene.wake,
            say=lambda text: scene.voice.log.write("WARN", text),
        )
        self.meter = Meter(scene.executor, self._sampler, config.sample_interval_seconds)
        scene.jobs.meter = self.meter

    def wake_up(self, now: float) -> None:
        """End what uses more memory than it may."""
        for handle, _ in self.meter.take_over_limit():
            self._scene.executor.cancel([handle], 0.0)

    def close(self) -> None:
        """Keep the summary of the machine and, when that is wanted, draw the series."""
        scene, sampler = self._scene, self._sampler
        summary = sampler.close()
        self._monitor.close()
        scene.voice.log.write("INFO", f"monitor {self._monitor.name} used {sampler.cpu_seconds:.3f} s of CPU")
        if self._path is not None and self._config.generate_plots:
            self._draw(self._path)
        if summary is not None and summary.sample_count:
            found = {name: getattr(summary, name) for name in _NODE}
            try:
                scene.service.update(
                    ComputeNode, scene.compute_node_id, {name: v for name, v in found.items() if v is not None}
                )
            except TorcError as exc:
                scene.voice.log.write("WARN", f"what the machine used is not kept: {exc}")

    def _draw(self, path: Path) -> None:
        from torc_core.runner.metrics_reading import read_metrics, write_pictures

        try:
            files = write_pictures(read_metrics([path]), path.parent, path.stem)
            self._scene.voice.tell(f"drew what was measured: {counted(len(files), 'file')} in {path.parent}")
        except TorcError as exc:
            self._scene.voice.say(f"what was measured is not drawn: {exc}", "WARN")


def _series(scene: Scene, config: MonitorConfig) -> MetricsFile | None:
    """Open the file for time series, if they are wanted; without it jobs run all the same."""
    if not config.wants_series:
        return None
    workflow, options = scene.workflow, scene.options
    is_slurm = options.compute_node_type == "slurm"
    label = runner_label(workflow.id, workflow.run_id, os.uname().nodename, os.environ, is_slurm=is_slurm)
    path = metrics_path(options.output_dir, label)
    try:
        return MetricsFile(path)
    except StorageError as exc:
        scene.voice.say(f"no time series are kept: {exc}", "WARN")
        return None


def monitoring_of(scene: Scene) -> Monitoring | None:
    """Return the companion that measures jobs, None when nothing is to be measured or can be."""
    try:
        config = MonitorConfig.of(scene.workflow.resource_monitor_config)
    except (ValueError, TypeError, AttributeError) as exc:
        scene.voice.say(f"nothing is measured: the workflow's resource_monitor makes no sense: {exc}", "WARN")
        config = MonitorConfig(jobs=None)
    if config.jobs is None and config.machine is None and not scene.limits.limit_resources:
        return None
    if scene.host is None:
        return None
    try:
        monitor = scene.host.monitor(scene.options.monitor)
    except TorcError as exc:
        scene.voice.say(f"nothing is measured: {exc}", "WARN")
        return None
    if monitor is None:
        scene.voice.say("nothing is measured: no monitor works here", "WARN")
        return None
    return Monitoring(scene, config, monitor)
