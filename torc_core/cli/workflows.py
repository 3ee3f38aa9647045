"""``torc workflows``: list, inspect, change and put away workflows."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.fields import Paging, Shown, field_option, page_options, values_of
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.kinds import find_records
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import bare_fields, cut, echo_record, echo_records, short_json, without_fraction
from torc_core.errors import TorcError, UsageError
from torc_core.records.answers import Archiving
from torc_core.records.resources import Workflow

WORKFLOWS = Shown(
    Workflow,
    {
        "ID": "id", "Name": "name", "Description": lambda w: cut(w.description, 40), "Project": "project",
        "Metadata": lambda w: short_json(w.metadata, 40), "Run": "run_id",
        "Timestamp": lambda w: without_fraction(w.timestamp),
    },
    short={"name": "-n --name", "description": "-d --description", "user": "--owner-user"},
    changed=("name", "description", "user", "project", "metadata", "env"),
)  # fmt: skip

workflows = TorcGroup(
    "workflows",
    help="List, change and restart workflows.",
    lazy={
        "create": "creating:create", "run": "running:run", "status": "status:workflow_status",
        "init": "beginning:initialize", "initialize": "beginning:initialize", "reinit": "beginning:reinitialize",
        "reinitialize": "beginning:reinitialize", "reset-status": "resetting:reset_workflow",
        "actions": "actions:list_actions", "list-actions": "actions:list_actions",
        "action-runs": "actions:list_runs", "update-action": "actions:update_action",
        "delete-action": "actions:delete_action",
        "cancel": "lifecycle:cancel", "delete": "lifecycle:delete",
        "diagnose": "diagnosing:diagnose", "sync-status": "syncing:sync_status",
        "execution-plan": "planning_commands:execution_plan", "export": "exporting:export",
        "import": "importing:import_workflow", "check-resources": "resource_reports:check_utilization",
        "correct-resources": "resource_reports:correct_resources", "reconcile": "reconciling:reconcile",
    },
)  # fmt: skip


@pass_app
def _list(
    app: App, archived_only: bool, include_archived: bool, all_users: bool, access_group: str | None, **given: Any
) -> None:
    filters: dict[str, Any] = {} if all_users or access_group else {"user": app.user}
    if access_group:
        filters["access_group"] = access_group
    if archived_only or not include_archived:
        filters["is_archived"] = archived_only
    page = find_records(app.service(), Workflow, None, Paging(**given), **filters)
    columns: dict[str, Any] = dict(WORKFLOWS.columns)
    if all_users or access_group:
        columns = {"ID": "id", "User": "user", **columns}
    echo_records(app, page, columns, Workflow.PLURAL)


workflows.add_command(
    TorcCommand(
        "list",
        callback=_list,
        params=[
            *page_options(WORKFLOWS),
            click.Option(["--archived-only"], is_flag=True, help="Only archived workflows."),
            click.Option(["--include-archived"], is_flag=True, help="Archived workflows too."),
            click.Option(["-a", "--all-users"], is_flag=True, help="Workflows of everybody."),
            click.Option(["-g", "--access-group"], metavar="GROUP", help="Those that are open to a group, whoever's."),
        ],
        help="List your workflows; archived ones only when asked for.",
        lists=True,
    )
)


@workflows.command("get")
@workflow_argument
@pass_app
def get(app: App, workflow_id: int | None) -> None:
    """Show one workflow."""
    chosen = pick(app, workflow_id)
    echo_record(app, app.service().get(Workflow, chosen), f"workflow {chosen}")


@workflows.command("new")
@click.option("-n", "--name", required=True, help="Its name.")
@click.option("-d", "--description", help="What it is for.")
@pass_app
def new(app: App, name: str, description: str | None) -> None:
    """Make an empty workflow."""
    made = app.service(create=True).create(Workflow(name=name, description=description, user=app.user))
    echo_record(app, made, f"created workflow {made.id}")


@pass_app
def _update(app: App, workflow_id: int | None, **given: Any) -> None:
    changes = values_of(WORKFLOWS, given)
    if not changes:
        raise UsageError("nothing to change", hint="Name at least one field; --help lists them.")
    chosen = pick(app, workflow_id)
    changed = app.service().update(Workflow, chosen, Workflow.read_changes(changes))
    echo_record(app, changed, f"updated workflow {chosen}")


workflows.add_command(
    TorcCommand(
        "update",
        callback=_update,
        params=[
            click.Argument(["workflow_id"], type=int, required=False),
            *(field_option(WORKFLOWS, Workflow.FIELDS[name], is_new=False) for name in WORKFLOWS.changed),
        ],
        help="Change name, description, owner and the like.",
    )
)


@workflows.command("is-complete")
@workflow_argument
@click.option("--exit-status", is_flag=True, help="Exit 0 when complete, 1 when not.")
@pass_app
def is_complete(app: App, workflow_id: int | None, exit_status: bool) -> int:
    """Say whether every job has ended, or the workflow is canceled."""
    found = app.service().is_workflow_complete(pick(app, workflow_id))
    if app.wants_json:
        echo_json(bare_fields(found))
    else:
        echo(f"Is Complete: {str(found.is_complete).lower()}\nIs Canceled: {str(found.is_canceled).lower()}")
    return 1 if exit_status and not found.is_complete else 0


@workflows.command("archive")
@click.argument("is_archived", type=click.BOOL, metavar="true|false")
@click.argument("workflow_ids", type=int, nargs=-1)
@pass_app
def archive(app: App, is_archived: bool, workflow_ids: tuple[int, ...]) -> int:
    """Hide workflows from lists (true), or show them again (false)."""
    updated: list[int] = []
    errors: list[str] = []
    for id in workflow_ids or (pick(app, None),):
        try:
            app.service().archive_workflow(id, Archiving(is_archived=is_archived))
            updated.append(id)
        except TorcError as exc:
            errors.append(str(exc))
            app.complain(exc)
    if app.wants_json:
        status = "error" if errors else "success"
        body = {"status": status, "updated_workflows": updated, "is_archived": is_archived}
        echo_json(body | ({"errors": errors} if errors else {}))
    elif updated:
        echo(f"{'Archived' if is_archived else 'Unarchived'} {', '.join(map(str, updated))}")
    return 1 if errors else 0
