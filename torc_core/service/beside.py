"""What is kept beside workflows and jobs: the published status record, machines, numbers of other schedulers."""

from __future__ import annotations

from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid, NotFound
from torc_core.records import answers as a
from torc_core.records.allocations import RemoteWorker, ScheduledComputeNode
from torc_core.records.record import MAX_LIMIT, Page
from torc_core.records.resources import ComputeNode, Job, Result, Workflow
from torc_core.service.api import Service
from torc_core.service.queries import check_page
from torc_core.service.registry import handles
from torc_core.service.turn import Turn, of_workflow
from torc_core.status import RUNNING


@handles(Service.update_workflow_status)
def update_workflow_status(turn: Turn, id: int, status: a.WorkflowStatus) -> a.WorkflowStatus:
    """Write run id and flags as sent; what is left out stays."""
    state = turn.state(id)
    if status.run_id < 0:
        raise Invalid("run_id must not be negative", field="run_id", value=str(status.run_id))
    turn.touch(id)
    changes: dict[str, Any] = {"run_id": status.run_id, "is_canceled": status.is_canceled}
    if status.is_archived is not None:
        changes["is_archived"] = status.is_archived
    turn.set(Workflow, changes, [Condition("id", "equal", id)])
    state.run_id, state.has_results = status.run_id, True  # of which there may be some already
    state.graph.canceled = status.is_canceled
    state.is_archived = changes.get("is_archived", state.is_archived)
    return a.WorkflowStatus(
        id=id, run_id=state.run_id, is_canceled=status.is_canceled, is_archived=state.is_archived,
        has_detected_need_to_run_completion_script=False,
    )  # fmt: skip


# jobs and the numbers that schedulers know them by


def _scheduler_jobs(turn: Turn, workflow_id: int, schedulers: dict[int, Any]) -> dict[int, str]:
    """Return the batch system's number by compute node, for nodes that belong to an allocation."""
    rows = turn.rows(ScheduledComputeNode, ("id", "scheduler_id"), of_workflow(workflow_id))
    numbers: dict[int, int] = dict(rows)
    found = {}
    for node, scheduler in schedulers.items():
        allocation = scheduler.get("scheduler_id") if isinstance(scheduler, dict) else None
        if isinstance(allocation, int) and allocation in numbers:
            found[node] = str(numbers[allocation])
    return found


@handles(Service.get_running_jobs)
def get_running_jobs(turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[a.RunningJob]:
    """List what runs now."""
    turn.state(id)
    check_page(offset, limit)
    where = of_workflow(id, Condition("status", "equal", RUNNING))
    nodes = {node.id: node for node in turn.records(ComputeNode, of_workflow(id))}
    numbers = _scheduler_jobs(turn, id, {node.id: node.scheduler for node in nodes.values()})
    items = []
    for job_id, name, holder, start in turn.rows(
        Job, ("id", "name", "compute_node_id", "start_time"), where, offset=offset, limit=limit
    ):
        node = nodes.get(holder)
        items.append(
            a.RunningJob(
                job_id=job_id, job_name=name, compute_node_name=node.hostname if node else "",
                scheduler_type=node.compute_node_type if node else "", scheduler_job_id=numbers.get(holder),
                start_time=start,
            )
        )  # fmt: skip
    return Page(items, turn.storage.count(Job, where), offset, limit)


@handles(Service.get_slurm_job_correlations)
def get_slurm_job_correlations(
    turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT
) -> Page[a.SlurmCorrelation]:
    """List jobs with a result from an allocation, and its number."""
    turn.state(id)
    check_page(offset, limit)
    schedulers = {node.id: node.scheduler for node in turn.records(ComputeNode, of_workflow(id))}
    numbers = _scheduler_jobs(turn, id, schedulers)
    pairs: dict[tuple[int, str], None] = {}
    for job_id, node in turn.rows(Result, ("job_id", "compute_node_id"), of_workflow(id)):
        if node in numbers:
            pairs[job_id, numbers[node]] = None
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), of_workflow(id)))
    chosen = sorted(pairs)
    items = [
        a.SlurmCorrelation(job_id=job_id, job_name=names[job_id], slurm_job_id=number)
        for job_id, number in chosen[offset : offset + limit]
    ]
    return Page(items, len(chosen), offset, limit)


# machines


@handles(Service.create_remote_workers)
def create_remote_workers(turn: Turn, id: int, body: list[str]) -> list[RemoteWorker]:
    """Add those that are new."""
    turn.get(Workflow, id)
    known = {worker.worker: worker for worker in turn.records(RemoteWorker, of_workflow(id))}
    named = list(dict.fromkeys(body))
    for name in named:
        if not name.strip():
            raise Invalid("the name of a worker is empty", field="body", value=name)
        if name not in known:
            known[name] = turn.insert(RemoteWorker(workflow_id=id, worker=name))
    return [known[name] for name in named]


@handles(Service.delete_remote_worker)
def delete_remote_worker(turn: Turn, id: int, worker: str) -> RemoteWorker:
    """Forget one."""
    turn.get(Workflow, id)
    where = of_workflow(id, Condition("worker", "equal", worker))
    for found in turn.records(RemoteWorker, where):
        turn.touch(id)
        turn.delete(RemoteWorker, where)
        return found
    raise NotFound(f"workflow {id} has no remote worker {worker!r}")
