"""The five verbs of records: create, get, find, update, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.errors import Invalid
from torc_core.records.answers import Deleted
from torc_core.records.record import MAX_LIMIT, Page, Record, WorkflowPart, loaded_fields, row_reader
from torc_core.records.resources import Workflow
from torc_core.service import names, rules, telling
from torc_core.service.api import verb_of
from torc_core.service.filters import conditions, sort_field
from torc_core.service.queries import check_page
from torc_core.service.references import check_references
from torc_core.service.saving import save_statuses
from torc_core.service.turn import Turn, of_workflow, read_rows, workflow_of

R = TypeVar("R", bound=Record)


def create(turn: Turn, record: R, **extra: Any) -> R:
    """Store a new record; what the service decides is set anew, whatever was sent."""
    kind = type(record)
    verb_of(kind, "create")
    record = record.changed(**{f.name: f.default for f in kind.FIELDS.values() if f.read_only})
    workflow_id = getattr(record, "workflow_id", None)
    if workflow_id is not None:
        turn.get(Workflow, workflow_id)
        check_references(turn, kind, workflow_id, vars(record))
    names.check_new(turn, record)
    rule = rules.BEFORE_CREATE.get(kind)
    if rule is not None:
        rule(turn, record)
    turn.insert(record)
    after = rules.AFTER_CREATE.get(kind)
    if after is not None:
        after(turn, record, **extra)
    elif extra:
        raise Invalid(f"a {kind.SINGULAR} takes no {', '.join(sorted(extra))}", field=min(extra))
    return record


def find(
    turn: Turn,
    kind: type[R],
    workflow_id: int | None = None,
    offset: int = 0,
    limit: int = MAX_LIMIT,
    sort_by: str | None = None,
    reverse_sort: bool = False,
    *,
    within: Sequence[Condition] = (),
    **filters: Any,
) -> Page[R]:
    """Return one page of the records that match, and are ``within`` what the caller may see."""
    verb_of(kind, "find")
    check_page(offset, limit)
    if workflow_id is not None and issubclass(kind, WorkflowPart):
        turn.get(Workflow, workflow_id)
    where, with_links = conditions(turn, kind, workflow_id, filters)
    where += within
    columns = [f.name for f in loaded_fields(kind, with_links)]
    read = row_reader(kind, with_links)
    rows = turn.rows(
        kind, columns, where, order=sort_field(kind, sort_by), reverse=reverse_sort, offset=offset, limit=limit
    )
    items = list(read_rows(kind, read, rows))
    is_all = not offset and len(items) < limit
    return Page(items, len(items) if is_all else turn.storage.count(kind, where), offset, limit)


def update(turn: Turn, kind: type[R], id: int, changes: dict[str, Any]) -> R:
    """Change fields; those the service decides are left as they are."""
    verb_of(kind, "update")
    old = turn.get(kind, id)
    fields = kind.FIELDS
    unknown = changes.keys() - fields.keys()
    if unknown:
        raise Invalid(f"{kind.SINGULAR} has no field {', '.join(sorted(unknown))}", field=min(unknown))
    if changes.get("workflow_id") not in (None, workflow_of(old)):
        raise Invalid(
            f"{kind.SINGULAR.replace('_', ' ')} {id} cannot be moved to another workflow", field="workflow_id"
        )
    fixed = {"id", "workflow_id", *(n for n, f in fields.items() if f.read_only)}
    kept = {n: v for n, v in changes.items() if n not in fixed}
    rules.before_update(turn, old, kept)
    names.check_changed(turn, old, kept.get("name"))
    if kept:
        workflow_id = workflow_of(old)
        if workflow_id is not None:
            turn.touch(workflow_id)
        turn.set(kind, kept, [Condition("id", "equal", id)])
        new = turn.get(kind, id)
        rules.after_update(turn, old, new)
        return new
    return old


def delete(turn: Turn, kind: type[R], id: int) -> R:
    """Remove one record with all that refers to it."""
    verb_of(kind, "delete")
    record = turn.get(kind, id)
    workflow_id = workflow_of(record)
    if workflow_id is None:
        rule = rules.BEFORE_DELETE.get(kind)
        if rule is not None:
            rule(turn, record)
        turn.delete(kind, [Condition("id", "equal", id)])
        return record
    turn.touch(workflow_id)
    if kind is Workflow:
        telling.workflow_deleted(turn, id)
    else:
        rules.before_delete(turn, kind, workflow_id, [id])
    turn.delete(kind, [Condition("id", "equal", id)])
    turn.forget(workflow_id)
    if kind in rules.LINKED:
        free_dependents(turn, workflow_id)
    return record


def free_dependents(turn: Turn, workflow_id: int) -> None:
    """Settle jobs that waited for nothing but what was deleted."""
    state = turn.state(workflow_id)
    changes = transitions.settle_freed(state.graph)
    save_statuses(turn, state, [*changes.ready, *changes.canceled])


def delete_all(turn: Turn, kind: type[Record], workflow_id: int) -> Deleted:
    """Remove all records of a kind from a workflow."""
    verb_of(kind, "delete_all")
    turn.get(Workflow, workflow_id)
    ids = [id for (id,) in turn.rows(kind, ("id",), of_workflow(workflow_id))]
    if ids:
        turn.touch(workflow_id)
        rules.before_delete(turn, kind, workflow_id, ids)
        turn.delete(kind, of_workflow(workflow_id))
        turn.forget(workflow_id)
        if kind in rules.LINKED:
            free_dependents(turn, workflow_id)
    return Deleted(count=len(ids))
