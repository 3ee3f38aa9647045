"""``torc reports``: a summary, and results with the files that go with them."""

from __future__ import annotations

from pathlib import Path

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcGroup
from torc_core.cli.logs import Logs, output_dir_option, output_folder
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import bare_fields
from torc_core.records.resources import Result

reports = TorcGroup(
    "reports", help="Summaries of a workflow and its results.",
    lazy={
        "summary": "status:status", "check-resource-utilization": "resource_reports:check_utilization",
        "resource-usage": "resource_usage:resource_usage",
    },
)  # fmt: skip


@reports.command("results")
@workflow_argument
@output_dir_option
@click.option("--all-runs", is_flag=True, help="Results of earlier runs and attempts too.")
@click.option("-j", "--job-id", "job_ids", type=int, multiple=True, help="Only of these jobs.")
@pass_app
def results(
    app: App, workflow_id: int | None, output_dir: Path | None, all_runs: bool, job_ids: tuple[int, ...]
) -> None:
    """Write all results with their log files, always as JSON."""
    chosen = pick(app, workflow_id)
    service = app.service()
    logs = Logs.of(service, chosen, output_folder(app, output_dir))
    found = service.each(Result, chosen, all_runs=all_runs)
    entries = [
        {name: value for name, value in bare_fields(result).items() if name != "id"} | logs.fields(result)
        for result in found
        if not job_ids or result.job_id in job_ids
    ]
    if not entries:
        echo(f"workflow {chosen} has no results", err=True)
    echo_json(
        {
            "workflow_id": chosen, "workflow_name": logs.workflow.name, "workflow_user": logs.workflow.user,
            "all_runs": all_runs, "total_results": len(entries), "results": entries,
        }
    )  # fmt: skip
