"""``torc run --dry-run``: a workflow on a virtual clock; nothing is started, stored or asked of a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.cli.app import App
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.reading import is_spec, read_plan, stored_id
from torc_core.cli.writing import write_file
from torc_core.errors import UsageError
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from torc_core.cli.runner_options import Runs
    from torc_core.planning.needs import Capacity
    from torc_core.planning.schedule import Schedule
    from torc_core.runner.options import RunnerOptions
    from torc_core.spec.plan import Plan

_ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.TERMINATED, JobStatus.DISABLED)
_SHOWN_JOBS = 200
_SHOWN_NAMES = 5


def plan_from(
    app: App, spec_or_id: str, *, skip_checks: bool = False, only: tuple[JobStatus, ...] | None = None
) -> Plan:
    """Return the plan of a spec, or of a stored workflow (of its jobs in the statuses ``only``)."""
    if is_spec(spec_or_id):
        return read_plan(app, spec_or_id, skip_checks=skip_checks)
    from torc_core.service.stored_plan import plan_of

    app.workflow_id = stored_id(spec_or_id)
    return plan_of(app.service(), app.workflow_id, only)


def plan_left(app: App, spec_or_id: str, *, skip_checks: bool = False) -> Plan:
    """Return the plan of a spec, or of what has not ended in a stored workflow."""
    left = tuple(status for status in JobStatus if status not in _ENDED)
    return plan_from(app, spec_or_id, skip_checks=skip_checks, only=left)


def play_plan(app: App, plan: Plan, runner: Runs, gantt: Path | None = None) -> int:
    """Play a plan and show what would happen; returns 1 when jobs never start."""
    from torc_core.planning.play import play

    if gantt is not None:
        _drawing_for(gantt)
    executor = runner.executor if runner.only_plays else app.host.executor("dry-run")
    schedule = play(plan, _capacity(runner.options), executor())  # type: ignore[arg-type]
    if gantt is not None:
        write_file(gantt, [_drawing_for(gantt)(schedule, str(plan.workflow["name"]))])
        echo(f"Wrote {gantt}", err=True)
    if app.wants_json:
        echo_json({"workflow_name": plan.workflow["name"], "dry_run": True, **schedule.as_json()})
    else:
        show(schedule)
    return 1 if schedule.unstarted else 0


def _capacity(options: RunnerOptions) -> Capacity:
    """Return what a runner with these options would offer."""
    from torc_core.planning.needs import Capacity
    from torc_core.runner.gpus import gpu_ids
    from torc_core.runner.resources import machine

    here = machine()
    return Capacity(
        options.num_cpus or here.num_cpus,
        options.memory_bytes or here.memory_bytes,
        tuple(gpu_ids(os.environ, options.num_gpus)),
        options.max_parallel_jobs,
        frozenset(options.labels),
    )


def show(schedule: Schedule) -> None:
    """Write when each job would start and end, and what matters about the whole."""
    from torc_core.planning.schedule import JOB_COLUMNS

    rows = schedule.rows()
    echo_table(JOB_COLUMNS, rows[:_SHOWN_JOBS])
    if len(rows) > _SHOWN_JOBS:
        echo(f"... and {counted(len(rows) - _SHOWN_JOBS, 'more job')}; -f json lists all")
    echo()
    for label, text in schedule.summary():
        echo(f"{label + ':':22}{text}")
    for group in schedule.unstarted:
        names, more = ", ".join(group.names[:_SHOWN_NAMES]), len(group.names) - _SHOWN_NAMES
        echo(f"Never starts: {names}{f' and {more:,} more' if more > 0 else ''}: {group.reason}", err=True)


def _drawing_for(path: Path) -> Callable[[Schedule, str], str]:
    """Return what draws the kind of picture that a file's ending says; raises UsageError."""
    from torc_core.planning.gantt import html, svg

    drawing = {".svg": svg, ".html": html, ".htm": html}.get(path.suffix.lower())
    if drawing is None:
        raise UsageError(f"cannot draw {path}", hint="Name a file that ends in .svg or .html.")
    return drawing
