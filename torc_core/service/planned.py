"""A plan as the request that stores it."""

from __future__ import annotations

from typing import Any

from torc_core.records.answers import NewWorkflow
from torc_core.spec.plan import Plan, PlannedJob

_COLUMNS = {
    "name": "name", "command": "command", "invocation_script": "invocation_script", "priority": "priority",
    "cancel_on_blocking_job_failure": "cancel_on_failure", "supports_termination": "supports_termination",
    "depends_on_job_ids": "depends_on", "input_file_ids": "inputs", "output_file_ids": "outputs",
    "input_user_data_ids": "data_inputs", "output_user_data_ids": "data_outputs",
    "resource_requirements_id": "requirements", "failure_handler_id": "handler", "scheduler_id": "scheduler",
    "env": "env", "labels": "labels", "stdio": "stdio",
}  # fmt: skip
RECORD_NAMES = {"resource_monitor": "resource_monitor_config"}
"""Fields of a workflow that have another name in specs."""
_BLANK = PlannedJob("", "")
_ALWAYS = ("name", "command")


def creation_of(plan: Plan, user: str, submission_directory: str) -> NewWorkflow:
    """Return what creates the plan's workflow. Columns in which every job has the default are left out."""
    workflow = {RECORD_NAMES.get(name, name): value for name, value in plan.workflow.items()}
    workflow |= {"user": user, "submission_directory": submission_directory}
    return NewWorkflow(
        workflow=workflow,
        files=[_file(file) for file in plan.files],
        user_data=[{"name": d.name, "data": d.data, "is_ephemeral": d.is_ephemeral} for d in plan.data],
        resource_requirements=plan.requirements,
        slurm_schedulers=plan.schedulers,
        failure_handlers=plan.handlers,
        workflow_actions=[_action(action) for action in plan.actions],
        jobs=_job_columns(plan.jobs),
    )


def _file(file: Any) -> dict[str, Any]:
    found = {"name": file.name, "path": file.path}
    if file.st_mtime is not None:
        found["st_mtime"] = file.st_mtime
    if file.identifier is not None:
        found["identifier"] = file.identifier
    return found


def _job_columns(jobs: list[PlannedJob]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name, attribute in _COLUMNS.items():
        column = [getattr(job, attribute) for job in jobs]
        blank = getattr(_BLANK, attribute)
        if name in _ALWAYS or any(value != blank for value in column):
            columns[name] = column
    if "labels" in columns:
        columns["labels"] = [list(labels) or None for labels in columns["labels"]]
    return columns


def _action(action: dict[str, Any]) -> dict[str, Any]:
    """Return an action of a spec as a record: what is not about the trigger is its configuration."""
    known = ("trigger_type", "action_type", "persistent")
    record = {name: action[name] for name in known if name in action}
    if "jobs" in action:
        record["job_ids"] = list(action["jobs"])
    left_out = {*known, "jobs"}
    record["action_config"] = {
        name: value for name, value in action.items() if name not in left_out and value is not None
    }
    return record
