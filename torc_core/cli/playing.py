"""``torc run --dry-run``: a workflow on a virtual clock; nothing is started, stored or asked of a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torc_core.cli.app import App
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.reading import is_spec, read_plan
from torc_core.cli.running import options_of
from torc_core.errors import UsageError
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.planning.needs import Capacity
    from torc_core.planning.schedule import Schedule
    from torc_core.spec.plan import Plan

_LEFT = tuple(
    status
    for status in JobStatus
    if status
    not in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.TERMINATED, JobStatus.DISABLED)
)
_SHOWN_JOBS = 200


def play_command(app: App, spec_or_id: str, gantt: Path | None, *, skip_checks: bool, **given: Any) -> int:
    """Play a spec or what is left of a stored workflow, and show what would happen; 1 when jobs never start."""
    from torc_core.planning.play import play

    plan = plan_from(app, spec_or_id, skip_checks=skip_checks, only=_LEFT)
    executor = app.host.executor("dry-run" if given["executor"] == "local" else given["executor"])()
    schedule = play(plan, capacity_of(app, given), executor)  # type: ignore[arg-type]
    if gantt is not None:
        write_gantt(gantt, schedule, str(plan.workflow["name"]))
        echo(f"Wrote {gantt}", err=True)
    if app.wants_json:
        echo_json({"workflow_name": plan.workflow["name"], "dry_run": True, **schedule.as_json()})
    else:
        show(schedule)
    return 1 if schedule.unstarted else 0


def plan_from(
    app: App, spec_or_id: str, *, skip_checks: bool = False, only: tuple[JobStatus, ...] | None = None
) -> Plan:
    """Return the plan of a spec, or of a stored workflow (of its jobs in the statuses ``only``)."""
    if is_spec(app, spec_or_id):
        return read_plan(app, spec_or_id, skip_checks=skip_checks)
    from torc_core.service.stored_plan import plan_of

    return plan_of(app.service(), int(spec_or_id), only)


def capacity_of(app: App, given: dict[str, Any]) -> Capacity:
    """Return what a runner with these options would offer."""
    from torc_core.planning.needs import Capacity
    from torc_core.runner.gpus import gpu_ids
    from torc_core.runner.resources import machine

    options = options_of(app, given)
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
        echo(f"... and {len(rows) - _SHOWN_JOBS:,} more jobs; -f json lists all")
    echo()
    for label, text in schedule.summary():
        echo(f"{label + ':':22}{text}")
    for group in schedule.unstarted:
        names = ", ".join(group.names[:5]) + (f" and {len(group.names) - 5:,} more" if len(group.names) > 5 else "")
        echo(f"Never starts: {names}: {group.reason}", err=True)


def write_gantt(path: Path, schedule: Schedule, title: str) -> None:
    """Write a picture of a schedule; the file's ending says which kind."""
    from torc_core.planning.gantt import html, svg

    drawn = {".svg": svg, ".html": html, ".htm": html}.get(path.suffix.lower())
    if drawn is None:
        raise UsageError(f"cannot draw {path}", hint="Name a file that ends in .svg or .html.")
    path.write_text(drawn(schedule, title), encoding="utf-8")
