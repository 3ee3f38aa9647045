"""``torc jobs``: list, inspect and change jobs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.fields import Shown
from torc_core.cli.kinds import group_of, update_command
from torc_core.cli.logs import Logs, output_dir_option, output_folder
from torc_core.cli.output import echo, echo_json, write
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import bare_fields, cut, echo_message, echo_records, table
from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.records.answers import JobList
from torc_core.records.record import MAX_LIMIT, Page
from torc_core.records.resources import FailureHandler, Job, ResourceRequirements, Result
from torc_core.service.api import Service
from torc_core.units import counted

JOBS = Shown(
    Job,
    {"ID": "id", "Name": "name", "Status": "status", "Priority": "priority", "Command": lambda j: cut(j.command)},
    short={
        "name": "-n --name", "command": "-c --command", "resource_requirements_id": "-r --resource-requirements-id",
        "depends_on_job_ids": "-b --blocking-job-ids --depends-on-job-ids", "input_file_ids": "-i --input-file-ids",
        "output_file_ids": "-o --output-file-ids", "labels": "--label",
    },
    filter_options={"status": "-s --status"},
    new=(
        "name", "command", "resource_requirements_id", "depends_on_job_ids", "input_file_ids", "output_file_ids",
        "input_user_data_ids", "output_user_data_ids", "priority", "cancel_on_blocking_job_failure",
        "supports_termination", "invocation_script", "env", "labels",
    ),
    changed=(
        "name", "command", "resource_requirements_id", "priority", "cancel_on_blocking_job_failure",
        "supports_termination", "invocation_script", "env", "labels", "status",
    ),
    lists_deleted=True,
)  # fmt: skip
jobs = group_of(JOBS, "jobs", "Jobs: list, inspect, change, reset.")
jobs.lazy["reset-status"] = "resetting:reset_jobs"
jobs.lazy["spawn"] = "spawning:spawn"
jobs.lazy["resolve"] = "resolving:resolve"


def _prepare_update(
    app: App, id: int, changes: dict[str, Any], *, runtime: str | None, clear_labels: bool
) -> dict[str, Any]:
    """Change the job's requirements, which other jobs may share, and return the changes of the job itself."""
    if clear_labels:
        if "labels" in changes:
            raise UsageError("--label and --clear-labels do not go together")
        changes["labels"] = []
    if runtime is not None:
        service = app.service()
        needs_id = changes.get("resource_requirements_id") or service.get(Job, id).resource_requirements_id
        if needs_id is None:
            raise Invalid(f"job {id} has no resource requirements", hint="Give it some: --resource-requirements-id ID")
        service.update(ResourceRequirements, needs_id, ResourceRequirements.read_changes({"runtime": runtime}))
    return changes


jobs.add_command(
    update_command(
        JOBS,
        _prepare_update,
        click.Option(["--runtime"], metavar="DURATION", help="Of its requirements, and of all jobs that share them."),
        click.Option(["--clear-labels"], is_flag=True, help="Any runner may take it."),
    )
)


@jobs.command("running", lists=True)
@workflow_argument
@pass_app
def running(app: App, workflow_id: int | None) -> None:
    """List the jobs that run now, and where."""
    columns = {
        "Job ID": "job_id", "Name": "job_name", "Runner": "compute_node_name", "Slurm Job": "scheduler_job_id",
        "Since": "start_time",
    }  # fmt: skip
    echo_records(app, app.service().get_running_jobs(pick(app, workflow_id)), columns, "running_jobs")


@jobs.command("create-from-file")
@click.argument("workflow_id", type=int)
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--cpus-per-job", type=click.IntRange(0), default=1, help="CPUs of each job (1).")
@click.option("--memory-per-job", default="1m", help="Memory of each job (1m).")
@click.option("--runtime-per-job", default="PT1M", metavar="DURATION", help="Run time of each job (PT1M).")
@pass_app
def create_from_file(
    app: App, workflow_id: int, file: Any, cpus_per_job: int, memory_per_job: str, runtime_per_job: str
) -> None:
    """Add a job for each line of FILE (-: standard input); blank lines and lines with # are left out."""
    commands = commands_in(file.read())
    if not commands:
        raise Invalid(f"{file.name} has no commands", hint="Write one command a line.")
    service = app.service()
    others = {needs.name for needs in service.each(ResourceRequirements, pick(app, workflow_id))}
    needs = ResourceRequirements.read(
        {
            "workflow_id": workflow_id, "name": _free_name(f"batch_jobs_req_{int(time.time())}", others),
            "num_cpus": cpus_per_job, "memory": memory_per_job, "runtime": runtime_per_job,
        }
    )  # fmt: skip
    taken = {job.name for job in service.each(Job, workflow_id, include_relationships=False)}
    needs_id = service.create(needs).id
    made = []
    for number, command in enumerate(commands, len(taken) + 1):
        name = _free_name(f"job{number}", taken)
        taken.add(name)
        made.append(Job(workflow_id=workflow_id, name=name, command=command, resource_requirements_id=needs_id))
    for first in range(0, len(made), MAX_LIMIT):
        service.create_jobs(JobList(jobs=made[first : first + MAX_LIMIT]))
    message = f"Created {counted(len(made), 'job')} in workflow {workflow_id}"
    echo_message(app, message, workflow_id=workflow_id, jobs_created=len(made))


