"""A whole workflow stored at once, from columns of jobs; references are positions and become ids here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, get_origin

from torc_core.errors import Invalid
from torc_core.problems import Problem
from torc_core.records.actions import ActionRun
from torc_core.records.answers import CreatedWorkflow, NewWorkflow
from torc_core.records.provenance import RoCrateEntity
from torc_core.records.record import ENCODER, WorkflowPart, stored
from torc_core.records.resources import (
    ComputeNode,
    Event,
    Job,
    ResourceRequirements,
    Result,
    Workflow,
    WorkflowAction,
)
from torc_core.records.values import Field, raise_problems, reader
from torc_core.service import names, rules, verbs
from torc_core.service.api import Service
from torc_core.service.history import mark_armings, mark_latest, note_inputs, statuses, take_over
from torc_core.service.references import IN_JSON, check_references
from torc_core.service.registry import handles
from torc_core.service.rules import DEFAULT_NEEDS, check_env, clean_labels, default_needs
from torc_core.service.turn import Turn, of_workflow
from torc_core.service.whole import POSITION_MARK, POSITIONS, parts, references, renamed_jobs

_FIXED = ("id", "workflow_id")
_NOT_BEFORE = ("trigger_count", "executed", "executed_at", "executed_by")
"""What becomes of an action in a run, and so not before the first one."""
INPUTS_CHANGED = "inputs_changed"
"""A column of jobs that is in no record: whether a finished job ran with something else than it would be given now."""


class Places:
    """Turns positions in the lists of a request into ids: those of one list follow each other."""

    def __init__(self, turn: Turn, counts: dict[str, int]) -> None:
        self.counts = counts
        self.first = {
            plural: turn.storage.next_ids(kind, counts[plural]) if counts[plural] else 0
            for plural, kind in parts().items()
        }

    def id(self, plural: str, position: Any, where: str) -> int:
        """Return the id of what is at a position; raises Invalid, with ``where`` it was said."""
        count = self.counts[plural]
        if type(position) is not int or not 0 <= position < count:
            raise Invalid(f"{where}: position {position!r} is outside 0 to {count - 1} of {plural}", field=where)
        return position + self.first[plural]

    def id_of_any(self, plurals: str, position: Any, where: str) -> int:
        """Return the id of what is at a position in the first of some lists, or in one that the position names."""
        named = position if isinstance(position, dict) and len(position) == 1 else {}
        for plural in plurals.split():
            if POSITIONS.get(plural) in named:
                return self.id(plural, named[POSITIONS[plural]], where)
        return self.id(plurals.split(maxsplit=1)[0], position, where)

    def with_id(self, config: Any, where: str) -> Any:
        """Return a mapping with the id of a scheduler or allocation for its position; anything else as it is."""
        for plural, word in POSITIONS.items():
            if isinstance(config, dict) and word in config:
                config = {name: value for name, value in config.items() if name != word} | {
                    "scheduler_id": self.id(plural, config[word], where)
                }
        return config


@handles(Service.create_whole_workflow)
def create_whole_workflow(turn: Turn, new: NewWorkflow) -> CreatedWorkflow:
    """Store it all; raises Invalid (a wrong value or position) or Conflict (a name twice), and then nothing is kept."""
    _check_shape(new)
    workflow = verbs.create(turn, Workflow.read(new.workflow))
    columns = new.jobs or {}
    _check_ids_in_json(turn, workflow.id, new, columns)
    counts = {plural: len(getattr(new, plural) or []) for plural in parts() if plural != Job.PLURAL}
    counts[Job.PLURAL] = len(next(iter(columns.values()))) if columns else 0
    if any(item.get("name") == DEFAULT_NEEDS for item in new.resource_requirements or []):
        turn.delete(ResourceRequirements, of_workflow(workflow.id))  # it comes with values of its own
    places = Places(turn, counts)
    for plural, kind in parts().items():
        if kind is Job:
            _insert_jobs(turn, workflow.id, columns, places, new.as_is)
        else:
            _insert(turn, kind, workflow.id, getattr(new, plural) or [], places, new.as_is)
    default_needs(turn, workflow.id)
    take_over(turn, workflow.id, new)
    if new.as_is and columns:
        changed = columns.get(INPUTS_CHANGED) or ()
        note_inputs(turn, workflow.id, {places.first[Job.PLURAL] + at for at, is_so in enumerate(changed) if is_so})
    first = places.first
    return CreatedWorkflow(
        workflow_id=workflow.id, first_job_id=first["jobs"], first_file_id=first["files"],
        first_user_data_id=first["user_data"], job_count=counts["jobs"],
    )  # fmt: skip


def _check_shape(new: NewWorkflow) -> None:
    """Refuse what is no list of mappings, or no mapping of lists; raises Invalid."""
    for name in parts():
        items = getattr(new, name)
        if name == Job.PLURAL or items is None:
            continue
        if not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
            raise Invalid(f"{name} must be a list of mappings", field=name)
    if new.jobs is not None and not isinstance(new.jobs, dict):
        raise Invalid("jobs must be a mapping of columns", field="jobs")
    if any(not isinstance(column, list) for column in (new.jobs or {}).values()):
        raise Invalid("jobs must hold lists, one value for each job", field="jobs")


def _check_ids_in_json(turn: Turn, workflow_id: int, new: NewWorkflow, columns: dict[str, list[Any]]) -> None:
    """Refuse what is the id of another workflow's record and no position; raises Invalid."""
    for kind, members in IN_JSON.items():
        for name, _, _ in members:
            given = (
                columns.get(name, ()) if kind is Job else (item.get(name) for item in getattr(new, kind.PLURAL) or ())
            )
            for config in {id(config): config for config in given if config is not None}.values():
                check_references(turn, kind, workflow_id, {name: config})


