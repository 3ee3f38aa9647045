"""``torc workflows diagnose``: why nothing starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.errors import TorcError
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Job, ResourceRequirements

if TYPE_CHECKING:
    from torc_core.diagnosis.facts import Facts, JobFacts, RunnerFacts
    from torc_core.engine.lanes import Room
    from torc_core.service.api import Service

_EXAMPLES = """
torc diagnose
torc diagnose 3 -f json
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@pass_app
def diagnose(app: App, workflow_id: int | None) -> None:
    """Say why jobs do not start, and what to do: runners, requirements, labels, dependencies, missing inputs."""
    from torc_core.diagnosis.packing import numbers
    from torc_core.diagnosis.starting import diagnose as findings_of

    chosen = pick(app, workflow_id)
    facts = facts_of(app.service(), chosen)
    findings = findings_of(facts)
    if not app.wants_json:
        for finding in findings:
            echo(finding.message)
            if finding.next:
                echo(f"  {finding.next}")
        return
    listed = []
    for finding in findings:
        entry: dict[str, Any] = {"code": finding.code, "message": finding.message, "count": finding.number}
        entry |= {"job_ids": list(finding.job_ids)} | ({"next": finding.next} if finding.next else {})
        listed.append(entry)
    echo_json({"workflow_id": chosen, **numbers(facts), "findings": listed})


def facts_of(service: Service, workflow_id: int) -> Facts:
    """Read what is known of a workflow."""
    from torc_core.diagnosis.facts import Facts
    from torc_core.status import JobStatus

    summary = service.get_workflow_status(workflow_id)
    jobs = _jobs(service, workflow_id)
    allocations = [node.status for node in service.each(ScheduledComputeNode, workflow_id)]
    missing_files: list[str] = []
    missing_data: list[str] = []
    if any(job.status is JobStatus.UNINITIALIZED for job in jobs):
        missing_files, missing_data = _missing(service, workflow_id)
    return Facts(
        workflow_id, jobs, _runners(service, workflow_id), summary.is_archived, summary.is_canceled, missing_files,
        missing_data, allocations.count("pending"), allocations.count("active"), _past(service, workflow_id),
    )  # fmt: skip


def _missing(service: Service, workflow_id: int) -> tuple[list[str], list[str]]:
    """Return paths and names of what the next run would lack; nothing when it could not begin for another reason."""
    from torc_core.runner.beginning import begin_run

    try:
        begun = begin_run(service, workflow_id, again=True, dry_run=True)
    except TorcError:
        return [], []
    return begun.missing_input_files, begun.missing_user_data


def _jobs(service: Service, workflow_id: int) -> list[JobFacts]:
    from torc_core.diagnosis.facts import JobFacts
    from torc_core.engine.lanes import Lane
    from torc_core.units import parse_duration, parse_memory

    needs = {record.id: record for record in service.each(ResourceRequirements, workflow_id)}
    lanes: dict[tuple[Any, ...], Lane] = {}

    def lane_of(job: Job) -> Lane:
        key = (job.resource_requirements_id, job.scheduler_id, tuple(job.labels or ()))
        if key not in lanes:
            r = needs.get(job.resource_requirements_id or 0) or ResourceRequirements.of({})
            lanes[key] = Lane(
                0, r.num_gpus, parse_duration(r.runtime), parse_memory(r.memory), r.num_cpus, r.num_nodes,
                job.scheduler_id or 0, frozenset(job.labels or ()),
            )  # fmt: skip
        return lanes[key]

    return [
        JobFacts(
            job.id, job.name, job.status, lane_of(job), job.depends_on_job_ids or (),
            _things(job.input_file_ids, job.input_user_data_ids),
            _things(job.output_file_ids, job.output_user_data_ids), job.retry_at, job.compute_node_id,
        )
        for job in service.each(Job, workflow_id, include_relationships=True)
    ]  # fmt: skip


def _things(files: list[int] | None, data: list[int] | None) -> list[tuple[str, int]]:
    return [*(("file", id) for id in files or ()), *(("data", id) for id in data or ())]


def _runners(service: Service, workflow_id: int) -> list[RunnerFacts]:
    from torc_core.diagnosis.facts import RunnerFacts
    from torc_core.service.processes import is_dead

    return [
        RunnerFacts(
            node.id, node.hostname, _room(node), _seconds_left(node), node.process is not None and is_dead(node.process)
        )
        for node in service.each(ComputeNode, workflow_id, is_active=True)
    ]


def _past(service: Service, workflow_id: int) -> list[RunnerFacts]:
    """Return the runners that have left, of each kind one; how much time they had left is not known any more."""
    from torc_core.diagnosis.facts import RunnerFacts

    kinds = {_has(node): node for node in service.each(ComputeNode, workflow_id, is_active=False)}
    return [RunnerFacts(node.id, node.hostname, _room(node)) for node in kinds.values()]


def _room(node: ComputeNode) -> Room:
    from torc_core.diagnosis.facts import room

    return room(*_has(node))


def _has(node: ComputeNode) -> tuple[int, int, int, int, tuple[str, ...], int]:
    """Return CPUs, bytes of memory, GPUs, machines, labels and scheduler of a runner."""
    return (
        node.num_cpus, int(node.memory_gb * 2**30), node.num_gpus, node.num_nodes, tuple(node.labels or ()),
        node.scheduler_config_id or 0,
    )  # fmt: skip


def _seconds_left(node: ComputeNode) -> float | None:
    """Return how long a runner goes on, None when it says no end."""
    from torc_core.service.clock import seconds_of
    from torc_core.units import UnitError, parse_duration

    try:
        if node.end_time is not None:
            return seconds_of(node.end_time) - time.time()
        if node.time_limit is not None:
            return seconds_of(node.start_time) + parse_duration(node.time_limit) - time.time()
    except (UnitError, ValueError):
        return None  # a client's own notation
    return None
