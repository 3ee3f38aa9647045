"""From a plan back to the data of a spec without parameters, constants, patterns or command variables."""

from __future__ import annotations

from typing import Any

from torc_core.spec.plan import Plan, PlannedData, PlannedFile, PlannedJob


def spec_data(plan: Plan) -> dict[str, Any]:
    """Return an expanded spec that gives the same plan again; sections without entries are left out."""
    sections = {
        "files": [_file(file) for file in plan.files],
        "user_data": [_user_data(data) for data in plan.data],
        "resource_requirements": [dict(entry) for entry in plan.requirements],
        "failure_handlers": [dict(entry) for entry in plan.handlers],
        "slurm_schedulers": [dict(entry) for entry in plan.schedulers],
        "jobs": [_job(job, plan) for job in plan.jobs],
        "actions": [_action(action, plan) for action in plan.actions],
    }
    return dict(plan.workflow) | {name: items for name, items in sections.items() if items or name == "jobs"}


def _file(file: PlannedFile) -> dict[str, Any]:
    made: dict[str, Any] = {"name": file.name, "path": file.path}
    if file.st_mtime is not None:
        made["st_mtime"] = file.st_mtime
    if file.identifier is not None:
        made["identifier"] = file.identifier
    return made


def _user_data(data: PlannedData) -> dict[str, Any]:
    made: dict[str, Any] = {"name": data.name}
    if data.data is not None:
        made["data"] = data.data
    if data.is_ephemeral:
        made["is_ephemeral"] = True
    return made


def _job(job: PlannedJob, plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = {"name": job.name, "command": job.command}
    if job.invocation_script is not None:
        made["invocation_script"] = job.invocation_script
    if not job.cancel_on_failure:
        made["cancel_on_blocking_job_failure"] = False
    if job.supports_termination:
        made["supports_termination"] = True
    for field, position, entries in (
        ("resource_requirements", job.requirements, plan.requirements),
        ("failure_handler", job.handler, plan.handlers),
        ("scheduler", job.scheduler, plan.schedulers),
    ):
        if position >= 0:
            made[field] = entries[position]["name"]
    if job.depends_on:
        made["depends_on"] = [plan.jobs[i].name for i in job.depends_on]
    if job.inputs:
        made["input_files"] = [plan.files[i].name for i in job.inputs]
    if job.outputs:
        made["output_files"] = [plan.files[i].name for i in job.outputs]
    if job.data_inputs:
        made["input_user_data"] = [plan.data[i].name for i in job.data_inputs]
    if job.data_outputs:
        made["output_user_data"] = [plan.data[i].name for i in job.data_outputs]
    if job.priority:
        made["priority"] = job.priority
    if job.env:
        made["env"] = dict(job.env)
    if job.labels:
        made["labels"] = list(job.labels)
    if job.stdio is not None:
        made["stdio"] = dict(job.stdio)
    return made


def _action(action: dict[str, Any], plan: Plan) -> dict[str, Any]:
    made = dict(action)
    if "jobs" in made:
        made["jobs"] = [plan.jobs[i].name for i in made["jobs"]]
    if "scheduler" in made:
        made["scheduler"] = plan.schedulers[made["scheduler"]]["name"]
    return made
