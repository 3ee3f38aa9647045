"""Groups: made, filled, opened workflows to, and the one of the administrators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from torc_core.contracts.access import ANONYMOUS
from torc_core.contracts.storage import Condition
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.access import GROUP_ADMIN, SYSTEM_GROUP, AccessGroup, UserGroupMembership, WorkflowAccessGroup
from torc_core.records.answers.access import AccessCheck
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.resources import Workflow
from torc_core.service.access import MEMBER, OWNER
from torc_core.service.api import Service
from torc_core.service.clock import utc_text
from torc_core.service.filters import sort_field
from torc_core.service.group_links import is_system, link, refresh_names
from torc_core.service.queries import check_page
from torc_core.service.registry import handles
from torc_core.service.turn import Turn, of_workflow, with_ids

R = TypeVar("R", bound=Record)


# members


@handles(Service.list_group_members)
def list_group_members(turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[UserGroupMembership]:
    """List members."""
    turn.get(AccessGroup, id)
    return _page(turn, UserGroupMembership, [Condition("group_id", "equal", id)], offset, limit)


@handles(Service.add_user_to_group)
def add_user_to_group(turn: Turn, id: int, member: UserGroupMembership) -> UserGroupMembership:
    """Make somebody a member."""
    group = _changeable(turn, id)
    name = member.user_name
    if not name or name != name.strip() or name == ANONYMOUS:
        raise Invalid(f"{name!r} is not a name that somebody logs in with", field="user_name", value=name)
    if turn.storage.count(UserGroupMembership, _of_member(id, name)):
        raise Conflict(f"{name} is a member of the group {group.name!r} already", field="user_name", value=name)
    return turn.insert(
        UserGroupMembership(group_id=id, user_name=name, role=member.role, created_at=utc_text(turn.now))
    )


@handles(Service.remove_user_from_group)
def remove_user_from_group(turn: Turn, id: int, user_name: str) -> UserGroupMembership:
    """End a membership."""
    group = _changeable(turn, id)
    for member in list(turn.records(UserGroupMembership, _of_member(id, user_name))):
        turn.delete(UserGroupMembership, with_ids([member.id]))
        return member
    raise NotFound(f"{user_name} is not a member of the group {group.name!r}", id=id)


@handles(Service.list_user_groups)
def list_user_groups(turn: Turn, user_name: str, offset: int = 0, limit: int = MAX_LIMIT) -> Page[AccessGroup]:
    """List somebody's groups."""
    mine = [Condition("user_name", "equal", user_name)]
    ids = [id for (id,) in turn.rows(UserGroupMembership, ("group_id",), mine)]
    return _page(turn, AccessGroup, with_ids(ids), offset, limit)


def _changeable(turn: Turn, id: int) -> AccessGroup:
    group = turn.get(AccessGroup, id)
    if group.name == SYSTEM_GROUP:
        raise is_system()
    return group


def _of_member(group_id: int, name: str) -> list[Condition]:
    return [Condition("group_id", "equal", group_id), Condition("user_name", "equal", name)]


# workflows


@handles(Service.list_workflow_groups)
def list_workflow_groups(turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[AccessGroup]:
    """List who may use a workflow."""
    turn.get(Workflow, id)
    ids = [group_id for (group_id,) in turn.rows(WorkflowAccessGroup, ("group_id",), of_workflow(id))]
    return _page(turn, AccessGroup, with_ids(ids), offset, limit)


@handles(Service.add_workflow_to_group)
def add_workflow_to_group(turn: Turn, id: int, group_id: int) -> WorkflowAccessGroup:
    """Open a workflow to a group."""
    turn.get(Workflow, id)
    group = turn.get(AccessGroup, group_id)
    if turn.storage.count(WorkflowAccessGroup, _of_link(id, group_id)):
        raise Conflict(f"workflow {id} is open to the group {group.name!r} already", id=id)
    made = link(turn, id, group_id)
    refresh_names(turn, [id])
    return made


@handles(Service.remove_workflow_from_group)
def remove_workflow_from_group(turn: Turn, id: int, group_id: int) -> WorkflowAccessGroup:
    """Close a workflow to a group."""
    turn.get(Workflow, id)
    group = turn.get(AccessGroup, group_id)
    for found in list(turn.records(WorkflowAccessGroup, _of_link(id, group_id))):
        turn.delete(WorkflowAccessGroup, with_ids([found.id]))
        refresh_names(turn, [id])
        return found
    raise NotFound(f"workflow {id} is not open to the group {group.name!r}", id=id)


@handles(Service.check_workflow_access)
def check_workflow_access(turn: Turn, workflow_id: int, user_name: str) -> AccessCheck:
    """Say how somebody stands to a workflow."""
    try:
        standing = turn.access.standing(turn, user_name, workflow_id)
    except NotFound as exc:
        return AccessCheck(has_access=False, user_name=user_name, workflow_id=workflow_id, reason=str(exc))
    is_admin = user_name in turn.access.administrators
    reasons = {OWNER: "is an administrator" if is_admin else "owns it", MEMBER: "is a member of one of its groups"}
    reason = reasons.get(standing, "neither owns it nor is a member of one of its groups")
    return AccessCheck(
        has_access=bool(standing), user_name=user_name, workflow_id=workflow_id, reason=f"{user_name} {reason}"
    )


def _of_link(workflow_id: int, group_id: int) -> list[Condition]:
    return of_workflow(workflow_id, Condition("group_id", "equal", group_id))


def _page(turn: Turn, kind: type[R], where: list[Condition], offset: int, limit: int) -> Page[R]:
    check_page(offset, limit)
    found = turn.records(kind, where, order=sort_field(kind, None), offset=offset, limit=limit)
    return Page(list(found), turn.storage.count(kind, where), offset, limit)


# administrators


def synchronise_administrators(turn: Turn, names: Iterable[str]) -> None:
    """Make the system group hold exactly these people."""
    mine = [Condition("name", "equal", SYSTEM_GROUP)]
    group_id = next((id for (id,) in turn.rows(AccessGroup, ("id",), mine)), None)
    moment = utc_text(turn.now)
    if group_id is None:
        made = AccessGroup(name=SYSTEM_GROUP, description="administrators of this server", created_at=moment)
        group_id = turn.insert(made).id
    members = [Condition("group_id", "equal", group_id)]
    kept = set(turn.rows(UserGroupMembership, ("user_name", "role"), members))
    wanted = {(name, GROUP_ADMIN) for name in names}
    if kept == wanted:
        return
    turn.delete(UserGroupMembership, members)
    for name, role in sorted(wanted):
        turn.insert(UserGroupMembership(group_id=group_id, user_name=name, role=role, created_at=moment))
