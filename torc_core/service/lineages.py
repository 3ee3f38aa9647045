"""What is remembered of calls that add jobs: a count and a state for each lineage, kept as user data."""

from __future__ import annotations

from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.records.resources import UserData
from torc_core.service.turn import Turn, of_workflow, with_ids

VARIABLE = "TORC_ORCHESTRATOR_LINEAGE_ID"
"""Tells a job in which lineage it was added."""
ORIGIN = "spawn"
"""The origin of the jobs that were added."""
PREFIX = "__torc_lineage__"
"""With it begin the names of the user data that calls are remembered in."""
_DIGITS = 6


def _prefix(lineage: str) -> str:
    return f"{PREFIX}{lineage}__"


def count(turn: Turn, workflow_id: int, lineage: str) -> int:
    """Return how many calls have added jobs in a lineage."""
    prefix = f"{_prefix(lineage)}g"
    names = turn.rows(UserData, ("name",), of_workflow(workflow_id, Condition("name", "contains", prefix)))
    ends = (name[len(prefix) :] for (name,) in names if name.startswith(prefix))
    return max((int(end) for end in ends if end.isdecimal() and len(end) >= _DIGITS), default=0)


def keep(turn: Turn, workflow_id: int, lineage: str, number: int, state: Any) -> None:
    """Keep the state that came with a call which added jobs."""
    name = f"{_prefix(lineage)}g{number:0{_DIGITS}d}"
    turn.insert(UserData(workflow_id=workflow_id, name=name, data=_data(number, state), is_ephemeral=True))


def conclude(turn: Turn, workflow_id: int, lineage: str, number: int, state: Any) -> None:
    """Keep the last state of a lineage, in place of an earlier last one."""
    name, data = f"{_prefix(lineage)}final", {**_data(number, state), "final": True}
    for (id,) in turn.rows(UserData, ("id",), of_workflow(workflow_id, Condition("name", "equal", name))):
        turn.touch(workflow_id)
        turn.set(UserData, {"data": data}, with_ids([id]))
        return
    turn.insert(UserData(workflow_id=workflow_id, name=name, data=data, is_ephemeral=True))


def _data(number: int, state: Any) -> dict[str, Any]:
    return {"generation": number, "spawn_count": number, "state": state}
