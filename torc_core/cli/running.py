"""``torc run``: a workflow on this machine, from a spec or a stored one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import store
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.reading import is_spec, read_plan
from torc_core.errors import TorcError, UsageError
from torc_core.units import UnitError, parse_duration

if TYPE_CHECKING:
    from torc_core.runner.options import RunnerOptions, RunSummary
    from torc_core.service.api import Service
    from torc_core.spec.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])
GIB = 2**30


def runner_options(function: F) -> F:
    """Add the options that say what this runner offers."""
    for option in reversed(
        (
            click.option(
                "-j", "--max-parallel-jobs", type=click.IntRange(1), help="So many jobs at a time, whatever they need."
            ),
            click.option("--num-cpus", type=click.IntRange(1), help="CPUs to offer (detected)."),
            click.option(
                "--memory-gb", type=click.FloatRange(0, min_open=True), help="Memory to offer, GiB (detected)."
            ),
            click.option("--num-gpus", type=click.IntRange(0), help="GPUs to offer (detected)."),
            click.option(
                "-p", "--poll-interval", type=click.FloatRange(0, min_open=True), help="Longest pause, s (5)."
            ),
            click.option("-o", "--output-dir", metavar="DIR", help="Folder for logs (torc_output)."),
            click.option("--time-limit", metavar="DURATION", help="Stop after so long, like PT2H."),
            click.option("--end-time", metavar="TIME", help="Stop at this moment, like 2026-01-31T18:00:00Z."),
            click.option("--label", "labels", multiple=True, help="Labels offered: only jobs that ask for them."),
            click.option("--persistent", is_flag=True, help="Stay while unfinished jobs remain."),
            click.option("--fail-on-job-failure", is_flag=True, help="Exit 1 when a job did not succeed."),
            click.option("--executor", default="local", help="What starts the jobs (local)."),
        )
    ):
        function = option(function)
    return function


@click.command(cls=TorcCommand)
@click.argument("spec_or_id")
@click.option("--resume", is_flag=True, help="Go on with the latest workflow made from this spec here.")
@click.option("--dry-run", is_flag=True, help="Play it on a virtual clock; nothing is started or stored.")
@click.option("--gantt", type=click.Path(path_type=Path), help="With --dry-run: write a picture (.svg or .html).")
@click.option("--force", is_flag=True, help="Begin although input files are missing.")
@click.option("--skip-checks", is_flag=True, help="Do not check whether jobs fit their Slurm schedulers.")
@runner_options
@pass_app
def run(
    app: App, spec_or_id: str, resume: bool, dry_run: bool, gantt: Path | None, force: bool, skip_checks: bool,
    **given: Any,
) -> int:  # fmt: skip
    """Run SPEC_OR_ID on this machine: a spec file (``-``: standard input), or the id of a stored workflow.

    What has ended is not run again. Ctrl-C lets running jobs end and starts no more; twice ends them too.
    """
    from_spec = is_spec(app, spec_or_id)
    if dry_run or is_side_effect_free(app, given["executor"]):
        from torc_core.cli.playing import play_command

        return play_command(app, spec_or_id, gantt, skip_checks=skip_checks, **given)
    if gantt is not None:
        raise UsageError("--gantt draws a dry run", hint="Add --dry-run.")
    if from_spec:
        plan = read_plan(app, spec_or_id, skip_checks=skip_checks)
        workflow_id = find_resumable(app, plan) if resume else store(app, plan).workflow_id
        echo(f"{'Resuming' if resume else 'Created'} workflow {workflow_id}", err=True)
    else:
        workflow_id = int(spec_or_id)
    return run_workflow(app, workflow_id, force=force, **given)


def is_side_effect_free(app: App, executor: str) -> bool:
    """Whether an executor only plays."""
    if executor == "local":
        return False
    return app.host.executor(executor).capabilities.side_effect_free


def run_workflow(app: App, workflow_id: int, *, executor: str, force: bool = False, **given: Any) -> int:
    """Run a stored workflow here and tell how it went; returns the exit code."""
    from torc_core.cli.progress import Display
    from torc_core.runner.beginning import begin_run
    from torc_core.runner.loop import Runner

    service = app.service()
    options = options_of(app, given)
    if service.is_workflow_uninitialized(workflow_id).is_uninitialized:
        begun = begin_run(service, workflow_id, force=force)
        if begun.existing_output_files:
            echo(f"{len(begun.existing_output_files)} output files exist already and will be written again", err=True)
    with Display(app, service, workflow_id) as display:
        summary = Runner(service, app.host.executor(executor)(), workflow_id, options, display.show).run()
    tell_summary(app, service, summary)
    return summary.exit_code


def options_of(app: App, given: dict[str, Any]) -> RunnerOptions:
    """Return what the runner is told: options of the line before those of the configuration."""
    from torc_core.runner.options import RunnerOptions

    def chosen(name: str) -> Any:
        return given[name] if given.get(name) is not None else app.config[f"client.run.{name}"]

    memory = chosen("memory_gb")
    labels = tuple(sorted({part.strip() for text in given.get("labels", ()) for part in text.split(",")}))
    return RunnerOptions(
        output_dir=chosen("output_dir"),
        max_parallel_jobs=chosen("max_parallel_jobs"),
        num_cpus=chosen("num_cpus"),
        memory_bytes=None if memory is None else int(memory * GIB),
        num_gpus=chosen("num_gpus"),
        poll_seconds=chosen("poll_interval"),
        time_limit_seconds=time_limit(given.get("time_limit"), given.get("end_time")),
        labels=labels,
        persistent=given.get("persistent", False),
        fail_on_job_failure=given.get("fail_on_job_failure", False),
    )


def time_limit(duration: str | None, end: str | None) -> float | None:
    """Return how long a runner may run, in seconds; the end given as a moment wins. Raises UsageError."""
    if end is not None:
        from torc_core.service.clock import seconds_of

        try:
            left = seconds_of(end) - time.time()
        except ValueError:
            raise UsageError(
                f"--end-time {end!r} is not a moment", hint="Write it like 2026-01-31T18:00:00Z."
            ) from None
        if left <= 0:
            raise UsageError(f"--end-time {end} is over")
        return left
    if duration is None:
        return None
    try:
        return parse_duration(duration)
    except UnitError as exc:
        raise UsageError(f"--time-limit: {exc}") from exc


def find_resumable(app: App, plan: Plan) -> int:
    """Return the latest workflow that was made from this spec in this folder; raises TorcError when it is another."""
    from torc_core.records.resources import Job, Workflow

    service = app.service()
    name = plan.workflow["name"]
    page = service.find(Workflow, sort_by="id", reverse_sort=True, name=name, user=app.user)
    here = [w for w in page.items if w.submission_directory == str(Path.cwd())]
    if not here:
        raise TorcError(f'no workflow "{name}" was made here', hint="Leave --resume out to make it.")
    planned = {job.name: job.command for job in plan.jobs}
    stored = {job.name: job.command for job in service.each(Job, here[0].id, include_relationships=False)}
    if planned != stored:
        other = sorted(n for n in planned.keys() | stored.keys() if planned.get(n) != stored.get(n))
        raise TorcError(
            f'the spec has changed since workflow {here[0].id} was made from it: {len(other)} jobs differ, like "{other[0]}"',
            hint=f"Go on with the old one: torc run {here[0].id}; or leave --resume out to make a new one.",
        )
    return here[0].id


def tell_summary(app: App, service: Service, summary: RunSummary) -> None:
    """Write how a run went: JSON on standard output, or lines with what to do next."""
    counts = summary.counts
    if app.wants_json:
        echo_json(
            {
                "workflow_id": summary.workflow_id, "run_id": summary.run_id,
                "compute_node_id": summary.compute_node_id, "completed": counts.completed, "failed": counts.failed,
                "terminated": counts.terminated, "canceled": counts.canceled,
                "had_failures": counts.failed > 0, "had_terminations": counts.terminated > 0,
                "is_complete": summary.is_complete, "interrupted": summary.interrupted, "stuck": summary.stuck,
                "wall_seconds": round(summary.wall_seconds, 3),
            }
        )  # fmt: skip
        return
    parts = [
        f"{count} {word}"
        for count, word in (
            (counts.completed, "completed"), (counts.failed, "failed"), (counts.terminated, "terminated"),
            (counts.canceled, "canceled"),
        )
        if count
    ]  # fmt: skip
    from torc_core.units import human_duration

    echo(f"{', '.join(parts) or 'no jobs run'} in {human_duration(summary.wall_seconds)}")
    if summary.failed_jobs:
        echo(f"Did not succeed: {', '.join(summary.failed_jobs)}")
        echo(
            f"See why with: torc results list {summary.workflow_id}; their output is in the logs: torc jobs logs JOB_ID"
        )
    if summary.stuck:
        echo(f"Ready jobs cannot run here: {summary.stuck}", err=True)
    if summary.interrupted:
        echo(f"Stopped by {summary.interrupted}. Go on with: torc run {summary.workflow_id}", err=True)
