"""``torc jobs reset-status`` and ``torc workflows reset-status``: have work done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.beginning import begun_text
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import table
from torc_core.errors import Conflict, Invalid, TorcError, UsageError
from torc_core.records.answers import BegunRun, JobReset, StatusSummary
from torc_core.records.resources import Job
from torc_core.runner.beginning import begin_run
from torc_core.service.api import Service
from torc_core.status import JobStatus
from torc_core.units import counted

_SHOWN = 10


def next_step(workflow_id: int) -> str:
    """Return the command that a reset is followed by."""
    return f"torc workflows reinit {workflow_id}"


def _next_step_of_chosen(workflow_id: int) -> str:
    return f"{next_step(workflow_id)} --only-reset"


@click.command("reset-status", cls=TorcCommand)
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--status", "statuses", help="All jobs with one of these statuses, separated by commas.")
@click.option("--return-code", type=int, help="All jobs whose latest result has this code.")
@click.option("--workflow-id", type=int, help="With --status or --return-code.")
@click.option("--force", is_flag=True, help="Although runners are active or a chosen job runs.")
@click.option("--dry-run", is_flag=True, help="Only show the jobs.")
@click.option("--reinit", is_flag=True, help="Begin the next run at once, of these jobs only.")
@no_prompts_option
@pass_app
def reset_jobs(
    app: App, job_ids: tuple[int, ...], statuses: str | None, return_code: int | None, workflow_id: int | None,
    force: bool, dry_run: bool, reinit: bool, no_prompts: bool,
) -> int:  # fmt: skip
    """Make chosen jobs and everything downstream of them uninitialized, so that they run again."""
    choice = _choice(job_ids, statuses, return_code)
    service = app.service()
    chosen = pick(app, service.get(Job, job_ids[0]).workflow_id if job_ids else workflow_id, silently=False)
    try:
        found = service.reset_jobs(chosen, choice.changed(dry_run=True))
    except Invalid as exc:
        if exc.details.get("reset_count") != 0:
            raise
        return _tell_nothing(app, chosen, str(exc))
    records = {job.id: job for job in service.each(Job, chosen, include_relationships=False)}
    listed, below = ([_listed(records[id]) for id in ids] for ids in (found.chosen, found.downstream))
    if dry_run:
        _show_preview(app, chosen, listed, below, reinit)
        return 0
    if not force:
        _refuse_active(service.get_workflow_status(chosen), listed)
    _say_what(app, listed, below)
    question = f"Reset {counted(len(listed), 'job')} and {len(below)} downstream in workflow {chosen}?"
    if not confirmed(app, question, no_prompts):
        return 0
    service.reset_jobs(chosen, choice)
    begun, error = _begin_next(service, chosen) if reinit else (None, None)
    if app.wants_json:
        echo_json(
            {
                "status": "partial_failure" if error else "success", "workflow_id": chosen, "reset_count": len(listed),
                "requested_job_ids": list(job_ids), "reset_job_ids": found.chosen, "downstream_jobs": below,
                "failures": [], "next_steps": [] if reinit else [_next_step_of_chosen(chosen)],
                "reinit": {"requested": reinit, "applied": reinit and error is None}
                | ({} if error is None else {"error": str(error)}),
            }
        )  # fmt: skip
    else:
        echo(f"Reset {counted(len(listed), 'job')} and {len(below)} downstream")
        if not reinit:
            echo(f"Begin the next run with: {_next_step_of_chosen(chosen)}")
        if begun is not None:
            echo(begun_text(begun))
    if error is not None:
        app.complain(error)
    return 1 if error is not None else 0


def _choice(job_ids: tuple[int, ...], statuses: str | None, return_code: int | None) -> JobReset:
    if bool(job_ids) + (statuses is not None) + (return_code is not None) != 1:
        raise UsageError("choose jobs in exactly one way", hint="Give ids, or --status, or --return-code.")
    if statuses is None:
        return JobReset(job_ids=list(job_ids) or None, return_code=return_code)
    words = [word.strip() for word in statuses.split(",")]
    known = {status.value: status for status in JobStatus}
    wrong = [word for word in words if word not in known]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is not a status", hint=f"Statuses: {', '.join(known)}")
    return JobReset(statuses=[known[word] for word in words])


def _tell_nothing(app: App, workflow_id: int, message: str) -> int:
    if app.wants_json:
        body = {"status": "error", "workflow_id": workflow_id, "reset_count": 0, "reset_job_ids": []}
        echo_json({**body, "message": message, "error": message}, err=True)
    else:
        echo(f"Error: {message}\n  List them with: torc jobs list {workflow_id}", err=True)
    return 1


def _say_what(app: App, listed: list[dict[str, Any]], below: list[dict[str, Any]]) -> None:
    """Show which jobs a reset is about, and that work will be done again which went well."""
    for jobs, why in ((listed, "chosen"), (below, "downstream")):
        for job in jobs[:_SHOWN]:
            app.say("info", f"  {job['job_id']} {job['name']} ({job['status']}, {why})")
        if len(jobs) > _SHOWN:
            app.say("info", f"  ... and {len(jobs) - _SHOWN} more {why}")
    done = sum(job["status"] == JobStatus.COMPLETED.value for job in (*listed, *below))
    if done:
        app.say("warn", f"{done:,} of these jobs {'has' if done == 1 else 'have'} completed and will run again")


def _refuse_active(summary: StatusSummary, listed: list[dict[str, Any]]) -> None:
    allocations = summary.pending_scheduled_nodes + summary.active_scheduled_nodes
    if allocations:
        raise Conflict(
            f"workflow {summary.workflow_id} has {counted(allocations, 'allocation')} pending or active",
            hint="Wait for them or cancel the workflow; --force resets anyway.",
        )
    running = [job["name"] for job in listed if job["status"] in ("running", "pending")]
    if running:
        raise Conflict(
            f"job {running[0]!r} is running or about to", hint="Wait for it or cancel the workflow; --force resets it."
        )
    if summary.active_compute_nodes:
        raise Conflict(
            f"workflow {summary.workflow_id} has {summary.active_compute_nodes} active runners",
            hint="Wait for them or cancel the workflow; --force resets anyway.",
        )


def _listed(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "name": job.name, "status": job.status.value}


def _show_preview(app: App, workflow_id: int, listed: list[Any], below: list[Any], reinit: bool) -> None:
    body = {
        "dry_run": True, "reinit_requested": reinit, "workflow_id": workflow_id, "jobs": listed,
        "downstream_jobs": below,
    }  # fmt: skip
    rows = [(*job.values(), why) for jobs, why in ((listed, "chosen"), (below, "follows")) for job in jobs]
    table(app, ("ID", "Name", "Status", "Why"), rows, body, "jobs")


def _begin_next(service: Service, workflow_id: int) -> tuple[BegunRun | None, TorcError | None]:
    try:
        return begin_run(service, workflow_id, only_reset=True), None
    except TorcError as exc:
        return None, exc


@click.command("reset-status", cls=TorcCommand)
@workflow_argument
@click.option("--failed-only", is_flag=True, help="Only jobs that did not succeed, and what follows them.")
@click.option("-r", "--reinitialize", "then_reinit", is_flag=True, help="Begin the next run at once.")
@click.option("--force", is_flag=True, help="Although jobs are running.")
@no_prompts_option
@pass_app
def reset_workflow(
    app: App, workflow_id: int | None, failed_only: bool, then_reinit: bool, force: bool, no_prompts: bool
) -> int:
    """Make jobs uninitialized, so that they run again."""
    chosen = pick(app, workflow_id, silently=False)
    which = "jobs that did not succeed" if failed_only else "all jobs"
    if not confirmed(app, f"Reset {which} of workflow {chosen}?", no_prompts):
        return 0
    service = app.service()
    steps: list[tuple[str, Callable[[], object], str]] = [
        ("workflow_reset", lambda: service.reset_workflow_status(chosen, force), f"reset workflow {chosen}"),
        ("job_reset", lambda: service.reset_job_status(chosen, failed_only), f"reset {which}"),
    ]
    if then_reinit:
        steps.append(("reinitialize", lambda: begin_run(service, chosen, again=True), "began the next run"))
    operations, messages, error = _take(steps)
    body = {
        "status": "error" if error else "success", "workflow_id": chosen,
        "operations": {"workflow_reset": False, "job_reset": False, "reinitialize": None, **operations},
        "failed_only": failed_only, "messages": messages,
    }  # fmt: skip
    if app.wants_json:
        echo_json(body | ({"errors": [str(error)]} if error else {}))
    else:
        for message in messages:
            echo(message[0].upper() + message[1:])
        if error is None:
            echo(f"Run it with: torc run {chosen}" if then_reinit else f"Begin the next run with: {next_step(chosen)}")
    if error is not None:
        app.complain(error)
    return 1 if error is not None else 0


def _take(
    steps: list[tuple[str, Callable[[], object], str]],
) -> tuple[dict[str, bool], list[str], TorcError | None]:
    """Take steps until one fails; returns which were taken, what was done, and what went wrong."""
    operations: dict[str, bool] = {}
    messages: list[str] = []
    for name, act, told in steps:
        try:
            act()
        except TorcError as exc:
            operations[name] = False
            return operations, messages, exc
        operations[name] = True
        messages.append(told)
    return operations, messages, None
