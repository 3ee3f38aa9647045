"""``torc access-groups`` and ``torc admin``: who may use which workflows on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.showing import echo_message, echo_record, echo_records
from torc_core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from torc_core.records.record import Page

_EXAMPLES = """
torc access-groups create wind -d "Wind farm studies"
torc access-groups add-user wind amy --role admin
torc access-groups add-workflow 7 wind
"""
_GROUPS = {"ID": "id", "Name": "name", "Description": "description", "Created At": "created_at"}
_MEMBERS = {"User": "user_name", "Role": "role", "Since": "created_at"}
_group = click.argument("group", metavar="GROUP")
_user = click.argument("user", metavar="USER")
_workflow = click.argument("workflow_id", type=int)


@click.group("access-groups", cls=TorcGroup, examples=_EXAMPLES)
def access_groups() -> None:
    """Groups of people, and the workflows that are open to them. GROUP is an id or a name.

    Administrators make groups, members with the role admin manage the members, owners open their workflows to groups.
    """


def _paged(function: Any) -> Any:
    limit = click.option("-l", "--limit", type=click.IntRange(0), default=100, help="At most so many (100).")
    return limit(
        click.option("-o", "--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")(function)
    )


def _id_of(app: App, group: str) -> int:
    """Return the id of a group that is named by it or by its name; raises NotFound."""
    if group.isdecimal():
        return int(group)
    from torc_core.errors import Forbidden
    from torc_core.records.access import AccessGroup

    service = app.service()
    try:
        found = list(service.each(AccessGroup))
    except Forbidden:  # others than administrators see their own
        found = service.list_user_groups(app.user).items
    for known in found:
        if known.name == group:
            return known.id
    raise NotFound(f"there is no group {group!r} that you can see", hint="Use its id.")


@access_groups.command(cls=TorcCommand)
@click.argument("name")
@click.option("-d", "--description", help="What it is for.")
@pass_app
def create(app: App, name: str, description: str | None) -> None:
    """Make a group NAME."""
    from torc_core.records.access import AccessGroup

    echo_record(app, app.service().create(AccessGroup(name=name, description=description)), "Made group")


@access_groups.command(cls=TorcCommand)
@_group
@pass_app
def get(app: App, group: str) -> None:
    """Show a group."""
    from torc_core.records.access import AccessGroup

    echo_record(app, app.service().get(AccessGroup, _id_of(app, group)), "group")


@access_groups.command("list", cls=TorcCommand, lists=True)
@_paged
@pass_app
def list_command(app: App, limit: int, offset: int) -> None:
    """List all groups."""
    from torc_core.records.access import AccessGroup

    echo_records(app, app.service().find(AccessGroup, None, offset, limit), _GROUPS, "access_groups")


@access_groups.command(cls=TorcCommand)
@_group
@pass_app
def delete(app: App, group: str) -> None:
    """Delete a group; workflows are closed to its members."""
    from torc_core.records.access import AccessGroup

    gone = app.service().delete(AccessGroup, _id_of(app, group))
    echo_message(app, f"Deleted group {gone.name}", id=gone.id, name=gone.name)


# members


@access_groups.command("add-user", cls=TorcCommand)
@_group
@_user
@click.option("-r", "--role", type=click.Choice(["member", "admin"]), default="member", help="Role (member).")
@pass_app
def add_user(app: App, group: str, user: str, role: str) -> None:
    """Make USER a member of GROUP."""
    from torc_core.records.access import UserGroupMembership

    made = app.service().add_user_to_group(_id_of(app, group), UserGroupMembership(user_name=user, role=role))
    echo_message(app, f"{user} is {role} of group {group}", group_id=made.group_id, user_name=user, role=role)


@access_groups.command("remove-user", cls=TorcCommand)
@_group
@_user
@pass_app
def remove_user(app: App, group: str, user: str) -> None:
    """End the membership of USER in GROUP."""
    gone = app.service().remove_user_from_group(_id_of(app, group), user)
    echo_message(app, f"{user} is no member of group {group} any more", group_id=gone.group_id, user_name=user)


def _page(app: App, ask: Callable[[int, int], Page[Any]], limit: int, offset: int, columns: dict[str, str]) -> None:
    echo_records(app, ask(offset, limit), columns, "access_groups" if columns is _GROUPS else "members")


@access_groups.command("list-members", cls=TorcCommand, lists=True)
@_group
@_paged
@pass_app
def list_members(app: App, group: str, limit: int, offset: int) -> None:
    """List the members of GROUP."""
    id = _id_of(app, group)
    _page(app, lambda *page: app.service().list_group_members(id, *page), limit, offset, _MEMBERS)


@access_groups.command("list-user-groups", cls=TorcCommand, lists=True)
@_user
@_paged
@pass_app
def list_user_groups(app: App, user: str, limit: int, offset: int) -> None:
    """List the groups of USER."""
    _page(app, lambda *page: app.service().list_user_groups(user, *page), limit, offset, _GROUPS)


# workflows


@access_groups.command("add-workflow", cls=TorcCommand)
@_workflow
@_group
@pass_app
def add_workflow(app: App, workflow_id: int, group: str) -> None:
    """Open a workflow to the members of GROUP."""
    made = app.service().add_workflow_to_group(workflow_id, _id_of(app, group))
    echo_message(
        app, f"Workflow {workflow_id} is open to group {group}", workflow_id=workflow_id, group_id=made.group_id
    )


@access_groups.command("remove-workflow", cls=TorcCommand)
@_workflow
@_group
@pass_app
def remove_workflow(app: App, workflow_id: int, group: str) -> None:
    """Close a workflow to the members of GROUP."""
    gone = app.service().remove_workflow_from_group(workflow_id, _id_of(app, group))
    echo_message(
        app, f"Workflow {workflow_id} is closed to group {group}", workflow_id=workflow_id, group_id=gone.group_id
    )


@access_groups.command("list-workflow-groups", cls=TorcCommand, lists=True)
@_workflow
@_paged
@pass_app
def list_workflow_groups(app: App, workflow_id: int, limit: int, offset: int) -> None:
    """List the groups that a workflow is open to."""
    _page(app, lambda *page: app.service().list_workflow_groups(workflow_id, *page), limit, offset, _GROUPS)


@click.group(cls=TorcGroup)
def admin() -> None:
    """Look after a server."""


@admin.command("reload-auth", cls=TorcCommand)
@pass_app
def reload_auth(app: App) -> None:
    """Have the server read its file of users again."""
    done = app.service().reload_auth()
    echo_message(app, f"The server has {done.message}", user_count=done.user_count)