def _insert(
    turn: Turn, kind: type[WorkflowPart], workflow_id: int, items: Sequence[dict[str, Any]], places: Places, as_is: bool
) -> None:
    """Store checked records with the ids that belong to their positions."""
    if not items:
        return
    finish = _finisher(turn, kind, places, as_is)
    records = []
    for id, item in enumerate(items, places.first[kind.PLURAL]):
        record = kind.read({**_with_ids(kind, item, places), "workflow_id": workflow_id})
        record.id = id
        finish(record)
        records.append(record)
    names.refuse_twice(kind, [str(vars(record).get("name")) for record in records])
    if kind is Result:
        mark_latest(records, items)
    if kind is ActionRun:
        mark_armings(records)
    fields = list(kind.FIELDS.values())
    rows = (tuple(stored(f, getattr(record, f.name)) for f in fields) for record in records)
    turn.is_dirty = True
    turn.storage.insert(kind, [f.name for f in fields], rows)


def _with_ids(kind: type[WorkflowPart], item: dict[str, Any], places: Places) -> dict[str, Any]:
    """Return what a record is read from: its positions as ids."""
    made = dict(item)
    for name, plural in references(kind).items():
        where, position, f = f"{kind.PLURAL}.{name}", item.get(name), kind.FIELDS[name]
        if position is None:
            if f.mentions and not f.optional:
                made[name] = 0
        elif get_origin(f.type) is list:
            _check_positions(kind.PLURAL, name, position)
            made[name] = [places.id(plural, one, where) for one in position]
        else:
            made[name] = places.id_of_any(plural, position, where)
    for name, _, _ in IN_JSON.get(kind, ()):
        made[name] = places.with_id(made.get(name), f"{kind.PLURAL}.{name}")
    if kind is RoCrateEntity:
        for name in ("entity_id", "metadata"):
            made[name] = renamed_jobs(made.get(name), lambda word: _job_id(word, places))
    return made


def _job_id(word: str, places: Places) -> str | None:
    """Return the id of the job that ``@N`` stands for; None for any other word."""
    if not word.startswith(POSITION_MARK):
        return None
    return str(places.id(Job.PLURAL, int(word.removeprefix(POSITION_MARK)), RoCrateEntity.PLURAL))


