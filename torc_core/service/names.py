"""Names that clients of the published wire may repeat in a workflow, and our own ways may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torc_core.contracts.storage import Condition
from torc_core.errors import Conflict
from torc_core.records.record import Record
from torc_core.records.resources import FailureHandler, Job, UserData
from torc_core.service.turn import Turn, of_workflow

REPEATABLE = (Job, UserData, FailureHandler)
"""Kinds whose names no storage keeps unique."""
_SHOWN = 5


def refuse_twice(kind: type[Record], names: Sequence[str]) -> None:
    """Refuse a name that is in a list twice; raises Conflict."""
    if kind in REPEATABLE and len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        _refuse(kind, twice, "is there twice", "are there twice")


def refuse_taken(turn: Turn, kind: type[Record], workflow_id: int, names: Sequence[str]) -> None:
    """Refuse names that a workflow has already; raises Conflict."""
    where = of_workflow(workflow_id, Condition("name", "one_of", list(names)))
    taken = [name for (name,) in turn.rows(kind, ("name",), where)]
    if taken:
        _refuse(kind, taken, "is taken", "are taken")


def check_new(turn: Turn, record: Record) -> None:
    """Refuse a taken name for a new record of our own client."""
    if isinstance(record, REPEATABLE) and turn.caller.is_ours:
        refuse_taken(turn, type(record), record.workflow_id, [record.name])


def check_changed(turn: Turn, old: Record, name: str | None) -> None:
    """Refuse another record's name for one that our own client renames."""
    if isinstance(old, REPEATABLE) and turn.caller.is_ours and name is not None and name != old.name:
        refuse_taken(turn, type(old), old.workflow_id, [name])


def _refuse(kind: type[Record], names: Sequence[str], one: str, many: str) -> None:
    listed = ", ".join(map(repr, names[:_SHOWN])) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    noun = kind.SINGULAR if len(names) == 1 else kind.PLURAL
    raise Conflict(
        f"{noun.replace('_', ' ')} {listed} {one if len(names) == 1 else many} in the workflow",
        hint="Give a different name, or use the one that exists.", field="name", value=names[0],
    )  # fmt: skip
