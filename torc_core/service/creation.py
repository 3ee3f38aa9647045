"""A whole workflow stored at once, from columns of jobs; references are positions and become ids here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from torc_core.errors import Invalid
from torc_core.problems import Problem
from torc_core.records.answers import CreatedWorkflow, NewWorkflow
from torc_core.records.record import ENCODER, WorkflowPart, stored
from torc_core.records.resources import (
    FailureHandler,
    File,
    Job,
    ResourceRequirements,
    SlurmScheduler,
    UserData,
    Workflow,
    WorkflowAction,
)
from torc_core.records.values import Field, raise_problems, reader
from torc_core.service import verbs
from torc_core.service.api import Service
from torc_core.service.registry import handles
from torc_core.service.rules import check_env, check_needs, clean_labels, default_needs
from torc_core.service.turn import Turn

_REFERENCES = {"resource_requirements_id", "failure_handler_id", "scheduler_id"}
_PARTS: tuple[tuple[str, type[WorkflowPart]], ...] = (
    ("files", File), ("user_data", UserData), ("resource_requirements", ResourceRequirements),
    ("slurm_schedulers", SlurmScheduler), ("failure_handlers", FailureHandler),
)  # fmt: skip


@handles(Service.create_whole_workflow)
def create_whole_workflow(turn: Turn, new: NewWorkflow) -> CreatedWorkflow:
    """Store it all; raises Invalid (a wrong value or position) or Conflict (a name twice), and then nothing is kept."""
    _check_shape(new)
    workflow = verbs.create(turn, Workflow.read(new.workflow))
    first = {name: _insert(turn, kind, workflow.id, getattr(new, name) or []) for name, kind in _PARTS}
    counts = {name: len(getattr(new, name) or []) for name, _ in _PARTS}
    columns = new.jobs or {}
    count = len(next(iter(columns.values()))) if columns else 0
    first["jobs"] = turn.storage.next_ids(Job, count) if count else 0
    counts["jobs"] = count
    if count:
        _insert_jobs(turn, workflow.id, columns, first, counts)
    _insert_actions(turn, workflow.id, new.workflow_actions or [], first, counts)
    return CreatedWorkflow(
        workflow_id=workflow.id, first_job_id=first["jobs"], first_file_id=first["files"],
        first_user_data_id=first["user_data"], job_count=count,
    )  # fmt: skip


def _check_shape(new: NewWorkflow) -> None:
    """Refuse what is no list of mappings, or no mapping of lists; raises Invalid."""
    for name in (*(name for name, _ in _PARTS), "workflow_actions"):
        items = getattr(new, name)
        if items is not None and not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
            raise Invalid(f"{name} must be a list of mappings", field=name)
    if new.jobs is not None and not isinstance(new.jobs, dict):
        raise Invalid("jobs must be a mapping of columns", field="jobs")
    if any(not isinstance(column, list) for column in (new.jobs or {}).values()):
        raise Invalid("jobs must hold lists, one value for each job", field="jobs")


def _insert(turn: Turn, kind: type[WorkflowPart], workflow_id: int, items: Sequence[dict[str, Any]]) -> int:
    """Store checked records; returns the first of their consecutive ids."""
    records = []
    for item in items:
        record = kind.read({**item, "workflow_id": workflow_id})
        record = record.changed(**{f.name: f.default for f in kind.FIELDS.values() if f.read_only})
        if isinstance(record, ResourceRequirements):
            check_needs(record)
        records.append(record)
    if not records:
        return 0
    first = turn.storage.next_ids(kind, len(records))
    for id, record in enumerate(records, first):
        record.id = id
    fields = list(kind.FIELDS.values())
    rows = (tuple(stored(f, getattr(record, f.name)) for f in fields) for record in records)
    turn.is_dirty = True
    turn.storage.insert(kind, [f.name for f in fields], rows)
    return first


def _insert_jobs(
    turn: Turn, workflow_id: int, columns: dict[str, Any], first: dict[str, int], counts: dict[str, int]
) -> None:
    count = counts["jobs"]
    fields = Job.FIELDS
    taken = {
        n: f for n, f in fields.items() if not f.read_only and not f.internal and n not in ("workflow_id", "status")
    }
    for name, column in columns.items():
        if name not in taken:
            raise Invalid(f"jobs: {name!r} is not a field that new jobs have", field="jobs")
        if len(column) != count:
            raise Invalid(f"jobs: {name!r} must be a list of {count} values, like the others", field="jobs")
    default_id = default_needs(turn, workflow_id)
    names: list[str] = ["id", "workflow_id"]
    values: list[Iterable[Any]] = [range(first["jobs"], first["jobs"] + count), repeat(workflow_id)]
    for name, f in fields.items():
        if name in names:
            continue
        if name in columns:
            column = _stored_column(f, columns[name], first, counts, default_id)
        elif name == "resource_requirements_id":
            column = repeat(default_id)
        elif f.optional and f.default is not None:
            column = repeat(stored(f, f.default))
        elif f.optional:
            continue
        else:
            raise Invalid(f"jobs: {name!r} is missing", field="jobs")
        names.append(name)
        values.append(column)
    turn.storage.insert(Job, names, zip(*values, strict=False))


def _stored_column(
    f: Field, column: list[Any], first: dict[str, int], counts: dict[str, int], default_id: int
) -> Iterable[Any]:
    if f.links:
        return _link_texts(f, column, first[f.links], counts[f.links])
    if f.name in _REFERENCES:
        plural = f.refers or "slurm_schedulers"
        return _references(
            f, column, first[plural], counts[plural], default_id if f.refers == "resource_requirements" else None
        )
    _check_values(f, column)
    if f.name == "env":
        _each_once(column, check_env)
    if f.name == "labels":
        return [stored(f, clean_labels(labels)) for labels in column]
    if f.check is not None:
        for value in set(column):
            try:
                f.check(value)
            except ValueError as exc:
                raise Invalid(f"jobs: {f.name}: {exc}", field=f.name) from exc
    if f.type is str or f.type is int:
        return column
    return _texts(f, column)


def _check_values(f: Field, column: list[Any]) -> None:
    """Check that a column holds what the field does; values that many jobs share are looked at once."""
    kinds = set(map(type, column))
    if f.type in (str, bool) and kinds <= {f.type}:
        return
    read = reader(f.type)
    problems: list[Problem] = []
    for value in {id(value): value for value in column}.values():
        if value is not None or not f.optional:
            read(value, (None, f.name), problems)
    raise_problems("jobs", problems)


def _each_once(column: list[Any], check: Any) -> None:
    """Check values that many jobs share only once."""
    for value in {id(value): value for value in column}.values():
        check(value)


def _texts(f: Field, column: list[Any]) -> Iterator[Any]:
    known: dict[int, Any] = {}
    for value in column:
        key = id(value)  # the column keeps all values alive
        if key not in known:
            known[key] = stored(f, value)
        yield known[key]


def _link_texts(f: Field, column: list[Any], first: int, count: int) -> Iterator[str | None]:
    """Yield the lists of positions as JSON lists of ids; equal objects are written once."""
    known: dict[int, str | None] = {}
    for positions in column:
        if not positions:
            yield None
            continue
        if type(positions) in (tuple, list) and len(positions) == 1 and positions[0] in range(count):
            yield f"[{positions[0] + first}]"
            continue
        key = id(positions)
        text = known.get(key)
        if text is None:
            _check_positions(f, positions)
            if min(positions) < 0 or max(positions) >= count:
                raise Invalid(f"jobs: {f.name}: a position is outside 0 to {count - 1}", field=f.name)
            text = known[key] = ENCODER.encode([position + first for position in positions])
        yield text


def _check_positions(f: Field, positions: Any) -> None:
    if not isinstance(positions, list | tuple) or any(type(position) is not int for position in positions):
        raise Invalid(f"jobs: {f.name} must hold lists of positions", field=f.name)


def _references(f: Field, column: list[Any], first: int, count: int, default_id: int | None) -> Iterator[int | None]:
    for position in column:
        if position is None or position == -1:
            yield default_id
        elif type(position) is int and 0 <= position < count:
            yield position + first
        else:
            raise Invalid(f"jobs: {f.name}: position {position} is outside 0 to {count - 1}", field=f.name)


def _insert_actions(
    turn: Turn, workflow_id: int, items: Sequence[dict[str, Any]], first: dict[str, int], counts: dict[str, int]
) -> None:
    made: list[dict[str, Any]] = []
    for item in items:
        action = dict(item)
        chosen = action.get("job_ids")
        if chosen is not None:
            _check_positions(WorkflowAction.FIELDS["job_ids"], chosen)
            action["job_ids"] = [_within(position, counts["jobs"]) + first["jobs"] for position in chosen]
        config = action.get("action_config")
        if isinstance(config, dict) and "scheduler" in config:
            config = dict(config)
            position = _within(config.pop("scheduler"), counts["slurm_schedulers"])
            config["scheduler_id"] = position + first["slurm_schedulers"]
            action["action_config"] = config
        made.append(action)
    _insert(turn, WorkflowAction, workflow_id, made)


def _within(position: Any, count: int) -> int:
    if type(position) is not int or not 0 <= position < count:
        raise Invalid(f"workflow_actions: position {position!r} is outside 0 to {count - 1}", field="workflow_actions")
    return position
