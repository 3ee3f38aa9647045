"""A runner's turn, and what happens to the jobs of runners that are gone."""

from __future__ import annotations

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid
from torc_core.records.answers import FinishedJob, JobIds, Tick, TickAnswer
from torc_core.records.resources import ComputeNode, Job
from torc_core.service import actions, telling
from torc_core.service.api import Service
from torc_core.service.claims import launches, room_of, take
from torc_core.service.clock import seconds_of, utc_text
from torc_core.service.completion import LOST, Report, begin, check_run, finish, give_back, try_again
from torc_core.service.references import check_node
from torc_core.service.registry import handles
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import IS_ACTIVE, PENDING, RUNNING, JobStatus


@handles(Service.tick)
def tick(turn: Turn, id: int, report: Tick) -> TickAnswer:
    """Take what happened at a runner, give it more to do."""
    state = turn.state(id)
    check_run(state, report.run_id)
    check_node(turn, state, report.compute_node_id)
    lost: list[int] = []
    refused: list[dict[str, object]] = []
    if report.started:
        moments = [(s.job_id, s.start_time) for s in report.started]
        lost += begin(turn, state, moments, report.compute_node_id)
    if report.finished:
        reports = [Report(f.job_id, f.attempt_id, report.compute_node_id, f) for f in report.finished]
        outcome = finish(turn, state, reports, check_holder=True)
        lost += outcome.lost
        refused = [{"job_id": r.job_id, "attempt_id": r.attempt_id, "message": why} for r, why in outcome.refused]
    if report.released:
        give_back(turn, state, [i for i in report.released if state.holders.get(i) == report.compute_node_id])
    launched, is_held = actions.take_part(turn, state, report)
    given = _pending_of(state, report.compute_node_id) if report.resend else []
    room = room_of(report.room, report.strict_scheduler_match) if report.room is not None else None
    given += take(turn, state, 0 if is_held else report.limit, room, report.compute_node_id)
    graph = state.graph
    return TickAnswer.of(
        {
            "jobs": launches(turn, state, given, report.compute_node_id),
            "refused": refused,
            "lost": lost,
            "is_complete": graph.is_complete,
            "is_canceled": graph.canceled,
            "ready_count": graph.ready_count,
            "unfinished_count": graph.unfinished,
            "version": turn.version(id),
            "actions": launched,
            "is_held": is_held,
        }
    )


def _pending_of(state: WorkflowState, compute_node_id: int) -> list[int]:
    """Return the jobs that are claimed for a runner and not started."""
    graph = state.graph
    return [
        id for id, node in state.holders.items() if node == compute_node_id and graph.status[graph.node(id)] == PENDING
    ]


@handles(Service.adopt_orphans)
def adopt_orphans(turn: Turn, id: int, compute_node_ids: list[int], fail: bool = False) -> JobIds:
    """Take the jobs of runners that are gone.

    What was running gets a result with code -128 and is tried again, or has failed when ``fail``; what was only claimed
    becomes ready again. The runners are marked inactive.
    """
    state = turn.state(id)
    graph, gone = state.graph, set(compute_node_ids)
    held = {job: node for job, node in state.holders.items() if node in gone and IS_ACTIVE[_status(state, job)]}
    running = [job for job in held if _status(state, job) == RUNNING]
    give_back(turn, state, [job for job in held if _status(state, job) == PENDING])
    if running:
        starts: dict[int, str | None] = dict(turn.rows(Job, ("id", "start_time"), with_ids(running)))
        reports = [_lost_report(turn, state, job, held[job], starts[job]) for job in running]
        finish(turn, state, reports)
        if not fail:
            again = [job for job in running if graph.status[graph.node(job)] == JobStatus.FAILED.number]
            try_again(turn, state, again)
    if gone:
        turn.touch(id)
        actions.forsake(turn, state, gone)
        where = of_workflow(id, Condition("id", "one_of", sorted(gone)), Condition("is_active", "equal", 1))
        if turn.is_heard(id):
            for node in turn.records(ComputeNode, where):
                telling.node_stopped(turn, node)
        turn.set(ComputeNode, {"is_active": False, "end_time": utc_text(turn.now)}, where)
    return JobIds(job_ids=sorted(held), count=len(held))


def _status(state: WorkflowState, job_id: int) -> int:
    return state.graph.status[state.graph.node(job_id)]


def _lost_report(turn: Turn, state: WorkflowState, job_id: int, holder: int, start: str | None) -> Report:
    minutes = 0.0
    if start:
        try:
            minutes = max(0.0, turn.now / 1000 - seconds_of(start)) / 60
        except ValueError as exc:
            raise Invalid(f"job {job_id} has the start time {start!r}, which is no moment") from exc
    found = FinishedJob(
        job_id=job_id, attempt_id=state.attempt(job_id), status=JobStatus.FAILED, return_code=LOST,
        exec_time_minutes=minutes, completion_time=utc_text(turn.now), reason="its runner is gone",
    )  # fmt: skip
    return Report(job_id, found.attempt_id, holder, found)
