"""A stored workflow as a plan, for what is made from plans: the dry run, the execution plan, an expanded spec."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torc_core.records.record import Record
from torc_core.records.resources import File, Job, ResourceRequirements, UserData, Workflow
from torc_core.service.api import Service
from torc_core.spec.plan import NOTHING, Plan, PlannedData, PlannedFile, PlannedJob
from torc_core.status import JobStatus


def plan_of(service: Service, workflow_id: int, only: Sequence[JobStatus] | None = None) -> Plan:
    """Return the plan of a workflow; with ``only``, of the jobs in these statuses, which wait only for each other."""
    plan = Plan()
    workflow = service.get(Workflow, workflow_id)
    plan.workflow = {"name": workflow.name, "description": workflow.description, "env": workflow.env or {}}
    needs = list(service.each(ResourceRequirements, workflow_id))
    plan.requirements = [{n: v for n, v in vars(r).items() if n not in ("id", "workflow_id")} for r in needs]
    files = list(service.each(File, workflow_id))
    plan.files = [PlannedFile(f.name, f.path) for f in files]
    data = list(service.each(UserData, workflow_id))
    plan.data = [PlannedData(d.name, d.data, d.is_ephemeral) for d in data]
    jobs = list(service.each(Job, workflow_id, include_relationships=True))
    if only is not None:
        jobs = [job for job in jobs if job.status in only]
    places = (_places(jobs), _places(files), _places(data), _places(needs))
    plan.jobs = [_planned(job, *places) for job in jobs]
    return plan


def _places(records: Iterable[Record]) -> dict[int, int]:
    return {record.id: place for place, record in enumerate(records)}


def _planned(
    job: Job, jobs: dict[int, int], files: dict[int, int], data: dict[int, int], needs: dict[int, int]
) -> PlannedJob:
    planned = PlannedJob(job.name, job.command)
    planned.invocation_script = job.invocation_script
    planned.cancel_on_failure = job.cancel_on_blocking_job_failure
    planned.supports_termination = job.supports_termination
    planned.priority = job.priority
    planned.env = job.env
    planned.labels = tuple(job.labels or ())
    planned.stdio = job.stdio
    planned.requirements = needs.get(job.resource_requirements_id or 0, -1)
    planned.depends_on = _positions(job.depends_on_job_ids, jobs)
    planned.inputs = _positions(job.input_file_ids, files)
    planned.outputs = _positions(job.output_file_ids, files)
    planned.data_inputs = _positions(job.input_user_data_ids, data)
    planned.data_outputs = _positions(job.output_user_data_ids, data)
    return planned


def _positions(ids: list[int] | None, places: dict[int, int]) -> tuple[int, ...]:
    return tuple(places[id] for id in ids if id in places) if ids else NOTHING
