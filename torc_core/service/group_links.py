"""Which groups may use a workflow: kept as links, and as names on the workflow, which is what people read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from torc_core.contracts.storage import Condition
from torc_core.errors import Conflict, Forbidden, Invalid
from torc_core.problems import did_you_mean
from torc_core.records.access import SYSTEM_GROUP, AccessGroup, WorkflowAccessGroup
from torc_core.records.record import stored
from torc_core.records.resources import Workflow
from torc_core.service.clock import utc_text
from torc_core.service.turn import Turn, with_ids


def check_names(turn: Turn, names: Sequence[str] | None) -> list[str] | None:
    """Return names of groups sorted, None for none; raises Invalid for one that is unknown or there twice."""
    if not names:
        return None
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"access_groups: {name!r} is there twice", field="access_groups", value=name)
    known = {name for (name,) in turn.rows(AccessGroup, ("name",), [Condition("name", "one_of", list(names))])}
    for name in names:
        if name not in known:
            everybody = [other for (other,) in turn.rows(AccessGroup, ("name",))] if not turn.access.is_enforced else ()
            hint = did_you_mean(name, everybody) or "An administrator makes one with: torc access-groups create"
            raise Invalid(f"access_groups: there is no group {name!r}", hint=hint, field="access_groups", value=name)
    return sorted(names)


def link_named(turn: Turn, workflow: Workflow) -> None:
    """Open a new workflow to the groups that it names."""
    if workflow.access_groups:
        where = [Condition("name", "one_of", workflow.access_groups)]
        for (group_id,) in list(turn.rows(AccessGroup, ("id",), where)):
            link(turn, workflow.id, group_id)


def link(turn: Turn, workflow_id: int, group_id: int) -> WorkflowAccessGroup:
    """Open a workflow to a group; the caller looks after the names."""
    made = WorkflowAccessGroup(workflow_id=workflow_id, group_id=group_id, created_at=utc_text(turn.now))
    return turn.insert(made)


def refresh_names(turn: Turn, workflow_ids: Collection[int]) -> None:
    """Write the names of the groups that may use workflows onto them."""
    if not workflow_ids:
        return
    linked: dict[int, list[int]] = {id: [] for id in workflow_ids}
    where = [Condition("workflow_id", "one_of", list(workflow_ids))]
    for workflow_id, group_id in turn.rows(WorkflowAccessGroup, ("workflow_id", "group_id"), where):
        linked[workflow_id].append(group_id)
    names = _names(turn, {id for ids in linked.values() for id in ids})
    field = Workflow.FIELDS["access_groups"]
    rows = []
    for workflow_id, ids in linked.items():
        turn.touch(workflow_id)
        rows.append((stored(field, sorted(names[id] for id in ids) or None), workflow_id))
    turn.set_each(Workflow, ("access_groups",), rows)


def _names(turn: Turn, group_ids: Iterable[int]) -> dict[int, str]:
    return dict(turn.rows(AccessGroup, ("id", "name"), with_ids(sorted(group_ids))))


# the groups themselves


def new_group(turn: Turn, group: AccessGroup) -> None:
    """Refuse a name that is taken or the server's own."""
    group.name = group.name.strip()
    if not group.name:
        raise Invalid("a group needs a name", field="name")
    if group.name == SYSTEM_GROUP:
        raise is_system()
    if turn.storage.count(AccessGroup, [Condition("name", "equal", group.name)]):
        raise Conflict(f"there is a group {group.name!r} already", field="name", value=group.name)
    group.created_at = utc_text(turn.now)


def before_deleting_group(turn: Turn, group: AccessGroup) -> None:
    """Close the workflows of a group to it."""
    if group.name == SYSTEM_GROUP:
        raise is_system()
    mine = [Condition("group_id", "equal", group.id)]
    opened = [id for (id,) in turn.rows(WorkflowAccessGroup, ("workflow_id",), mine)]
    turn.delete(WorkflowAccessGroup, mine)
    refresh_names(turn, opened)


def is_system() -> Forbidden:
    """Return the error about changing the group of the administrators."""
    return Forbidden(
        f"the group {SYSTEM_GROUP!r} is kept by the server and cannot be changed",
        hint="Administrators are named when the server starts, with --admin-user.",
    )
