"""``torc reports``: a summary, and results with the files that go with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import bare_fields
from torc_core.cli.status import status
from torc_core.errors import TorcError
from torc_core.records.answers import JobLaunch
from torc_core.records.resources import ComputeNode, Job, Result, Workflow
from torc_core.runner.log import log_name
from torc_core.runner.output_files import OutputFiles

reports = TorcGroup("reports", help="Summaries of a workflow and its results.")
reports.add_command(status, "summary")


def output_folder(app: App, given: Path | None) -> Path:
    """Return the folder of logs: as given, else as configured; raises TorcError when it is not there."""
    folder = given or Path(app.config["client.run.output_dir"])
    if not folder.is_dir():
        raise TorcError(f"there is no output folder {folder}", hint="Name it with -o.")
    return folder


def log_files(folder: Path, workflow: Workflow, job: Job, result: Result) -> dict[str, Path]:
    """Return where the streams of one attempt are kept, by report field."""
    launch = JobLaunch(id=job.id, name=job.name, command="", attempt_id=result.attempt_id, stdio=job.stdio)
    streams = OutputFiles(str(folder), workflow.id, result.run_id, workflow.execution_config).of(launch)
    found = {"job_stdout": streams.stdout, "job_stderr": streams.stderr}
    return {name: Path(path) for name, path in found.items() if path is not None}


@reports.command("results", cls=TorcCommand)
@workflow_argument
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), help="Folder of the logs (torc_output).")
@click.option("--all-runs", is_flag=True, help="Results of earlier runs and attempts too.")
@click.option("-j", "--job-id", "job_ids", type=int, multiple=True, help="Only of these jobs.")
@pass_app
def results(
    app: App, workflow_id: int | None, output_dir: Path | None, all_runs: bool, job_ids: tuple[int, ...]
) -> None:
    """Write all results with their log files, always as JSON."""
    chosen = pick(app, workflow_id)
    folder = output_folder(app, output_dir)
    service = app.service()
    workflow = service.get(Workflow, chosen)
    jobs = {job.id: job for job in service.each(Job, chosen)}
    nodes = {node.id: node for node in service.each(ComputeNode, chosen)}
    wanted = set(job_ids)
    entries = [
        _entry(folder, workflow, jobs[result.job_id], result, nodes)
        for result in service.each(Result, chosen, all_runs=all_runs)
        if not wanted or result.job_id in wanted
    ]
    if not entries:
        echo(f"workflow {chosen} has no results", err=True)
    echo_json(
        {
            "workflow_id": chosen, "workflow_name": workflow.name, "workflow_user": workflow.user,
            "all_runs": all_runs, "total_results": len(entries), "results": entries,
        }
    )  # fmt: skip


def _entry(folder: Path, workflow: Workflow, job: Job, result: Result, nodes: dict[int, ComputeNode]) -> dict[str, Any]:
    entry: dict[str, Any] = {"job_id": job.id, "job_name": job.name}
    entry |= {name: value for name, value in bare_fields(result).items() if name not in ("id", "job_id")}
    for name, path in log_files(folder, workflow, job, result).items():
        entry[name] = str(path)
        if not path.exists():
            echo(f"warning: {path} is not there", err=True)
    node = nodes.get(result.compute_node_id)
    if node is not None:
        entry["compute_node_type"] = node.compute_node_type
        log = folder / log_name(node.hostname, workflow.id, result.run_id)
        if log.exists():
            entry["job_runner_log"] = str(log)
    return entry
