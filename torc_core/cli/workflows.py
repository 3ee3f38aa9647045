"""``torc workflows``: list, change, restart and put away workflows."""

from __future__ import annotations

import json
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import create
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.kinds import Shown, field_option, values_of
from torc_core.cli.lifecycle import cancel, delete
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.cli.planning_commands import execution_plan
from torc_core.cli.running import run
from torc_core.cli.showing import bare_fields, echo_record, echo_records, short_json
from torc_core.cli.status import summary_body, summary_lines
from torc_core.errors import TorcError, UsageError
from torc_core.records.record import MAX_LIMIT, Page
from torc_core.records.resources import Workflow, WorkflowAction

WORKFLOWS = Shown(
    Workflow,
    {
        "ID": "id", "Name": "name", "Description": lambda w: (w.description or "")[:40], "Project": lambda w: w.project,
        "Run": "run_id", "Created": lambda w: (w.timestamp or "")[:19],
    },
    short={"name": "-n --name", "description": "-d --description", "user": "--owner-user"},
)  # fmt: skip
_CHANGED = ("name", "description", "user", "project", "metadata", "env")

workflows = TorcGroup("workflows", help="List, change and restart workflows.")
for command in (cancel, create, delete, execution_plan, run):
    workflows.add_command(command)


@workflows.command("list")
@click.option("-l", "--limit", type=click.IntRange(0), default=10_000, help="At most so many (10000).")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
@click.option("--sort-by", metavar="FIELD", help="Field to sort by (id).")
@click.option("--reverse-sort", is_flag=True, help="Largest first.")
@click.option("--archived-only", is_flag=True, help="Only archived workflows.")
@click.option("--include-archived", is_flag=True, help="Archived workflows too.")
@click.option("-a", "--all-users", is_flag=True, help="Workflows of everybody.")
@pass_app
def list_workflows(
    app: App, limit: int, offset: int, sort_by: str | None, reverse_sort: bool, archived_only: bool,
    include_archived: bool, all_users: bool,
) -> None:  # fmt: skip
    """List your workflows, newest last; archived ones only when asked for."""
    filters: dict[str, Any] = {} if all_users else {"user": app.user}
    if archived_only or not include_archived:
        filters["is_archived"] = archived_only
    page = app.service().find(Workflow, None, offset, min(limit, MAX_LIMIT), sort_by, reverse_sort, **filters)
    columns = dict(WORKFLOWS.columns)
    if all_users:
        columns["User"] = "user"
    echo_records(app, page, columns, "workflows")


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
def _update(app: App, workflow_id: int | None, **values: Any) -> None:
    changes = values_of(Workflow, values)
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
            *(field_option(WORKFLOWS, Workflow.FIELDS[name], is_new=False) for name in _CHANGED),
        ],
        help="Change name, description, owner and the like.",
    )
)


@workflows.command("status")
@workflow_argument
@pass_app
def status(app: App, workflow_id: int | None) -> None:
    """Show where a workflow stands, like ``torc status``."""
    chosen = pick(app, workflow_id)
    summary = app.service().get_workflow_status(chosen)
    if app.wants_json:
        echo_json({"id": chosen, **summary_body(summary)})
    else:
        echo("\n".join(summary_lines(summary)))


@workflows.command("is-complete")
@workflow_argument
@click.option("--exit-status", is_flag=True, help="Exit 0 when complete, 1 when not.")
@pass_app
def is_complete(app: App, workflow_id: int | None, exit_status: bool) -> int:
    """Say whether every job has ended."""
    found = app.service().is_workflow_complete(pick(app, workflow_id))
    if app.wants_json:
        echo_json(bare_fields(found))
    else:
        echo(f"Is Complete: {str(found.is_complete).lower()}\nIs Canceled: {str(found.is_canceled).lower()}")
    return 1 if exit_status and not found.is_complete else 0


def _begin(app: App, chosen: int, *, again: bool, force: bool, dry_run: bool) -> int:
    from torc_core.runner.beginning import begin_run

    begun = begin_run(app.service(), chosen, again=again, force=force, dry_run=dry_run)
    if dry_run:
        body = {
            "workflow_id": chosen, "safe": begun.safe, "missing_input_files": begun.missing_input_files,
            "missing_input_file_count": len(begun.missing_input_files),
            "missing_user_data": begun.missing_user_data,
            "existing_output_files": begun.existing_output_files,
            "existing_output_file_count": len(begun.existing_output_files),
            "changed_files": begun.changed_files, "rerun_jobs": begun.rerun_jobs,
        }  # fmt: skip
        if app.wants_json:
            echo_json(body)
        else:
            _echo_findings(body)
        return 0 if begun.safe else 1
    verb = "reinitialized" if again else "initialized"
    message = f"{verb.capitalize()} workflow {chosen} for run {begun.run_id}"
    if app.wants_json:
        echo_json({"status": "success", "message": message, "workflow_id": chosen, "run_id": begun.run_id})
    else:
        ready = begun.jobs_by_status["ready"]
        echo(f"{message}: {ready} jobs ready. Run it with: torc run {chosen}")
    return 0


def _echo_findings(body: dict[str, Any]) -> None:
    for key, title in (
        ("missing_input_files", "Missing input files"), ("missing_user_data", "User data without a value"),
        ("existing_output_files", "Output files that exist"), ("changed_files", "Changed files"),
        ("rerun_jobs", "Finished jobs that run again"),
    ):  # fmt: skip
        found = body[key]
        if found:
            echo(f"{title} ({len(found)}):")
            echo("\n".join(f"  {item}" for item in found))
    echo("Safe to run." if body["safe"] else "Not safe to run.")


