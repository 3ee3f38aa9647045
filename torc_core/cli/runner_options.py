"""The options that say what a runner offers, and what they come to with the configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App
from torc_core.cli.reading import complete_offer
from torc_core.errors import UsageError

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.runner.options import RunnerOptions

F = TypeVar("F", bound=Callable[..., Any])
GIB = 2**30
_SERVER_LEASE_SECONDS = 120.0
_LEAST_LEASE_SECONDS = 2.0
_OPTIONS = (
    click.option("-j", "--max-parallel-jobs", type=click.IntRange(1), help="Jobs at a time, whatever they need."),
    click.option("--num-cpus", type=click.IntRange(1), help="CPUs to offer (detected)."),
    click.option("--memory-gb", type=Amount(0, min_open=True), help="Memory to offer, GiB (detected)."),
    click.option("--num-gpus", type=click.IntRange(0), help="GPUs to offer (detected)."),
    click.option("-p", "--poll-interval", type=Amount(0, min_open=True), help="Longest pause, s (5)."),
    click.option("-o", "--output-dir", metavar="DIR", help="Folder for logs (torc_output)."),
    click.option("--time-limit", metavar="DURATION", help="Stop after so long, like PT2H."),
    click.option("--end-time", metavar="TIME", help="Stop at this moment, like 2026-01-31T18:00:00Z."),
    click.option("--label", "labels", multiple=True, metavar="A,B", help="Labels: take only jobs that ask for them."),
    click.option("--persistent", is_flag=True, help="Stay while unfinished jobs remain."),
    click.option(
        "--lease", type=Amount(min=0), metavar="SECONDS",
        help="Silence after which the jobs are given to others; 0: never (120 with a server, else 0).",
    ),
    click.option("--fail-on-job-failure", is_flag=True, help="Exit 1 when a job did not succeed."),
    click.option("--executor", default="local", metavar="NAME", shell_complete=complete_offer("executor"),
        help="What starts jobs: local, dry-run, a plugin's."),
)  # fmt: skip


def runner_options(function: F) -> F:
    """Add the options to a command, which hands all of them to ``Runs.of``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class Runs(NamedTuple):
    """How jobs are run here; everything that can be wrong about it is found before anything is stored."""

    options: RunnerOptions
    executor: type[Executor]

    @classmethod
    def of(cls, app: App, given: dict[str, Any]) -> Runs:
        """Read the options of the command line; raises UsageError, or NotFound for what nobody offers."""
        made = cls(options_of(app, given), app.host.executor(given["executor"]))
        if made.options.monitor != "auto" and not made.only_plays:
            app.host.monitor(made.options.monitor)  # one that is named has to work
        return made

    @property
    def only_plays(self) -> bool:
        """Whether nothing is started or stored."""
        return self.executor.capabilities.side_effect_free


def options_of(app: App, given: dict[str, Any]) -> RunnerOptions:
    """Return what the runner is told: options of the line before those of the configuration; raises UsageError."""
    from torc_core.runner.allocating import allocation_of
    from torc_core.runner.options import RunnerOptions

    def chosen(name: str) -> Any:
        return given[name] if given.get(name) is not None else app.config[f"client.run.{name}"]

    memory = chosen("memory_gb")
    scheduler, scheduler_config_id = allocation_of(os.environ)
    labels = {part.strip() for text in given["labels"] for part in text.split(",")} - {""}
    return RunnerOptions(
        output_dir=chosen("output_dir"),
        max_parallel_jobs=chosen("max_parallel_jobs"),
        num_cpus=chosen("num_cpus"),
        memory_bytes=None if memory is None else int(memory * GIB),
        num_gpus=chosen("num_gpus"),
        poll_seconds=chosen("poll_interval"),
        time_limit_seconds=time_limit(given["time_limit"], given["end_time"]),
        labels=tuple(sorted(labels)),
        persistent=given["persistent"],
        lease_seconds=_lease(app, given["lease"]),
        fail_on_job_failure=given["fail_on_job_failure"],
        api_url=app.api_url,
        scheduler=scheduler,
        scheduler_config_id=scheduler_config_id,
        monitor=app.config["client.run.monitor"],
        use_cgroups=app.config["client.run.cgroups"],
    )


def _lease(app: App, given: float | None) -> float | None:
    """Return the lease that a runner asks for: what tells its death otherwise works on one machine only."""
    seconds = given if given is not None else app.config["client.run.lease_seconds"]
    if seconds is None:
        seconds = _SERVER_LEASE_SECONDS if app.api_url else 0.0
    if 0 < seconds < _LEAST_LEASE_SECONDS:
        raise UsageError(
            f"a lease of {seconds:g} s is too short", hint=f"Give at least {_LEAST_LEASE_SECONDS:g}, or 0."
        )
    return seconds or None


def time_limit(duration: str | None, end: str | None) -> float | None:
    """Return how long a runner may run, in seconds: whichever ends first. Raises UsageError."""
    limits = []
    if duration is not None:
        from torc_core.units import UnitError, parse_duration

        try:
            limits.append(float(parse_duration(duration)))
        except UnitError as exc:
            raise UsageError(f"--time-limit: {exc}") from exc
    if end is not None:
        limits.append(_seconds_until(end))
    return min(limits, default=None)


def _seconds_until(end: str) -> float:
    from torc_core.service.clock import seconds_of

    try:
        left = seconds_of(end) - time.time()
    except ValueError:
        raise UsageError(f"--end-time {end!r} is not a moment", hint="Write it like 2026-01-31T18:00:00Z.") from None
    if left <= 0:
        raise UsageError(f"--end-time {end} is over")
    return left
