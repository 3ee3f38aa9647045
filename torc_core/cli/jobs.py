"""``torc jobs``: list, inspect, change, reset."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.kinds import Shown, group_of
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.cli.showing import bare_fields, echo_records, table
from torc_core.errors import TorcError, UsageError
from torc_core.records.answers import JobReset
from torc_core.records.record import Page
from torc_core.records.resources import Job, ResourceRequirements
from torc_core.status import JobStatus

JOBS = Shown(
    Job,
    {"ID": "id", "Name": "name", "Status": "status", "Priority": "priority", "Command": lambda j: _short(j.command)},
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
)  # fmt: skip
jobs = group_of(JOBS, "jobs", "Jobs: list, inspect, change, reset.")


def _short(command: str) -> str:
    line = command.partition("\n")[0]
    return line if len(command) <= 60 else f"{line[:57]}..."


@jobs.command("running", cls=TorcCommand)
@workflow_argument
@pass_app
def running(app: App, workflow_id: int | None) -> None:
    """List the jobs that run now, and where."""
    columns = {"Job ID": "job_id", "Name": "job_name", "Runner": "compute_node_name", "Since": "start_time"}
    echo_records(app, app.service().list_running_jobs(pick(app, workflow_id)), columns, "running jobs")


@jobs.command("create-from-file", cls=TorcCommand)
@click.argument("workflow_id", type=int)
@click.argument("file", type=click.File())
@click.option("--cpus-per-job", type=int, default=1, help="CPUs of each job (1).")
@click.option("--memory-per-job", default="1m", help="Memory of each job (1m).")
@click.option("--runtime-per-job", default="PT1M", help="Run time of each job (PT1M).")
@pass_app
def create_from_file(
    app: App, workflow_id: int, file: Any, cpus_per_job: int, memory_per_job: str, runtime_per_job: str
) -> None:
    """Add a job for each line of a file; blank lines and lines with # are left out."""
    from torc_core.records.answers import JobList

    lines = [line.strip() for line in file]
    commands = [line for line in lines if line and not line.startswith("#")]
    if not commands:
        raise TorcError(f"{file.name} has no commands", hint="Write one command a line.")
    service = app.service()
    needs = ResourceRequirements.read(
        {
            "workflow_id": workflow_id, "name": f"batch_jobs_req_{int(time.time())}", "num_cpus": cpus_per_job,
            "memory": memory_per_job, "runtime": runtime_per_job,
        }
    )  # fmt: skip
    needs_id = service.create(needs).id
    taken = {job.name for job in service.each(Job, workflow_id)}
    made = []
    for number, command in enumerate(commands, len(taken) + 1):
        name = _free_name(f"job{number}", taken)
        taken.add(name)
        made.append(Job(workflow_id=workflow_id, name=name, command=command, resource_requirements_id=needs_id))
    service.create_jobs(JobList(jobs=made))
    message = f"Created {len(made)} jobs in workflow {workflow_id}"
    if app.wants_json:
        echo_json({"status": "success", "message": message, "workflow_id": workflow_id, "jobs_created": len(made)})
    else:
        echo(message)


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


@jobs.command("list-resource-requirements", cls=TorcCommand)
@workflow_argument
@click.option("-j", "--job-id", type=int, help="Only of this job.")
@pass_app
def list_resource_requirements(app: App, workflow_id: int | None, job_id: int | None) -> None:
    """List what each job needs."""
    service = app.service()
    if job_id is not None:
        listed = [service.get(Job, job_id)]
        chosen = listed[0].workflow_id
    else:
        chosen = pick(app, workflow_id)
        listed = list(service.each(Job, chosen))
    needs = {r.id: r for r in service.each(ResourceRequirements, chosen)}
    body = []
    for job in listed:
        r = needs[job.resource_requirements_id or 0]
        body.append(
            {
                "job_id": job.id, "job_name": job.name, "rr_id": r.id, "rr_name": r.name, "workflow_id": chosen,
                "num_cpus": r.num_cpus, "num_gpus": r.num_gpus, "num_nodes": r.num_nodes, "memory": r.memory,
                "runtime": r.runtime,
            }
        )  # fmt: skip
    columns = ("Job ID", "Job Name", "RR ID", "RR Name", "CPUs", "GPUs", "Nodes", "Memory", "Runtime")
    names = ("job_id", "job_name", "rr_id", "rr_name", "num_cpus", "num_gpus", "num_nodes", "memory", "runtime")
    table(app, columns, ([row[name] for name in names] for row in body), body, "jobs")


