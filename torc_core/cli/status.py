"""``torc status`` and ``torc wait``: where a workflow stands, and waiting for its end."""

from __future__ import annotations

import time
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.errors import TorcError
from torc_core.records.answers import StatusSummary
from torc_core.units import human_duration

BAD = ("failed", "terminated", "canceled", "pending_failed")
_LONG_POLL_SECONDS = 20.0


class TimeIsOver(TorcError):
    """The wait was longer than allowed."""

    exit_code = 1


@click.command(cls=TorcCommand)
@workflow_argument
@pass_app
def status(app: App, workflow_id: int | None) -> None:
    """Show how many jobs are in which state, run times and runners."""
    summary = app.service().get_workflow_status(pick(app, workflow_id))
    if app.wants_json:
        echo_json(summary_body(summary))
    else:
        echo("\n".join(summary_lines(summary)))


def summary_body(summary: StatusSummary) -> dict[str, Any]:
    """Return a summary as JSON data, with times for people beside the numbers."""
    body = {name: value for name, value in summary.wire().items() if value is not None}
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
        "",
        f"Total Execution Time: {human_duration(summary.total_exec_time_minutes * 60)}",
    ]
    if summary.walltime_seconds is not None:
        lines.append(f"Walltime:             {human_duration(summary.walltime_seconds)}")
    if summary.active_compute_nodes:
        lines += ["", f"Active runners: {summary.active_compute_nodes}"]
    return [*lines, "", verdict(summary)]


def verdict(summary: StatusSummary) -> str:
    """Return one sentence on where a workflow stands and what to do next."""
    counts = summary.jobs_by_status
    bad = [f"{counts[name]} {name.replace('_', ' ')}" for name in BAD if counts[name]]
    if summary.is_canceled:
        return f"The workflow is canceled. Begin again with: torc workflows reinit {summary.workflow_id}"
    if summary.is_complete and bad:
        again = f"torc workflows reinit {summary.workflow_id} && torc run {summary.workflow_id}"
        return f"The workflow is complete, with failures: {', '.join(bad)}. Run those again with: {again}"
    if summary.is_complete:
        return "The workflow is complete; all went well."
    if summary.active_compute_nodes:
        return "The workflow is in progress."
    if counts["uninitialized"] == summary.total_jobs or counts["ready"] or counts["running"] or counts["pending"]:
        return f"Nobody is working on it. Run it with: torc run {summary.workflow_id}"
    return "The workflow is in progress."


@click.command(cls=TorcCommand)
@workflow_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after so long (never).")
@pass_app
def wait(app: App, workflow_id: int | None, timeout: float | None) -> int:
    """Wait until a workflow is complete; exit 1 when jobs did not succeed, or when the time is over."""
    chosen = pick(app, workflow_id)
    service = app.service()
    deadline = None if timeout is None else time.monotonic() + timeout
    version = 0
    while True:
        version = service.wait_for_change(chosen, version, 0.0).version
        if service.is_workflow_complete(chosen).is_complete:
            break
        left = _LONG_POLL_SECONDS if deadline is None else min(deadline - time.monotonic(), _LONG_POLL_SECONDS)
        if left <= 0:
            raise TimeIsOver(
                f"workflow {chosen} is not complete after {timeout:g} s", hint=f"See: torc status {chosen}"
            )
        service.wait_for_change(chosen, version, left)
    summary = service.get_workflow_status(chosen)
    if app.wants_json:
        echo_json(summary_body(summary))
    else:
        echo(verdict(summary))
    return 1 if summary.is_canceled or any(summary.jobs_by_status[name] for name in BAD) else 0
