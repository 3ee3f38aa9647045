"""``torc status`` and ``torc wait``: where a workflow stands, and waiting for its end."""

from __future__ import annotations

import time
from typing import Any

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.verdicts import failures, verdict, waits_for_people
from torc_core.errors import TorcError
from torc_core.records.answers import StatusSummary
from torc_core.service.api import Service
from torc_core.units import human_duration

_LONG_POLL_SECONDS = 20.0


class TimeIsOver(TorcError):
    """The wait was longer than allowed."""


@click.command(cls=TorcCommand)
@workflow_argument
@pass_app
def status(app: App, workflow_id: int | None) -> None:
    """Show how many jobs are in which state, run times and runners."""
    _show(app, app.service().get_workflow_status(pick(app, workflow_id)), {})


@click.command(cls=TorcCommand)
@workflow_argument
@pass_app
def workflow_status(app: App, workflow_id: int | None) -> None:
    """Show where a workflow stands, like "torc status"."""
    summary = app.service().get_workflow_status(pick(app, workflow_id))
    _show(app, summary, {"id": summary.workflow_id})


def _show(app: App, summary: StatusSummary, more: dict[str, Any]) -> None:
    if app.wants_json:
        echo_json({**more, **summary_body(summary)})
    else:
        echo("\n".join(summary_lines(summary)))


def summary_body(summary: StatusSummary) -> dict[str, Any]:
    """Return a summary as JSON data, with times for people beside the numbers."""
    fields = {name: getattr(summary, name) for name in StatusSummary.FIELDS}
    body = {name: value for name, value in fields.items() if value is not None}
    body["total_exec_time_formatted"] = human_duration(summary.total_exec_time_minutes * 60)
    if summary.walltime_seconds is not None:
        body["walltime_formatted"] = human_duration(summary.walltime_seconds)
    return body


def summary_lines(summary: StatusSummary) -> list[str]:
    """Return a summary for people."""
    counts = summary.jobs_by_status
    lines = [
        "Workflow Summary",
        f"  ID:    {summary.workflow_id}",
        f"  Name:  {summary.workflow_name}",
        f"  User:  {summary.workflow_user}",
        f"  Run:   {summary.run_id}",
        "",
        f"Job Status (total: {summary.total_jobs}):",
        *(f"  {name + ':':16}{count}" for name, count in counts.items() if count),
        *([f"  (tried again later: {summary.waiting_retries})"] if summary.waiting_retries else []),
        "",
        f"Total Execution Time: {human_duration(summary.total_exec_time_minutes * 60)}",
    ]
    if summary.walltime_seconds is not None:
        lines.append(f"Walltime:             {human_duration(summary.walltime_seconds)}")
    resources = (
        ("Active runners", summary.active_compute_nodes),
        ("Pending allocations", summary.pending_scheduled_nodes),
        ("Active allocations", summary.active_scheduled_nodes),
    )
    if any(count for _, count in resources):
        lines += ["", "Compute Resources:", *(f"  {name}: {count}" for name, count in resources if count)]
    return [*lines, "", verdict(summary)]


@click.command(cls=TorcCommand)
@workflow_argument
@click.option("--timeout", type=Amount(min=0), metavar="SECONDS", help="Give up after so long (never).")
@pass_app
def wait(app: App, workflow_id: int | None, timeout: float | None) -> int:
    """Wait until a workflow is complete; exit 1 when jobs did not succeed, or when the time is over.

    It also ends, with 1, when all that is left waits for decisions about jobs that failed.
    """
    chosen = pick(app, workflow_id)
    service = app.service()
    summary = service.get_workflow_status(chosen)
    if not summary.is_complete and not summary.active_compute_nodes:
        echo(verdict(summary), err=True)
    _wait_for_end(service, chosen, timeout)
    summary = service.get_workflow_status(chosen)
    if app.wants_json:
        echo_json(summary_body(summary))
    else:
        echo(verdict(summary))
    return 1 if summary.is_canceled or failures(summary) else 0


def _wait_for_end(service: Service, workflow_id: int, timeout: float | None) -> None:
    """Return when the workflow is complete, or goes on only when people decide; raises TimeIsOver."""
    deadline = None if timeout is None else time.monotonic() + timeout
    look_at = 0.0
    while True:
        version = service.wait_for_change(workflow_id).version
        if service.is_workflow_complete(workflow_id).is_complete:
            return
        if time.monotonic() >= look_at:  # summaries take time
            look_at = time.monotonic() + _LONG_POLL_SECONDS / 2
            summary = service.get_workflow_status(workflow_id)
            if waits_for_people(summary) and not summary.active_compute_nodes:
                return
        left = _LONG_POLL_SECONDS if deadline is None else min(deadline - time.monotonic(), _LONG_POLL_SECONDS)
        if left <= 0:
            raise TimeIsOver(
                f"workflow {workflow_id} is not complete after {timeout:g} s", hint=f"See: torc status {workflow_id}"
            )
        service.wait_for_change(workflow_id, version, left)
