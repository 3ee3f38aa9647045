"""A runner's turn."""

from __future__ import annotations

from torc_core.records.answers import Tick, TickAnswer
from torc_core.service import actions
from torc_core.service.api import Service
from torc_core.service.claims import launches, room_of, take
from torc_core.service.completion import Report, begin, check_run, finish, give_back
from torc_core.service.orphans import hear
from torc_core.service.references import check_node
from torc_core.service.registry import handles
from torc_core.service.retrying import wake_due
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn
from torc_core.status import PENDING


@handles(Service.tick)
def tick(turn: Turn, id: int, report: Tick) -> TickAnswer:
    """Take what happened at a runner, give it more to do."""
    state = turn.state(id)
    check_run(state, report.run_id)
    check_node(turn, state, report.compute_node_id)
    hear(turn, state, report.compute_node_id)
    wake_due(turn, state)
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
    gone = _lost_of(state, report)
    part = actions.take_part(turn, state, report)
    given = _pending_of(state, report.compute_node_id) if report.resend else []
    room = room_of(report.room, report.strict_scheduler_match) if report.room is not None else None
    # A runner first ends what it has lost: it might be given the very same jobs again.
    given += take(turn, state, 0 if part.is_held or gone else report.limit, room, report.compute_node_id)
    graph = state.graph
    if graph.held:
        turn.wake_later(state)
    return TickAnswer.of(
        {
            "jobs": launches(turn, state, given, report.compute_node_id),
            "refused": refused,
            "lost": [*lost, *(id for id in gone if id not in lost)],
            "is_complete": graph.is_complete,
            "is_canceled": graph.canceled,
            "ready_count": graph.ready_count,
            "unfinished_count": graph.unfinished,
            "ready_in_seconds": _seconds_to(turn, graph.next_moment),
            "version": turn.version(id),
            "actions": part.launches,
            "is_held": part.is_held,
            "undone_kinds": part.undone_kinds,
            "has_last_actions": part.has_last,
        }
    )


def _pending_of(state: WorkflowState, compute_node_id: int) -> list[int]:
    """Return the jobs that are claimed for a runner and not started."""
    graph = state.graph
    return [
        id for id, node in state.holders.items() if node == compute_node_id and graph.status[graph.node(id)] == PENDING
    ]


def _lost_of(state: WorkflowState, report: Tick) -> list[int]:
    """Return which of the attempts that a runner says it has are not its own any more."""
    holders, node = state.holders, report.compute_node_id
    return [
        held.job_id
        for held in report.held or ()
        if holders.get(held.job_id) != node or state.attempt(held.job_id) != held.attempt_id
    ]


def _seconds_to(turn: Turn, moment: int | None) -> float | None:
    return None if moment is None else max(0, moment - turn.now) / 1000


def says_something(answer: TickAnswer) -> bool:
    """Whether a runner that waits for something to do needs this answer now."""
    return bool(
        answer.jobs or answer.actions or answer.refused or answer.lost or answer.is_complete or answer.is_canceled
    )
