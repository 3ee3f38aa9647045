"""``torc monitor-node``: measure this machine, without running jobs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.errors import Invalid, TorcError

if TYPE_CHECKING:
    from torc_core.runner.monitoring import MonitorConfig
    from torc_core.runner.usage import MachineSummary

_EXAMPLES = """
torc monitor-node -i 2 & make; kill %1
torc monitor-node -w 3
"""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@click.command("monitor-node", cls=TorcCommand, examples=_EXAMPLES)
@click.option("-w", "--workflow-id", type=int, help="Do as this workflow's compute_node section says.")
@click.option("-o", "--output-dir", metavar="DIR", help="Folder of the file (torc_output).")
@click.option("-i", "--interval-seconds", type=Amount(min=0.1), help="Between samples (10).")
@click.option("--flush-interval-seconds", type=Amount(min=0.1), help="Between writes (300).")
@click.option("--summary-only", is_flag=True, help="Keep peaks and averages only.")
@pass_app
def monitor_node(
    app: App, workflow_id: int | None, output_dir: str | None, interval_seconds: float | None,
    flush_interval_seconds: float | None, summary_only: bool,
) -> None:  # fmt: skip
    """Measure this machine until Ctrl-C, SIGTERM or SIGUSR1 comes, and keep that as a time series."""
    from torc_core.runner.metrics_file import MetricsFile, metrics_path
    from torc_core.runner.sampling import Sampler
    from torc_core.runner.usage import MachineTrack

    config, label = _settings(app, workflow_id)
    monitor = app.host.monitor(app.config["client.run.monitor"])
    if monitor is None:
        raise TorcError("this machine cannot be measured: no monitor works here")
    folder = output_dir or app.config["client.run.output_dir"]
    keeps_series = not summary_only and (workflow_id is None or config.machine == "time_series")
    series = MetricsFile(metrics_path(folder, label))
    with _until_told() as end:
        sampler = Sampler(
            monitor,
            interval_seconds or config.sample_interval_seconds,
            flush_interval_seconds or config.flush_interval_seconds,
            MachineTrack(cpu=config.machine_cpu, memory=config.machine_memory),
            series,
            keeps_machine=keeps_series,
            say=lambda text: app.say("warn", text),
        )
        app.say("info", f"Measuring this machine into {series.path}; Ctrl-C ends it")
        end.wait()
        summary = sampler.close()
    monitor.close()
    assert summary is not None
    if not keeps_series:
        _keep(series.path, summary)
    _show(app, summary, series.path)


def _settings(app: App, workflow_id: int | None) -> tuple[MonitorConfig, str]:
    """Return what to measure and the label of the file; raises Invalid for a workflow that wants nothing measured."""
    from torc_core.records.resources import Workflow
    from torc_core.runner.monitoring import MonitorConfig

    host, slurm = os.uname().nodename, os.environ.get("SLURM_JOB_ID")
    ending = f"_sl{slurm}" if slurm else ""
    if workflow_id is None:
        return MonitorConfig(), f"monitor_h{host}{ending}"
    workflow = app.service().get(Workflow, workflow_id)
    config = MonitorConfig.of(workflow.resource_monitor_config)
    if config.machine is None:
        raise Invalid(
            f"workflow {workflow_id} wants no machines measured",
            hint="Its spec would say resource_monitor: {compute_node: {enabled: true}}; or leave -w out.",
        )
    return config, f"monitor_wf{workflow_id}_h{host}_r{workflow.run_id}{ending}"


@contextlib.contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Give an event that the ending signals set."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in _ENDING}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep(path: Path, summary: MachineSummary) -> None:
    from torc_core.runner.metrics_file import MetricsFile

    series = MetricsFile(path)
    series.add_summary(summary)
    series.close()


def _show(app: App, summary: MachineSummary, path: Path) -> None:
    from torc_core.plots.words import cpu_text, memory_text
    from torc_core.units import counted

    if app.wants_json:
        known = {name: value for name, value in summary._asdict().items() if value is not None}
        echo_json({**known, "file": str(path)})
        return
    echo(f"{counted(summary.sample_count, 'sample')} in {path}")
    if summary.peak_cpu_percent is not None:
        echo(f"CPU:    {cpu_text(summary.peak_cpu_percent, summary.avg_cpu_percent)} of all")
    if summary.peak_memory_bytes is not None:
        echo(f"Memory: {memory_text(summary.peak_memory_bytes, summary.avg_memory_bytes)}")