def commands_in(text: str) -> list[str]:
    """Return the commands in a file: one a line, without blank lines and lines that begin with #."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


@jobs.command("list-resource-requirements", lists=True)
@workflow_argument
@click.option("-j", "--job-id", type=int, help="Only of this job.")
@pass_app
def list_resource_requirements(app: App, workflow_id: int | None, job_id: int | None) -> None:
    """List what each job needs."""
    columns = {
        "Job ID": "job_id", "Job Name": "job_name", "RR ID": "rr_id", "RR Name": "rr_name", "CPUs": "num_cpus",
        "GPUs": "num_gpus", "Nodes": "num_nodes", "Memory": "memory", "Runtime": "runtime",
    }  # fmt: skip
    service, chosen, listed = _jobs_asked_for(app, workflow_id, job_id)
    needs = {r.id: r for r in service.each(ResourceRequirements, chosen)}
    body = []
    for job in listed:
        r = needs[job.resource_requirements_id or 0]
        fields = {name: getattr(r, name) for name in ("num_cpus", "num_gpus", "num_nodes", "memory", "runtime")}
        who = {"job_id": job.id, "job_name": job.name, "rr_id": r.id, "rr_name": r.name, "workflow_id": chosen}
        body.append({**who, **fields})
    table(app, list(columns), ([row[name] for name in columns.values()] for row in body), body, "jobs")


@jobs.command("list-failure-handlers", lists=True)
@workflow_argument
@click.option("-j", "--job-id", type=int, help="Only of this job.")
@pass_app
def list_failure_handlers(app: App, workflow_id: int | None, job_id: int | None) -> None:
    """List what happens to each job that fails."""
    service, chosen, listed = _jobs_asked_for(app, workflow_id, job_id)
    handlers = {h.id: h for h in service.each(FailureHandler, chosen)}
    body, rows = [], []
    for job in listed:
        handler = handlers.get(job.failure_handler_id or 0)
        if handler is None:
            continue
        rows.append((job.id, job.name, handler.id, handler.name, rules_summary(handler.rules)))
        body.append(
            {
                "job_id": job.id, "job_name": job.name, "failure_handler_id": handler.id,
                "failure_handler_name": handler.name, "rules": handler.rules,
            }
        )  # fmt: skip
    columns = ("Job ID", "Job Name", "FH ID", "FH Name", "Rules Summary")
    table(app, columns, rows, body, "jobs with a failure handler")


def rules_summary(rules: Any) -> str:
    """Return the rules of a failure handler on one line: ``137,143: 3 retries+script; any: 1 retries``."""
    parts = []
    for rule in rules or ():
        codes = "any" if rule.get("match_all_exit_codes") else ",".join(map(str, rule.get("exit_codes") or ()))
        script = "+script" if rule.get("recovery_script") else ""
        parts.append(f"{codes}: {rule.get('max_retries', 3)} retries{script}")
    return "; ".join(parts)


def _jobs_asked_for(app: App, workflow_id: int | None, job_id: int | None) -> tuple[Service, int, list[Job]]:
    service = app.service()
    if job_id is not None:
        job = service.get(Job, job_id)
        return service, pick(app, job.workflow_id), [job]
    chosen = pick(app, workflow_id)
    return service, chosen, list(service.each(Job, chosen, include_relationships=False))


@jobs.command("logs")
@click.argument("job_id", type=int)
@output_dir_option
@pass_app
def logs(app: App, job_id: int, output_dir: Path | None) -> None:
    """Print what the latest attempt of a job wrote, standard output before standard error."""
    service = app.service()
    job = service.get(Job, job_id)
    found: Page[Result] = service.find(Result, job.workflow_id, job_id=job_id, limit=1)
    if not found.items:
        raise NotFound(f"job {job_id} has no result yet", hint=f"It is {job.status.value}.")
    [result] = found.items
    folder = output_folder(app, output_dir)
    named = dict.fromkeys(Logs.of(service, job.workflow_id, folder).streams(result).values())
    files = [file for file in named if file.exists()]
    if not files:
        raise NotFound(f"job {job_id} left no log files in {folder}", hint="Name the folder with -o.")
    if app.wants_json:
        echo_json({**bare_fields(result), "files": [str(file) for file in files]})
        return
    written = [_copy(file) for file in files]
    if not any(written):
        echo(f"job {job_id} wrote nothing", err=True)


def _copy(file: Path) -> bool:
    """Print a file of any size, with a line end at its end; returns whether there was anything in it."""
    piece = ""
    with file.open(encoding="utf-8", errors="replace") as opened:
        while more := opened.read(1 << 20):
            piece = more
            write(piece)
    if piece and not piece.endswith("\n"):
        echo()
    return bool(piece)
