"""What a workflow that was moved here brings with it: its results, its run, what its jobs were given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid
from torc_core.records.answers import NewWorkflow
from torc_core.records.resources import Job, UserData, Workflow
from torc_core.records.values import reader
from torc_core.service.claims import HASHED
from torc_core.service.digests import input_hash
from torc_core.service.turn import Turn, of_workflow
from torc_core.status import IS_ACTIVE, IS_COMPLETE, JobStatus

_KEPT = ("run_id", "is_canceled", "is_archived", "timestamp")
_FORMER = -1
"""An arming that no action has."""
_CHANGED = "changed"
"""A digest that no job has."""


def statuses(column: Iterable[str]) -> list[JobStatus]:
    """Return statuses from their words; raises Invalid for jobs that somebody would have to hold."""
    found = [JobStatus(word) for word in column]
    held = {status.value for status in set(found) if IS_ACTIVE[status.number]}
    if held:
        raise Invalid(f"jobs: status: nobody holds jobs that are {' or '.join(sorted(held))}", field="status")
    return found


def mark_latest(results: Sequence[Any], items: Sequence[dict[str, Any]]) -> None:
    """Say which results are their jobs' latest: those marked, or where none is marked the last of each job."""
    if any("is_latest" in item for item in items):
        for result, item in zip(results, items, strict=True):
            result.is_latest = bool(item.get("is_latest"))
        return
    last: dict[int, Any] = {}
    for result in results:
        result.is_latest = False
        other = last.get(result.job_id)
        if other is None or (other.run_id, other.attempt_id) < (result.run_id, result.attempt_id):
            last[result.job_id] = result
    for result in last.values():
        result.is_latest = True


def mark_armings(runs: Sequence[Any]) -> None:
    """Let executions of actions belong to the present arming only if they are of the latest run that has any."""
    latest = max((run.run_id for run in runs), default=0)
    for run in runs:
        run.arming = 0 if run.run_id == latest else _FORMER


def take_over(turn: Turn, workflow_id: int, new: NewWorkflow) -> None:
    """Give a workflow the run that its results belong to, so that the next run is another; as it is: all it was."""
    changes: dict[str, Any] = {}
    if new.as_is:
        fields = Workflow.FIELDS
        given = {name: new.workflow[name] for name in _KEPT if new.workflow.get(name) is not None}
        problems: list[Any] = []
        changes = {name: reader(fields[name].type)(value, (None, name), problems) for name, value in given.items()}
        if problems:
            raise Invalid(f"workflow: {problems[0].message}", field=str(problems[0].path[0]))
    elif new.results:
        changes["run_id"] = max(int(item.get("run_id") or 0) for item in new.results)
    if changes:
        turn.set(Workflow, changes, [Condition("id", "equal", workflow_id)])
        turn.forget(workflow_id)


def note_inputs(turn: Turn, workflow_id: int, changed: Collection[int]) -> None:
    """Note what finished jobs were given: what they would be given now, but for those in ``changed``."""
    state = turn.state(workflow_id)
    status, graph = state.graph.status, state.graph
    data: dict[int, str | None] = dict(turn.rows(UserData, ("id", "data"), of_workflow(workflow_id)))
    rows = []
    for id, command, script, env, *links in turn.rows(Job, ("id", *HASHED), of_workflow(workflow_id)):
        if IS_COMPLETE[status[graph.node(id)]]:
            digest = _CHANGED if id in changed else input_hash(state, command, script, env, links, data)
            rows.append((digest, id))
    if rows:
        turn.set_each(Job, ("input_hash",), rows)