def _finisher(turn: Turn, kind: type[WorkflowPart], places: Places, as_is: bool) -> Callable[[WorkflowPart], None]:
    """Return what completes and checks a record of a kind that was read."""
    decided = {f.name: f.default for f in kind.FIELDS.values() if f.read_only and f.name not in _FIXED}
    if kind is WorkflowAction:
        decided |= {name: kind.FIELDS[name].default for name in _NOT_BEFORE}
    rule = rules.BEFORE_CREATE.get(kind)
    keeps = as_is or kind is Event  # what happened happened then

    def finish(record: WorkflowPart) -> None:
        if not keeps:
            vars(record).update(decided)
        if rule is not None and kind is not Event:
            kept = {name: getattr(record, name) for name in decided} if keeps else {}
            rule(turn, record)
            vars(record).update(kept)
        if kind is ComputeNode:
            record.is_active = False  # type: ignore[attr-defined]

    return finish


def _insert_jobs(turn: Turn, workflow_id: int, columns: dict[str, Any], places: Places, as_is: bool) -> None:
    count = places.counts[Job.PLURAL]
    if not count:
        return
    fields = Job.FIELDS
    taken = {name: f for name, f in fields.items() if name not in _FIXED and _is_given(f, as_is)}
    for name, column in columns.items():
        if name not in taken and not (as_is and name == INPUTS_CHANGED):
            raise Invalid(f"jobs: {name!r} is not a field that new jobs have", field="jobs")
        if len(column) != count:
            raise Invalid(f"jobs: {name!r} must be a list of {count} values, like the others", field="jobs")
    names.refuse_twice(Job, columns.get("name") or ())
    default_id = default_needs(turn, workflow_id)
    first = places.first[Job.PLURAL]
    listed: list[str] = ["id", "workflow_id"]
    values: list[Iterable[Any]] = [range(first, first + count), repeat(workflow_id)]
    for name, f in fields.items():
        if name in listed:
            continue
        if name in columns:
            column = _stored_column(f, columns[name], places, default_id)
        elif name == "resource_requirements_id":
            column = repeat(default_id)
        elif f.optional and f.default is not None:
            column = repeat(stored(f, f.default))
        elif f.optional:
            continue
        else:
            raise Invalid(f"jobs: {name!r} is missing", field="jobs")
        listed.append(name)
        values.append(column)
    turn.storage.insert(Job, listed, zip(*values, strict=False))


def _is_given(f: Field, as_is: bool) -> bool:
    """Whether a request may say what a field of new jobs holds."""
    return not f.internal and (as_is or not (f.read_only or f.name == "status"))


def _stored_column(f: Field, column: list[Any], places: Places, default_id: int) -> Iterable[Any]:
    if f.links:
        return _link_texts(f, column, places.first[f.links], places.counts[f.links])
    plural = references(Job).get(f.name)
    if plural is not None:
        return _references(f, column, places, plural, default_id if plural == ResourceRequirements.PLURAL else None)
    if f.name == "schedule_compute_nodes":
        column = [places.with_id(value, f"jobs.{f.name}") for value in column]
    _check_values(f, column)
    if f.name == "status":
        column = statuses(column)
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
            _check_positions("jobs", f.name, positions)
            if min(positions) < 0 or max(positions) >= count:
                raise Invalid(f"jobs: {f.name}: a position is outside 0 to {count - 1}", field=f.name)
            text = known[key] = ENCODER.encode([position + first for position in positions])
        yield text


def _check_positions(plural: str, name: str, positions: Any) -> None:
    if not isinstance(positions, list | tuple) or any(type(position) is not int for position in positions):
        raise Invalid(f"{plural}: {name} must hold lists of positions", field=name)


def _references(
    f: Field, column: list[Any], places: Places, plurals: str, default_id: int | None
) -> Iterator[int | None]:
    plain = plurals.split(maxsplit=1)[0]
    first, count = places.first[plain], places.counts[plain]
    for position in column:
        if position is None or position == -1:
            yield default_id
        elif type(position) is int and 0 <= position < count:
            yield position + first
        elif isinstance(position, dict):
            yield places.id_of_any(plurals, position, f"jobs.{f.name}")
        else:
            raise Invalid(f"jobs: {f.name}: position {position} is outside 0 to {count - 1}", field=f.name)
