"""Filters of lists, turned into conditions that every storage knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from torc_core.contracts.storage import WORDS, Condition
from torc_core.errors import Invalid
from torc_core.records.access import AccessGroup, WorkflowAccessGroup
from torc_core.records.record import RECORDS, Filter, Record, stored
from torc_core.records.resources import Job, ResourceRequirements
from torc_core.service.api import check_filters
from torc_core.service.references import workflow_of_job
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.units import parse_duration

_DIGITS = 19  # numbers of 64 bits have no more
Resolver = Callable[[Turn, Filter, Any, list[Condition]], list[Condition]]


def conditions(
    turn: Turn, kind: type[Record], workflow_id: int | None, filters: dict[str, Any]
) -> tuple[list[Condition], bool]:
    """Return what rows must match, and whether linked records are wanted too; raises Invalid for unknown filters."""
    check_filters(kind, filters)
    where = [] if workflow_id is None else of_workflow(workflow_id)
    links = True
    for asked in kind.FILTERS.values():
        value = filters.get(asked.name)
        if value is None:
            value = asked.default
        if asked.how == "with":
            links = bool(value)
        elif value is not None:
            where += _condition(turn, kind, asked, value, where)
    return where, links


def _condition(turn: Turn, kind: type[Record], asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    if asked.how in WORDS:
        column = kind.FIELDS.get(asked.field.partition(".")[0])
        plain = stored(column, value) if column is not None and asked.how == "equal" else value
        return [Condition(asked.field, asked.how, plain)]
    return _RESOLVERS[asked.how](turn, asked, value, where)


def _source(asked: Filter) -> tuple[type[Record], str]:
    plural, _, column = asked.field.partition(".")
    return RECORDS[plural], column


def _listed_by(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """The ids that a list of one other record holds."""
    kind, column = _source(asked)
    found = [text for (text,) in turn.rows(kind, (column,), with_ids([value]))]
    return with_ids(json.loads(found[0]) if found and found[0] else [])


def _named_by(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """The id that one other record holds."""
    kind, column = _source(asked)
    return with_ids([id for (id,) in turn.rows(kind, (column,), with_ids([value])) if id is not None])


def _listed(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """Whether any other record's list holds the id."""
    kind, column = _source(asked)
    workflow = [c for c in where if c.field == "workflow_id"]
    ids = {i for (text,) in turn.rows(kind, (column,), workflow) if text for i in json.loads(text)}
    if not value:
        target = RECORDS[kind.FIELDS[column].links]
        ids = {id for (id,) in turn.rows(target, ("id",), workflow)} - ids
    return with_ids(sorted(ids))


def _seconds(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """A duration of so many seconds, however it is written."""
    rows = turn.rows(ResourceRequirements, ("id", asked.field), where)
    return with_ids([id for id, text in rows if parse_duration(text) == value])


def _unless(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """Only rows with the mark, unless all are asked for."""
    return [] if value else [Condition(asked.field, "equal", 1)]


def _downstream(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """Jobs that wait directly for a job."""
    workflow_id = workflow_of_job(turn, value, where)
    if workflow_id is None:
        return with_ids([])
    graph = turn.state(workflow_id).graph
    return with_ids(sorted(set(graph.job_ids(graph.job_dependents(graph.node(value))))))


def _open_to(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """Workflows that the group of that name may use."""
    groups = [id for (id,) in turn.rows(AccessGroup, ("id",), [Condition("name", "equal", value)])]
    links = turn.rows(WorkflowAccessGroup, ("workflow_id",), [Condition("group_id", "one_of", groups)])
    return with_ids(sorted(id for (id,) in links))


def _number(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """The whole number that a text says; any other text is nobody's."""
    text = str(value)
    number = int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < _DIGITS else None
    return with_ids([]) if number is None else [Condition(asked.field, "equal", number)]


def _set(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """Whether a field holds anything."""
    if not value:
        return [Condition(asked.field, "equal", None)]
    return with_ids([id for id, found in turn.rows(Job, ("id", asked.field), where) if found is not None])


def _claimable(turn: Turn, asked: Filter, value: Any, where: list[Condition]) -> list[Condition]:
    """What a runner with these labels could take: without any, jobs that ask for none."""
    offered = set(value)
    if not offered:
        return [Condition(asked.field, "equal", None)]
    rows = turn.rows(Job, ("id", asked.field), where)
    return with_ids([id for id, labels in rows if labels is not None and offered.issuperset(json.loads(labels))])


_RESOLVERS: dict[str, Resolver] = {
    "number": _number, "set": _set, "claimable": _claimable,
    "listed_by": _listed_by, "named_by": _named_by, "listed": _listed, "seconds": _seconds, "unless": _unless,
    "downstream": _downstream, "open_to": _open_to,
}  # fmt: skip


def sort_field(kind: type[Record], name: str | None) -> str:
    """Return the column to sort by; raises Invalid for what cannot be sorted by."""
    if not name:
        return kind.SORTED_BY
    sortable: Sequence[str] = [f.name for f in kind.FIELDS.values() if not f.links and not f.internal]
    if name not in sortable:
        raise Invalid(f"cannot sort by {name!r}; fields: {', '.join(sortable)}", field="sort_by")
    return name
