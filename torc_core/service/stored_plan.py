"""A stored workflow as a plan, for what is made from plans: the dry run, the execution plan, an expanded spec."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from torc_core.records.record import Record, WorkflowPart
from torc_core.records.resources import (
    FailureHandler,
    File,
    Job,
    ResourceRequirements,
    SlurmScheduler,
    UserData,
    Workflow,
    WorkflowAction,
)
from torc_core.service import lineages
from torc_core.service.api import Service
from torc_core.service.planned import RECORD_NAMES
from torc_core.spec.plan import NOTHING, Plan, PlannedData, PlannedFile, PlannedJob
from torc_core.status import JobStatus

P = TypeVar("P", bound=WorkflowPart)
_OWN = ("id", "workflow_id", "user", "submission_directory")
"""What is given when a workflow is stored and is in no spec."""
_SPEC_NAMES = {record: spec for spec, record in RECORD_NAMES.items()}


class _Places(NamedTuple):
    """Position in the plan of each record, by id."""

    jobs: dict[int, int]
    files: dict[int, int]
    data: dict[int, int]
    needs: dict[int, int]
    schedulers: dict[int, int]
    handlers: dict[int, int]


def plan_of(
    service: Service, workflow_id: int, only: Sequence[JobStatus] | None = None, *, with_spawned: bool = True
) -> Plan:
    """Return the plan of a workflow; with ``only``, of the jobs in these statuses, which wait only for each other.

    Without those that jobs have spawned (and what is remembered of that), it is of the workflow before it ran.
    """

    def all_of(kind: type[P], **filters: Any) -> list[P]:
        return list(service.each(kind, workflow_id, **filters))

    jobs = all_of(Job, include_relationships=True)
    if only is not None:
        jobs = [job for job in jobs if job.status in only]
    if not with_spawned:
        jobs = [job for job in jobs if job.origin != lineages.ORIGIN]
    files, data, needs = all_of(File), all_of(UserData), all_of(ResourceRequirements)
    if not with_spawned:
        data = [record for record in data if not record.name.startswith(lineages.PREFIX)]
    schedulers, handlers = all_of(SlurmScheduler), all_of(FailureHandler)
    places = _Places(*(_places(kind) for kind in (jobs, files, data, needs, schedulers, handlers)))
    plan = Plan()
    workflow = _fields(service.get(Workflow, workflow_id))
    plan.workflow = {_SPEC_NAMES.get(name, name): value for name, value in workflow.items()}
    plan.requirements = [_fields(record) for record in needs]
    plan.schedulers = [_fields(record) for record in schedulers]
    plan.handlers = [_fields(record) for record in handlers]
    plan.files = [_planned_file(file) for file in files]
    plan.data = [PlannedData(d.name, d.data, d.is_ephemeral) for d in data]
    plan.jobs = [_planned(job, places) for job in jobs]
    plan.actions = [_action(action, places) for action in all_of(WorkflowAction)]
    return plan


def _places(records: Iterable[Record]) -> dict[int, int]:
    return {record.id: place for place, record in enumerate(records)}


def _fields(record: Record) -> dict[str, Any]:
    """Return what a spec says of a record: the fields that are set, but for what the service fills in."""
    fields = type(record).FIELDS
    found = ((name, getattr(record, name)) for name, f in fields.items() if not f.read_only and name not in _OWN)
    return {name: value for name, value in found if value is not None}


def _planned_file(file: File) -> PlannedFile:
    planned = PlannedFile(file.name, file.path)
    planned.identifier = file.identifier
    return planned


def _planned(job: Job, places: _Places) -> PlannedJob:
    return PlannedJob(
        job.name,
        job.command,
        invocation_script=job.invocation_script,
        cancel_on_failure=job.cancel_on_blocking_job_failure,
        supports_termination=job.supports_termination,
        priority=job.priority,
        env=job.env,
        labels=tuple(job.labels or ()),
        stdio=job.stdio,
        requirements=places.needs.get(job.resource_requirements_id or 0, -1),
        handler=places.handlers.get(job.failure_handler_id or 0, -1),
        scheduler=places.schedulers.get(job.scheduler_id or 0, -1),
        depends_on=_positions(job.depends_on_job_ids, places.jobs),
        inputs=_positions(job.input_file_ids, places.files),
        outputs=_positions(job.output_file_ids, places.files),
        data_inputs=_positions(job.input_user_data_ids, places.data),
        data_outputs=_positions(job.output_user_data_ids, places.data),
    )


def _positions(ids: list[int] | None, places: dict[int, int]) -> tuple[int, ...]:
    return tuple(places[id] for id in ids if id in places) if ids else NOTHING


def _action(action: WorkflowAction, places: _Places) -> dict[str, Any]:
    """Return an action as a spec has it: its configuration beside what triggers it."""
    made = {"trigger_type": action.trigger_type, "action_type": action.action_type, **(action.action_config or {})}
    scheduler = places.schedulers.get(made.pop("scheduler_id", 0))
    if scheduler is not None:
        made["scheduler"] = scheduler
    if action.job_ids is not None:
        made["jobs"] = list(_positions(action.job_ids, places.jobs))
    made["persistent"] = action.persistent
    return made
