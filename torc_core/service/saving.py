"""What a decision changed in the graph, written to the storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torc_core.contracts.storage import Condition
from torc_core.records.resources import Job, Result
from torc_core.service.clock import utc_text
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids


def save_statuses(turn: Turn, state: WorkflowState, nodes: Iterable[int]) -> None:
    """Write the statuses that ``nodes`` have now, and the moments that jobs wait for."""
    status, ids = state.graph.status, state.graph.ids
    rows = [(status[node], ids[node]) for node in nodes]
    if rows:
        turn.set_each(Job, ("status",), rows)
    _save_moments(turn, state)


def _save_moments(turn: Turn, state: WorkflowState) -> None:
    graph = state.graph
    if graph.unkept:
        moments = [(graph.held.get(node), graph.ids[node]) for node in graph.unkept]
        turn.set_each(Job, ("retry_at",), [(until and utc_text(until), id) for until, id in moments])
        graph.unkept.clear()


def save_all_statuses(turn: Turn, state: WorkflowState, before: bytes) -> int:
    """Write every status that differs from ``before``, in few statements; returns how many differ.

    Used after decisions about whole workflows, where one statement a job would be slow.
    """
    graph = state.graph
    ids, now = graph.ids, graph.status
    by_status: dict[int, list[int]] = {}
    for node, (old, new) in enumerate(zip(before, now, strict=True)):
        if old != new and ids[node]:
            by_status.setdefault(new, []).append(ids[node])
    for number, job_ids in by_status.items():
        turn.is_dirty = True
        where = of_workflow(state.id) if len(job_ids) == len(graph) else with_ids(job_ids)
        turn.storage.update(Job, {"status": number}, where)
    _save_moments(turn, state)
    return sum(map(len, by_status.values()))


def let_go(turn: Turn, state: WorkflowState, job_ids: Sequence[int]) -> None:
    """Nobody holds these jobs any more."""
    held = [id for id in job_ids if state.holders.pop(id, None) is not None]
    if held:
        turn.is_dirty = True
        turn.storage.update(Job, {"compute_node_id": None, "start_time": None}, with_ids(held))


def drop_latest_results(turn: Turn, state: WorkflowState, job_ids: Sequence[int] | None = None) -> None:
    """Make the results of these jobs (of all, without a list) results of the past."""
    latest = Condition("is_latest", "equal", 1)
    chosen = [Condition("job_id", "one_of", job_ids)] if job_ids is not None else []
    turn.is_dirty = True
    turn.storage.update(Result, {"is_latest": 0}, of_workflow(state.id, latest, *chosen))
