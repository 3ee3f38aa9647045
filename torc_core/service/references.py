"""Ids of other records, wherever they stand: none may be another workflow's, whoever sends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid
from torc_core.records.allocations import SCHEDULERS, ScheduledComputeNode
from torc_core.records.record import RECORDS, Record
from torc_core.records.resources import ComputeNode, Job, WorkflowAction
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids

_MOST_ID = 2**63
_SCHEDULERS = " ".join(kind.PLURAL for kind in SCHEDULERS.values())
IN_JSON: dict[type[Record], tuple[tuple[str, str, str], ...]] = {
    Job: (("schedule_compute_nodes", "scheduler_id", _SCHEDULERS),),
    WorkflowAction: (("action_config", "scheduler_id", _SCHEDULERS),),
    ScheduledComputeNode: (("request", "scheduler_id", _SCHEDULERS),),
    ComputeNode: (("scheduler", "scheduler_id", "scheduled_compute_nodes"),),
}
"""Ids inside JSON fields, by kind: field, member, and the kinds of records that it may be the id of."""


def check_references(turn: Turn, kind: type[Record], workflow_id: int, values: dict[str, Any]) -> None:
    """Refuse ids of records that do not exist or belong to another workflow; raises Invalid."""
    for f in kind.FIELDS.values():
        value = values.get(f.name)
        target = f.links or f.refers
        if value is None or f.name == "workflow_id":
            continue
        if target:
            ids = set(value) if f.links else {value}
            _refuse(workflow_id, f.name, target, ids - owned(turn, RECORDS[target], workflow_id, ids))
        elif f.mentions:
            _refuse_foreign(turn, workflow_id, f.name, f.mentions, value)
    for name, member, target in IN_JSON.get(kind, ()):
        config = values.get(name)
        id = config.get(member) if isinstance(config, dict) else None
        if isinstance(id, int):
            _refuse_foreign(turn, workflow_id, f"{name}.{member}", target, id)


def check_all_references(turn: Turn, kind: type[Record], workflow_id: int, records: Sequence[Record]) -> None:
    """Refuse ids that do not exist or belong to another workflow in any of many records; each is looked for once."""
    for f in kind.FIELDS.values():
        if f.name != "workflow_id" and (f.links or f.refers):
            values = [value for record in records if (value := getattr(record, f.name)) is not None]
            ids = {id for value in values for id in value} if f.links else set(values)
            target = f.links or f.refers
            _refuse(workflow_id, f.name, target, ids - owned(turn, RECORDS[target], workflow_id, ids) if ids else set())
    loose = {f.name for f in kind.FIELDS.values() if f.mentions} | {name for name, _, _ in IN_JSON.get(kind, ())}
    for name in loose:
        for value in {repr(v): v for record in records if (v := getattr(record, name)) is not None}.values():
            check_references(turn, kind, workflow_id, {name: value})


def check_node(turn: Turn, state: WorkflowState, id: int) -> None:
    """Refuse a compute node that is not the workflow's; raises Invalid."""
    if not is_node(turn, state, id):
        raise Invalid(no_node(state, id), field="compute_node_id")


def is_node(turn: Turn, state: WorkflowState, id: int) -> bool:
    """Whether a compute node is the workflow's; 0 stands for none and is. What was found is remembered."""
    if not id or id in state.nodes:
        return True
    found = bool(owned(turn, ComputeNode, state.id, (id,)))
    if found:
        state.nodes.add(id)
    return found


def no_node(state: WorkflowState, id: int) -> str:
    """Say that a compute node is not the workflow's."""
    return f"compute_node_id: workflow {state.id} has no compute node {id}"


def file_times(given: Any, name: str) -> dict[int, float | None]:
    """Return seconds since 1970 by file id, as clients send them; raises Invalid."""
    try:
        times = {int(id): None if mtime is None else float(mtime) for id, mtime in given.items()}
    except (AttributeError, OverflowError, TypeError, ValueError) as exc:
        raise Invalid(f"{name} must hold seconds or null by file id", field=name) from exc
    if any(mtime is not None and not isfinite(mtime) for mtime in times.values()):
        raise Invalid(f"{name} must hold seconds or null by file id", field=name)
    return {id: mtime for id, mtime in times.items() if 0 < id < _MOST_ID}


def owned(turn: Turn, kind: type[Record], workflow_id: int, ids: Iterable[int]) -> set[int]:
    """Return those of the ids that are of records of the workflow."""
    return {id for (id,) in turn.rows(kind, ("id",), of_workflow(workflow_id, *with_ids(sorted(ids))))}


def _refuse_foreign(turn: Turn, workflow_id: int, name: str, target: str, id: int) -> None:
    """Refuse another workflow's record; one that is gone is fine, and has no workflow."""
    homes = {home for kind in target.split() for (home,) in turn.rows(RECORDS[kind], ("workflow_id",), with_ids([id]))}
    if homes and workflow_id not in homes:
        _refuse(workflow_id, name, target, {id})


def _refuse(workflow_id: int, name: str, target: str, missing: set[int]) -> None:
    if missing:
        listed = ", ".join(map(str, sorted(missing)[:10]))
        kinds = " or ".join(plural.replace("_", " ") for plural in target.split())
        raise Invalid(f"{name}: workflow {workflow_id} has no {kinds} {listed}", field=name.partition(".")[0])


def workflow_of_job(turn: Turn, job_id: int, where: list[Condition]) -> int | None:
    """Return the workflow of a job that meets the conditions on its workflow, None when there is no such job."""
    mine = [c for c in where if c.field == "workflow_id"]
    return next((id for (id,) in turn.rows(Job, ("workflow_id",), [*mine, *with_ids([job_id])])), None)
