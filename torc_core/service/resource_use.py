"""What the attempts of a workflow used, read from its results for the rules in ``engine.resource_rules``."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from torc_core.engine.resource_rules import OOM_CODE, TIMEOUT_CODE, Attempt, Needs
from torc_core.records.resources import Event, Job, ResourceRequirements, Result, Workflow
from torc_core.service.clock import seconds_of
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.service.api import Service

ENDED_WELL = (JobStatus.COMPLETED,)
ENDED_BADLY = (JobStatus.FAILED, JobStatus.TERMINATED)


class ResourceUse(NamedTuple):
    """The latest attempt of each job that has ended, and who shares requirements with whom."""

    attempts: list[Attempt]
    jobs: dict[int, list[int]]  # ids of all jobs by the id of their requirements
    oom_code: int = OOM_CODE
    timeout_code: int = TIMEOUT_CODE


def resource_use(
    service: Service,
    workflow_id: int,
    statuses: Collection[JobStatus] = (*ENDED_WELL, *ENDED_BADLY),
    *,
    run_id: int | None = None,
    job_ids: Collection[int] | None = None,
) -> ResourceUse:
    """Read what ended with one of the statuses: the latest result of each job, or its last one in a run.

    Attempts are compared with what the job's requirements say now. ``job_ids`` narrows the attempts, not ``jobs``.
    """
    needs = {record.id: Needs.of(record) for record in service.each(ResourceRequirements, workflow_id)}
    jobs = {job.id: job for job in service.each(Job, workflow_id, include_relationships=False)}
    by_needs: dict[int, list[int]] = {}
    for job in jobs.values():
        by_needs.setdefault(job.resource_requirements_id or 0, []).append(job.id)
    filters = {} if run_id is None else {"run_id": run_id, "all_runs": True}
    latest: dict[int, Result] = {}
    for result in service.each(Result, workflow_id, **filters):
        if result.job_id in jobs and (result.job_id not in latest or _key(latest[result.job_id]) < _key(result)):
            latest[result.job_id] = result
    changed = _changes(service, workflow_id)
    attempts = [
        _attempt(result, jobs[job_id].name, needs[jobs[job_id].resource_requirements_id or 0], changed)
        for job_id, result in latest.items()
        if result.status in statuses
        and (job_ids is None or job_id in job_ids)
        and jobs[job_id].resource_requirements_id in needs
    ]
    config = service.get(Workflow, workflow_id).execution_config or {}
    return ResourceUse(
        attempts, by_needs, config.get("oom_exit_code", OOM_CODE), config.get("timeout_exit_code", TIMEOUT_CODE)
    )


def _key(result: Result) -> tuple[int, int]:
    return result.run_id, result.attempt_id


def _changes(service: Service, workflow_id: int) -> dict[int, float]:
    """Return when requirements were last changed, in seconds since 1970, by their ids."""
    found: dict[int, float] = {}
    for event in service.each(Event, workflow_id, category="user_action"):
        if event.data.get("action") == "update_resource_requirements":
            found[event.data["resource_requirements_id"]] = event.timestamp / 1000
    return found


def _attempt(result: Result, name: str, needs: Needs, changed: dict[int, float]) -> Attempt:
    try:
        is_outdated = seconds_of(result.completion_time) < changed.get(needs.id, 0.0)
    except ValueError:
        is_outdated = False  # a client's own notation
    return Attempt(
        result.job_id, name, needs, result.status, result.return_code, result.exec_time_minutes * 60,
        result.peak_memory_bytes, result.peak_cpu_percent, is_outdated,
    )  # fmt: skip