@jobs.command("reset-status", cls=TorcCommand)
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--status", "statuses", help="All jobs with one of these statuses, separated by commas.")
@click.option("--return-code", type=int, help="All jobs whose latest result has this code.")
@click.option("--workflow-id", type=int, help="With --status or --return-code.")
@click.option("--force", is_flag=True, help="Although runners are active.")
@click.option("--dry-run", is_flag=True, help="Only show the jobs.")
@click.option("--reinit", is_flag=True, help="Begin the next run at once.")
@click.option("--no-prompts", is_flag=True, help="Do not ask.")
@pass_app
def reset_status(
    app: App, job_ids: tuple[int, ...], statuses: str | None, return_code: int | None, workflow_id: int | None,
    force: bool, dry_run: bool, reinit: bool, no_prompts: bool,
) -> int:  # fmt: skip
    """Make chosen jobs and everything downstream of them uninitialized, so that they run again."""
    service = app.service()
    choice = _choice(job_ids, statuses, return_code)
    chosen = service.get(Job, job_ids[0]).workflow_id if job_ids else pick(app, workflow_id, silently=False)
    found = service.reset_jobs(chosen, choice.changed(dry_run=True))
    if not force and not dry_run:
        _refuse_active(service.get_workflow_status(chosen))
    names = {job.id: job for job in service.each(Job, chosen)}
    listed = [_listed(names[id]) for id in found.chosen]
    below = [_listed(names[id]) for id in found.downstream]
    if dry_run:
        body = {
            "dry_run": True, "reinit_requested": reinit, "workflow_id": chosen, "jobs": listed, "downstream_jobs": below
        }  # fmt: skip
        rows = [(j["job_id"], j["name"], j["status"], "chosen") for j in listed]
        rows += [(j["job_id"], j["name"], j["status"], "follows") for j in below]
        table(app, ("ID", "Name", "Status", "Why"), rows, body, "jobs")
        return 0
    question = f"Reset {len(listed)} jobs and {len(below)} that follow them in workflow {chosen}?"
    if not confirmed(app, question, no_prompts):
        return 0
    service.reset_jobs(chosen, choice)
    error = _reinit(app, chosen) if reinit else None
    if app.wants_json:
        echo_json(
            {
                "status": "partial_failure" if error else "success", "workflow_id": chosen, "reset_count": len(listed),
                "requested_job_ids": list(job_ids), "reset_job_ids": found.chosen,
                "downstream_jobs": below, "failures": [],
                "next_steps": [] if reinit else [f"torc workflows reinit {chosen}"],
                "reinit": {"requested": reinit, "applied": reinit and not error, "error": error},
            }
        )  # fmt: skip
    else:
        echo(f"Reset {len(listed)} jobs and {len(below)} that follow them")
        if not reinit:
            echo(f"Begin the next run with: torc workflows reinit {chosen}")
    if error:
        echo(f"Error: {error}", err=True)
    return 1 if error else 0


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


def _refuse_active(summary: Any) -> None:
    if summary.active_compute_nodes:
        raise TorcError(
            f"workflow {summary.workflow_id} has {summary.active_compute_nodes} active runners",
            hint="Wait for them or cancel the workflow; --force resets anyway.",
        )


def _listed(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "name": job.name, "status": job.status.value}


def _reinit(app: App, workflow_id: int) -> str | None:
    from torc_core.runner.beginning import begin_run

    try:
        begin_run(app.service(), workflow_id, again=True)
    except TorcError as exc:
        return str(exc)
    return None


@jobs.command("logs", cls=TorcCommand)
@click.argument("job_id", type=int)
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), help="Folder of the logs (torc_output).")
@pass_app
def logs(app: App, job_id: int, output_dir: Path | None) -> None:
    """Print what the latest attempt of a job wrote, standard output before standard error."""
    from torc_core.cli.reports import log_files, output_folder
    from torc_core.records.resources import Result, Workflow

    service = app.service()
    job = service.get(Job, job_id)
    found: Page[Result] = service.find(Result, job.workflow_id, job_id=job_id, limit=1)
    if not found.items:
        raise TorcError(f"job {job_id} has no result yet", hint=f"It is {job.status}.")
    folder = output_folder(app, output_dir)
    workflow = service.get(Workflow, job.workflow_id)
    named = dict.fromkeys(log_files(folder, workflow, job, found.items[0]).values())
    files = [file for file in named if file.exists()]
    if not files:
        raise TorcError(f"job {job_id} left no log files in {folder}", hint="Name the folder with -o.")
    if app.wants_json:
        echo_json(bare_fields(found.items[0]) | {"files": [str(file) for file in files]})
        return
    for file in files:
        echo(file.read_text(errors="replace").rstrip("\n"))
