"""What happens to the jobs of runners that are gone, or that nobody has heard of for longer than their lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from torc_core import reasons
from torc_core.contracts.failure import Verdict
from torc_core.contracts.storage import Condition
from torc_core.engine.failures import LOST_CODE, decide_lost, read_rules
from torc_core.records.answers import FinishedJob, JobIds
from torc_core.records.resources import ComputeNode, Job
from torc_core.service import actions, telling
from torc_core.service.api import Service
from torc_core.service.clock import seconds_of, utc_text
from torc_core.service.completion import Report, finish, give_back
from torc_core.service.registry import handles
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import IS_ACTIVE, PENDING, RUNNING, JobStatus
from torc_core.units import counted


@handles(Service.adopt_orphans)
def adopt_orphans(turn: Turn, id: int, compute_node_ids: list[int], fail: bool = False) -> JobIds:
    """Take the jobs of runners that are gone.

    What was running gets a result with code -128 and is tried again, or has failed when ``fail``; what was only claimed
    becomes ready again. The runners are marked inactive.
    """
    taken = take_from(turn, turn.state(id), compute_node_ids, fail=fail)
    turn.end_leases(compute_node_ids)
    return taken


def take_from(turn: Turn, state: WorkflowState, compute_node_ids: Collection[int], *, fail: bool = False) -> JobIds:
    """Take the jobs of these runners, and say that they are not active."""
    gone = set(compute_node_ids)
    held = {job: node for job, node in state.holders.items() if node in gone and IS_ACTIVE[_status(state, job)]}
    running = [job for job in held if _status(state, job) == RUNNING]
    give_back(turn, state, [job for job in held if _status(state, job) == PENDING])
    if running:
        finish(turn, state, _lost_reports(turn, state, {job: held[job] for job in running}, fail))
    if gone:
        turn.touch(state.id)
        actions.forsake(turn, state, gone)
        where = of_workflow(state.id, Condition("id", "one_of", sorted(gone)), Condition("is_active", "equal", 1))
        if turn.is_heard(state.id):
            for node in turn.records(ComputeNode, where):
                telling.node_stopped(turn, node)
        turn.set(ComputeNode, {"is_active": False}, where)
    return JobIds(job_ids=sorted(held), count=len(held))


def _status(state: WorkflowState, job_id: int) -> int:
    return state.graph.status[state.graph.node(job_id)]


def _lost_reports(turn: Turn, state: WorkflowState, held: dict[int, int], fail: bool) -> list[Report]:
    """Return how attempts (job, holder) ended that nobody saw end."""
    moment, reports = utc_text(turn.now), []
    for job_id, start, handler in turn.rows(Job, ("id", "start_time", "failure_handler_id"), with_ids(list(held))):
        attempt = state.attempt(job_id)
        found = FinishedJob(
            job_id=job_id, attempt_id=attempt, status=JobStatus.FAILED, return_code=LOST_CODE,
            exec_time_minutes=_minutes_since(turn, start), completion_time=moment, reason=reasons.RUNNER_GONE,
        )  # fmt: skip
        decision = decide_lost(_rules(state.rules.get(handler)), attempt)
        if not fail and decision.verdict is Verdict.RETRY:
            found.again, found.decided = True, decision.reason
            found.retry_delay_seconds = decision.delay_seconds
            if decision.recovery_script:
                found.recovery = {"reason": "not run: its runner is gone"}
        reports.append(Report(job_id, attempt, held[job_id], found))
    return reports


def _rules(data: Any) -> Sequence[Any]:
    try:
        return read_rules(data)
    except ValueError:  # a handler that was stored without being checked
        return ()


def _minutes_since(turn: Turn, start: str | None) -> float:
    try:
        return max(0.0, turn.now / 1000 - seconds_of(start)) / 60 if start else 0.0
    except ValueError:
        return 0.0  # a client's own notation


def hear(turn: Turn, state: WorkflowState, compute_node_id: int) -> None:
    """A runner is alive; one whose lease was over is active again, without the jobs that it had."""
    if turn.renew_lease(compute_node_id):
        return
    for seconds, is_active in turn.rows(ComputeNode, ("lease_seconds", "is_active"), with_ids([compute_node_id])):
        turn.begin_lease(state.id, compute_node_id, seconds)
        if seconds is not None and not is_active:
            turn.touch(state.id)
            turn.set(ComputeNode, {"is_active": True}, with_ids([compute_node_id]))
            message = f"runner {compute_node_id} is back after its lease was over"
            turn.event(state.id, event_type="runner_returned", compute_node_id=compute_node_id, message=message)


def node_changed(turn: Turn, node: ComputeNode) -> None:
    """A runner signed off, or asks for another lease; what it still has is taken from it when its lease is over."""
    state = turn.state(node.workflow_id)
    if node.is_active:
        turn.begin_lease(node.workflow_id, node.id, node.lease_seconds)
    elif node.id not in state.holders.values():
        turn.end_leases([node.id])


def expire(turn: Turn, workflow_id: int, compute_node_ids: Sequence[int]) -> None:
    """Take the jobs of runners whose leases are over, and end those; raises NotFound without their workflow."""
    state = turn.state(workflow_id)
    nodes = list(turn.records(ComputeNode, of_workflow(workflow_id, Condition("id", "one_of", compute_node_ids))))
    for node in nodes:
        taken = take_from(turn, state, [node.id])
        if not (node.is_active or taken.count):
            continue
        turn.event(
            workflow_id, event_type="runner_lost", compute_node_id=node.id, hostname=node.hostname,
            lease_seconds=node.lease_seconds, job_ids=taken.job_ids,
            message=f"nothing was heard of runner {node.id} on {node.hostname} for {node.lease_seconds or 0:g} s; "
            f"taken back: {counted(taken.count, 'job')}",
        )  # fmt: skip
    turn.end_leases(compute_node_ids)


def load_leases(turn: Turn) -> None:
    """Give every active runner that has a lease the whole of it again."""
    active = [Condition("is_active", "equal", 1)]
    for id, workflow_id, seconds in turn.rows(ComputeNode, ("id", "workflow_id", "lease_seconds"), active):
        if seconds is not None:
            turn.begin_lease(workflow_id, id, seconds)
