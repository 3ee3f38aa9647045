"""Why ready jobs are not given to a runner, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torc_core.records.answers import JobLaunch
from torc_core.records.resources import Job, ResourceRequirements
from torc_core.status import JobStatus
from torc_core.units import counted, human_duration, parse_duration, parse_memory

if TYPE_CHECKING:
    from torc_core.runner.capacity import Capacity
    from torc_core.runner.options import RunnerOptions
    from torc_core.service.api import Service

_LOOKED_AT = 1000  # ready jobs
_SHOWN = 5  # reasons


def explain(
    service: Service, workflow_id: int, capacity: Capacity, options: RunnerOptions, seconds_left: float | None = None
) -> str | None:
    """Say which ready jobs can never run here and why, or None when nothing speaks against them."""
    needs = {need.id: need for need in service.each(ResourceRequirements, workflow_id)}
    reasons: dict[str, list[str]] = {}
    for job in service.find(Job, workflow_id, limit=_LOOKED_AT, status=JobStatus.READY).items:
        reason = _reason(job, needs.get(job.resource_requirements_id or 0), capacity, options, seconds_left)
        if reason is not None:
            reasons.setdefault(reason, []).append(job.name)
    lines = [f"{_names(names)}: {reason}" for reason, names in list(reasons.items())[:_SHOWN]]
    if len(reasons) > _SHOWN:
        lines.append(f"and {counted(len(reasons) - _SHOWN, 'more reason')}")
    return "; ".join(lines) or None


def _names(names: list[str]) -> str:
    return f"job {names[0]!r}" if len(names) == 1 else f"job {names[0]!r} and {len(names) - 1} more"


def _reason(
    job: Job,
    need: ResourceRequirements | None,
    capacity: Capacity,
    options: RunnerOptions,
    seconds_left: float | None,
) -> str | None:
    wanted, offered = set(job.labels or ()), set(options.labels)
    if not wanted <= offered:
        return f"wants a runner with the labels {', '.join(sorted(wanted))}"
    if offered and not wanted:
        return "has no labels, and a runner with labels takes only jobs that have some"
    if options.strict_scheduler_match and job.scheduler_id not in (None, options.scheduler_config_id):
        return f"is for the scheduler {job.scheduler_id}"
    if need is None:
        return None
    launch = JobLaunch(
        id=job.id, name=job.name, command="", attempt_id=1, num_cpus=need.num_cpus, num_gpus=need.num_gpus,
        num_nodes=need.num_nodes, memory_bytes=parse_memory(need.memory),
    )  # fmt: skip
    reason = capacity.misfit(launch)
    runtime = parse_duration(need.runtime)
    if reason is None and seconds_left is not None and runtime > seconds_left and options.max_parallel_jobs is None:
        return f"needs {human_duration(runtime)}, but this runner has {human_duration(max(seconds_left, 0))} left"
    return reason
