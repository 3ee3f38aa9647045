"""Which workflows an operation is about, found from its path and its body, as they are declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from torc_core.errors import NotFound
from torc_core.operations import Operation, Parameter
from torc_core.records.record import RECORDS, Record, WorkflowPart
from torc_core.records.resources import Workflow
from torc_core.records.values import Value, bare
from torc_core.service.turn import with_ids

if TYPE_CHECKING:
    from torc_core.service.turn import Turn

Target = Callable[["Turn", dict[str, Any]], Sequence[int]]
"""Returns the ids of the workflows that the arguments are about; raises NotFound for a record that is not there."""
_NOTHING: tuple[int, ...] = ()


def target_of(op: Operation) -> Target:
    """Return what finds the workflows of an operation."""
    if op.record is not None:
        return _of_verb(op, op.record)
    path = re.match(r"/(\w+)/{(\w+)}", op.path)
    names = [p.name for p in op.parameters]
    if "workflow_id" in names:
        return lambda turn, arguments: (arguments["workflow_id"],)
    if path is not None and path[1] in RECORDS:
        return _of_record(RECORDS[path[1]], path[2])
    return _of_body(op.body)


def _of_verb(op: Operation, kind: type[Record]) -> Target:
    is_part = issubclass(kind, WorkflowPart)
    if op.verb == "create":
        return (lambda turn, arguments: (vars(arguments["body"])["workflow_id"],)) if is_part else nowhere
    if op.verb in ("get", "update", "delete"):
        return _of_record(kind, "id")
    return (lambda turn, arguments: _given(arguments.get("workflow_id"))) if is_part else nowhere


def _of_record(kind: type[Record], name: str) -> Target:
    if kind is Workflow:
        return lambda turn, arguments: (arguments[name],)
    if not issubclass(kind, WorkflowPart):
        return nowhere

    def find(turn: Turn, arguments: dict[str, Any]) -> Sequence[int]:
        id = arguments[name]
        for (workflow_id,) in turn.rows(kind, ("workflow_id",), with_ids([id])):
            return (workflow_id,)
        raise NotFound(f"there is no {kind.SINGULAR.replace('_', ' ')} with id {id}", id=id)

    return find


def _of_body(body: Parameter | None) -> Target:
    """Find the workflows of the records in lists of a body."""
    kind = bare(body.type) if body is not None else None
    if body is None or not (isinstance(kind, type) and issubclass(kind, Value)):
        return nowhere
    lists = [f.name for f in kind.FIELDS.values() if _holds_parts(f.type)]
    name = body.name

    def find(turn: Turn, arguments: dict[str, Any]) -> Sequence[int]:
        value = arguments[name]
        return sorted({part.workflow_id for field in lists for part in getattr(value, field) or ()})

    return find if lists else nowhere


def _holds_parts(kind: Any) -> bool:
    if get_origin(kind) is not list:
        return False
    item = bare(get_args(kind)[0])
    return isinstance(item, type) and issubclass(item, WorkflowPart)


def _given(workflow_id: int | None) -> Sequence[int]:
    return _NOTHING if workflow_id is None else (workflow_id,)


def nowhere(turn: Turn, arguments: dict[str, Any]) -> Sequence[int]:
    """Find none: the operation is about no workflow in particular."""
    return _NOTHING