@workflows.command("init")
@workflow_argument
@click.option("--force", is_flag=True, help="Go on although input files are missing.")
@click.option("--no-prompts", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be.")
@pass_app
def initialize(app: App, workflow_id: int | None, force: bool, no_prompts: bool, dry_run: bool) -> int:
    """Begin a new run of all jobs; what has ended before is run again."""
    chosen = pick(app, workflow_id)
    ended = not app.service().is_workflow_uninitialized(chosen).is_uninitialized
    question = f"Workflow {chosen} was initialized before; run everything again?"
    if ended and not dry_run and not confirmed(app, question, no_prompts):
        return 0
    return _begin(app, chosen, again=False, force=force, dry_run=dry_run)


@workflows.command("reinit")
@workflow_argument
@click.option("--force", is_flag=True, help="Go on although input files are missing.")
@click.option("--dry-run", is_flag=True, help="Only say which jobs would run again.")
@pass_app
def reinitialize(app: App, workflow_id: int | None, force: bool, dry_run: bool) -> int:
    """Begin a new run of what failed, did not run, or whose inputs changed; the rest stays."""
    return _begin(app, pick(app, workflow_id), again=True, force=force, dry_run=dry_run)


for name, alias_of in (("initialize", initialize), ("reinitialize", reinitialize)):
    workflows.add_command(alias_of, name)


@workflows.command("reset-status")
@workflow_argument
@click.option("--failed-only", is_flag=True, help="Only jobs that did not succeed, and what follows them.")
@click.option("-r", "--reinitialize", "then_reinit", is_flag=True, help="Begin the next run at once.")
@click.option("--force", is_flag=True, help="Although jobs are running.")
@click.option("--no-prompts", is_flag=True, help="Do not ask.")
@pass_app
def reset_status(
    app: App, workflow_id: int | None, failed_only: bool, then_reinit: bool, force: bool, no_prompts: bool
) -> int:
    """Make jobs uninitialized, so that they run again."""
    chosen = pick(app, workflow_id, silently=False)
    which = "jobs that did not succeed" if failed_only else "all jobs"
    if not confirmed(app, f"Reset {which} of workflow {chosen}?", no_prompts):
        return 0
    done: dict[str, bool | None] = {"workflow_reset": False, "job_reset": False, "reinitialize": None}
    messages, errors = [], []
    service = app.service()

    def step(name: str, act: Any, told: str) -> None:
        try:
            act()
            done[name] = True
            messages.append(told)
        except TorcError as exc:
            done[name] = False
            errors.append(str(exc))

    step("workflow_reset", lambda: service.reset_workflow_status(chosen, force), f"reset workflow {chosen}")
    if not errors:
        step("job_reset", lambda: service.reset_job_status(chosen, failed_only), f"reset {which}")
    if then_reinit and not errors:
        step("reinitialize", lambda: _reinit(service, chosen), "reinitialized")
    body: dict[str, Any] = {
        "status": "error" if errors else "success", "workflow_id": chosen, "operations": done,
        "failed_only": failed_only, "messages": messages,
    }  # fmt: skip
    if app.wants_json:
        echo_json(body | ({"errors": errors} if errors else {}))
    else:
        echo("\n".join(m.capitalize() for m in messages))
        if not then_reinit and not errors:
            echo(f"Begin the next run with: torc workflows reinit {chosen}")
    for error in errors:
        echo(f"Error: {error}", err=True)
    return 1 if errors else 0


def _reinit(service: Any, workflow_id: int) -> None:
    from torc_core.runner.beginning import begin_run

    begin_run(service, workflow_id, again=True)


@workflows.command("archive")
@click.argument("is_archived", type=click.BOOL, metavar="true|false")
@click.argument("workflow_ids", type=int, nargs=-1, required=True)
@pass_app
def archive(app: App, is_archived: bool, workflow_ids: tuple[int, ...]) -> int:
    """Hide finished workflows from lists, or show them again."""
    updated, errors = [], []
    for id in workflow_ids:
        try:
            app.service().archive_workflow(id, is_archived)
            updated.append(id)
        except TorcError as exc:
            errors.append(str(exc))
            echo(f"Error: {exc}", err=True)
    if app.wants_json:
        body = {
            "status": "error" if errors else "success",
            "updated_workflows": updated,
            "is_archived": is_archived,
        }
        echo_json(body | ({"errors": errors} if errors else {}))
    elif updated:
        echo(f"{'Archived' if is_archived else 'Unarchived'} {', '.join(map(str, updated))}")
    return 1 if errors else 0


_ACTION_COLUMNS: dict[str, Any] = {
    "ID": "id", "Trigger": "trigger_type", "Action": "action_type",
    "Progress": lambda a: f"{a.trigger_count}/{a.required_triggers}",
    "Status": lambda a: _action_status(a), "Executed At": lambda a: a.executed_at or "",
    "Job IDs": lambda a: _some_ids(a.job_ids),
}  # fmt: skip


def _action_status(action: WorkflowAction) -> str:
    if action.executed:
        return "Executed"
    return "Pending" if action.trigger_count >= action.required_triggers else "Waiting"


def _some_ids(ids: list[int] | None) -> str:
    if ids is None:
        return "(all jobs)"
    shown = ids if len(ids) <= 5 else ids[:3]
    rest = "" if len(shown) == len(ids) else f" ... (+{len(ids) - len(shown)} more)"
    return ", ".join(map(str, shown)) + rest


@workflows.command("list-actions")
@workflow_argument
@pass_app
def list_actions(app: App, workflow_id: int | None) -> None:
    """List what happens when something happens."""
    page: Page[WorkflowAction] = app.service().find(WorkflowAction, pick(app, workflow_id))
    if app.wants_json:
        echo_json({"actions": [json.loads(short_json(a, limit=0)) for a in page.items]})
    else:
        echo_records(app, page, _ACTION_COLUMNS, "actions")
