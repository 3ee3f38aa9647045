"""What listeners hear of jobs, runners and workflows: names, severities and members as on the published wire.

Nothing is looked up for events that nobody listens to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Job
from torc_core.service.events import DELETED
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, with_ids
from torc_core.status import BY_NUMBER

_SEVERITIES = {"failed": "error", "terminated": "warning", "canceled": "warning"}
_PROPAGATED = "a job that it waits for did not succeed"


def _named(turn: Turn, job_ids: Sequence[int]) -> list[tuple[int, str]]:
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), with_ids(job_ids)))
    return [(id, names[id]) for id in job_ids if id in names]


def jobs_ended(
    turn: Turn, state: WorkflowState, return_codes: Mapping[int, int | None], reason: str | None = None
) -> None:
    """Tell the present status of jobs that have ended, with their codes (None: there is none)."""
    if not return_codes or not turn.is_heard(state.id):
        return
    more = {} if reason is None else {"reason": reason}
    for job_id, name in _named(turn, list(return_codes)):
        status = BY_NUMBER[state.graph.status[state.graph.node(job_id)]].value
        turn.tell(
            state.id, f"job_{status}", _SEVERITIES.get(status, "info"), job_id=job_id, job_name=name, status=status,
            return_code=return_codes[job_id], **more,
        )  # fmt: skip


def jobs_canceled(turn: Turn, state: WorkflowState, nodes: Iterable[int]) -> None:
    """Tell of jobs that were canceled because of others."""
    if turn.is_heard(state.id, "warning"):
        jobs_ended(turn, state, dict.fromkeys(state.graph.job_ids(nodes)), _PROPAGATED)


def jobs_ready(turn: Turn, state: WorkflowState, nodes: Iterable[int]) -> None:
    """Tell of jobs that wait for a runner only; of little weight, since there are so many."""
    if turn.is_heard(state.id, "debug"):
        for job_id, name in _named(turn, state.graph.job_ids(nodes)):
            turn.tell(state.id, "job_ready", "debug", job_id=job_id, job_name=name, status="ready")


def jobs_started(turn: Turn, state: WorkflowState, job_ids: Sequence[int], compute_node_id: int) -> None:
    """Tell of jobs that run now."""
    if turn.is_heard(state.id):
        for job_id, name in _named(turn, job_ids):
            turn.tell(
                state.id, "job_started", job_id=job_id, job_name=name, compute_node_id=compute_node_id,
                run_id=state.run_id,
            )  # fmt: skip


def jobs_retried(turn: Turn, state: WorkflowState, job_ids: Sequence[int]) -> None:
    """Tell of jobs that are ready for another attempt."""
    if turn.is_heard(state.id):
        for job_id, name in _named(turn, job_ids):
            attempt = state.attempt(job_id)
            turn.tell(
                state.id, "job_retried", job_id=job_id, job_name=name, previous_attempt=attempt - 1,
                new_attempt=attempt, run_id=state.run_id,
            )  # fmt: skip


def workflow_event(
    turn: Turn, workflow_id: int, event_type: str, message: str, severity: str = "info", **more: Any
) -> None:
    """Tell of a workflow as a whole."""
    turn.tell(
        workflow_id, event_type, severity, category="workflow", type=event_type, user=turn.caller.user,
        message=message, **more,
    )  # fmt: skip


def workflow_deleted(turn: Turn, workflow_id: int) -> None:
    """Tell that there is no more to hear, at every level."""
    workflow_event(turn, workflow_id, DELETED, f"workflow {workflow_id} was deleted", "error")


def workflow_initialized(turn: Turn, state: WorkflowState, only_uninitialized: bool) -> None:
    """Tell that jobs were initialized. The published names are the wrong way round, and programs wait for them."""
    event_type = "workflow_started" if only_uninitialized else "workflow_reinitialized"
    what = "changed and unfinished jobs" if only_uninitialized else "all jobs"
    workflow_event(turn, state.id, event_type, f"{what} of workflow {state.id} were initialized for run {state.run_id}")


def node_started(turn: Turn, node: ComputeNode) -> None:
    """Tell of a new runner."""
    turn.tell(
        node.workflow_id, "compute_node_started", compute_node_id=node.id, hostname=node.hostname, pid=node.pid,
        num_cpus=node.num_cpus, memory_gb=node.memory_gb, num_gpus=node.num_gpus,
        compute_node_type=node.compute_node_type,
    )  # fmt: skip


def node_stopped(turn: Turn, node: ComputeNode) -> None:
    """Tell that a runner is gone."""
    turn.tell(
        node.workflow_id, "compute_node_stopped", compute_node_id=node.id, hostname=node.hostname, pid=node.pid,
        duration_seconds=node.duration_seconds, compute_node_type=node.compute_node_type,
    )  # fmt: skip


def allocation_created(turn: Turn, allocation: ScheduledComputeNode) -> None:
    """Tell that nodes were asked of a scheduler."""
    turn.tell(
        allocation.workflow_id, "scheduler_node_created", category="scheduler",
        scheduled_compute_node_id=allocation.id, scheduler_id=allocation.scheduler_id,
        scheduler_config_id=allocation.scheduler_config_id, scheduler_type=allocation.scheduler_type,
        status=allocation.status,
    )  # fmt: skip
