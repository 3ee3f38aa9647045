"""Jobs that run again, at once or at a moment, and the numbers of their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torc_core.contracts.failure import LONGEST_DELAY_SECONDS
from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.records.resources import Job, Result
from torc_core.service import telling
from torc_core.service.clock import utc_text
from torc_core.service.saving import save_statuses
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import BLOCKED, READY, UNINITIALIZED


class Retry(NamedTuple):
    """A job that runs again: when, and why for people."""

    job_id: int
    delay_seconds: float = 0.0
    message: str = ""
    recovery: Any = None  # how its recovery script ended


def try_again(turn: Turn, state: WorkflowState, retries: Sequence[Retry]) -> None:
    """Make jobs ready, or blocked until a moment, with the next attempt number, and keep an event of each."""
    graph = state.graph
    turn.touch(state.id)
    known = {row[0]: row[1:] for row in turn.rows(Job, ("id", "name", "origin"), with_ids([r.job_id for r in retries]))}
    touched: list[int] = []
    rows = []
    for retry in retries:
        job_id, node = retry.job_id, graph.node(retry.job_id)
        until = _moment(turn, retry.delay_seconds)
        changes = transitions.retry(graph, node, until)
        touched += [n for n in (*changes.blocked, *changes.ready, *changes.canceled) if n != node]
        before = state.attempt(job_id)
        state.attempts[job_id] = before + 1
        state.holders.pop(job_id, None)
        name, origin = known[job_id]
        rows.append((graph.status[node], None, None, before + 1, origin or "retry", job_id))
        more: dict[str, Any] = {} if until is None else {"retry_at": utc_text(until)}
        if retry.recovery is not None:
            more["recovery"] = retry.recovery
        turn.event(
            state.id, event_type="job_retried", job_id=job_id, job_name=name, previous_attempt=before,
            new_attempt=before + 1, run_id=state.run_id, message=_message(name, retry.message), **more,
        )  # fmt: skip
    turn.set_each(Job, ("status", "compute_node_id", "start_time", "attempt_id", "origin"), rows)
    save_statuses(turn, state, dict.fromkeys(touched))
    telling.jobs_retried(turn, state, [retry.job_id for retry in retries])
    if graph.held:
        turn.wake_later(state)


def _moment(turn: Turn, delay_seconds: float) -> int | None:
    """Return when a delay is over (ms since 1970), None when there is none."""
    if not delay_seconds > 0:
        return None
    return turn.now + int(min(delay_seconds, LONGEST_DELAY_SECONDS) * 1000)


def _message(name: str, why: str) -> str:
    return f"job {name} is tried again" + (f": {why}" if why else "")


def wake_due(turn: Turn, state: WorkflowState) -> None:
    """Make jobs ready whose moment has come."""
    moment = state.graph.next_moment
    if moment is None or moment > turn.now:
        return
    turn.touch(state.id)
    changes = transitions.wake(state.graph, turn.now)
    save_statuses(turn, state, changes.ready)
    telling.jobs_ready(turn, state, changes.ready)


def renumber(turn: Turn, state: WorkflowState, job_ids: Sequence[int] | None = None) -> None:
    """Give jobs that will run (these, or all) an attempt number that has no result in the present run.

    Attempts of jobs that were reset count from 1, or on from the results that they have in the present run already.
    """
    graph = state.graph
    where = of_workflow(state.id, Condition("run_id", "equal", state.run_id))
    if job_ids is not None:
        where.append(Condition("job_id", "one_of", job_ids))
    highest: dict[int, int] = {}
    for job_id, attempt in turn.rows(Result, ("job_id", "attempt_id"), where) if state.has_results else ():
        highest[job_id] = max(attempt, highest.get(job_id, 0))
    wanted: dict[int, int] = {}
    for job_id in {*(state.attempts if job_ids is None else job_ids), *highest}:
        status, last = graph.status[graph.node(job_id)], highest.get(job_id, 0)
        if status == UNINITIALIZED:
            wanted[job_id] = last + 1
        elif status in (BLOCKED, READY):
            wanted[job_id] = max(state.attempt(job_id), last + 1)
    rows = [(attempt, job_id) for job_id, attempt in wanted.items() if attempt != state.attempt(job_id)]
    if not rows:
        return
    turn.touch(state.id)
    turn.set_each(Job, ("attempt_id",), rows)
    for attempt, job_id in rows:
        if attempt == 1:
            del state.attempts[job_id]
        else:
            state.attempts[job_id] = attempt
