"""``torc workflows actions``, ``action-runs``, ``update-action`` and ``delete-action``."""

from __future__ import annotations

import json
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import cut, echo_record, echo_records, plain_fields
from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.records.actions import ActionRun
from torc_core.records.resources import WorkflowAction
from torc_core.service.api import Service

_LEGEND = (
    "Progress: how far the trigger has come, of how far it must; of triggers about jobs, how many of the jobs are"
    " there.\nA pending action waits for a runner. How they went: torc workflows action-runs {id}"
)


def _status(action: WorkflowAction) -> str:
    if action.executed:
        return "Executed"
    return "Pending (ready to claim)" if action.trigger_count >= action.required_triggers else "Waiting"


def _some_ids(ids: list[int] | None) -> str:
    if ids is None:
        return "(all jobs)"
    shown = ids if len(ids) <= 5 else ids[:3]
    rest = "" if len(shown) == len(ids) else f" ... (+{len(ids) - len(shown)} more)"
    return ", ".join(map(str, shown)) + rest


def _outcome(run: ActionRun | None) -> str:
    if run is None:
        return ""
    code = f" ({run.return_code})" if run.return_code else ""
    return f"{run.status}{code}"


@click.command("actions", cls=TorcCommand, lists=True)
@workflow_argument
@pass_app
def list_actions(app: App, workflow_id: int | None) -> None:
    """List what happens when something happens, and how it went."""
    chosen, service = pick(app, workflow_id), app.service()
    page = service.find(WorkflowAction, chosen)
    last = {run.action_id: run for run in service.each(ActionRun, chosen)} if page.items else {}
    columns: dict[str, Any] = {
        "ID": "id", "Trigger": "trigger_type", "Action": "action_type",
        "Progress": lambda a: f"{a.trigger_count}/{a.required_triggers}", "Status": _status,
        "Executed At": "executed_at", "By": "executed_by", "Went": lambda a: _outcome(last.get(a.id)),
        "Job IDs": lambda a: _some_ids(a.job_ids),
    }  # fmt: skip
    if app.wants_json and app.config["client.json_lists"] == "named":
        echo_json({"actions": [plain_fields(a.wire()) for a in page.items]})
        return
    echo_records(app, page, columns, "actions")
    if page.items and app.format == "table":
        echo(f"\n{_LEGEND.format(id=chosen)}")


@click.command("action-runs", cls=TorcCommand, lists=True)
@workflow_argument
@click.option("--action-id", type=int, help="Only those of this action.")
@pass_app
def list_runs(app: App, workflow_id: int | None, action_id: int | None) -> None:
    """List each time that an action was carried out: by which runner, when, and how it went."""
    page = app.service().find(ActionRun, pick(app, workflow_id), action_id=action_id)
    columns: dict[str, Any] = {
        "ID": "id", "Action": "action_id", "Run": "run_id", "Attempt": "attempt_id", "Runner": "compute_node_id",
        "Status": "status", "Done": "done", "Code": "return_code", "Command": lambda r: cut(r.command, 40),
        "Reason": lambda r: cut(r.reason, 40), "Started": "started_at", "Finished": "finished_at", "Log": "log",
    }  # fmt: skip
    echo_records(app, page, columns, "executions")


def _find(service: Service, workflow_id: int, action_id: int) -> WorkflowAction:
    for action in service.find(WorkflowAction, workflow_id).items:
        if action.id == action_id:
            return action
    raise NotFound(f"there is no action {action_id} in workflow {workflow_id}")


@click.command("update-action", cls=TorcCommand)
@click.argument("workflow_id", type=int)
@click.argument("action_id", type=int)
@click.option("--scheduler-id", type=int, help="The scheduler to ask.")
@click.option("--scheduler-type", help="Its type: slurm, local, or what a plugin serves.")
@click.option("--num-allocations", type=click.IntRange(1), help="How many allocations to ask for.")
@click.option("--start-one-worker-per-node", type=bool, help="A runner on every node of an allocation.")
@click.option("--max-parallel-jobs", type=click.IntRange(1), help="Jobs at a time of each runner.")
@click.option("--json", "text", metavar="JSON", help="Members of the configuration; null takes one away.")
@pass_app
def update_action(app: App, workflow_id: int, action_id: int, text: str | None, **given: Any) -> None:
    """Change what an action does: of schedule_nodes by options, of any action by --json; options win."""
    changes = _members(text)
    options = {name: value for name, value in given.items() if value is not None}
    if not changes and not options:
        raise UsageError("nothing to change", hint="Name at least one option; --help lists them.")
    service = app.service()
    if options and _find(service, workflow_id, action_id).action_type != "schedule_nodes":
        raise Invalid(
            f"action {action_id} does not schedule nodes, which --{next(iter(options)).replace('_', '-')} is about",
            hint="""Change its commands with --json '{"commands": [...]}'.""",
        )
    changed = service.update_workflow_action(workflow_id, action_id, {**changes, **options})
    echo_record(app, changed, f"updated action {action_id}")


def _members(text: str | None) -> dict[str, Any]:
    try:
        found = {} if text is None else json.loads(text)
    except ValueError as exc:
        raise UsageError(f"--json is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise UsageError("--json is no JSON object", hint="""Write it like '{"num_allocations": 2}'.""")
    return found


@click.command("delete-action", cls=TorcCommand)
@click.argument("workflow_id", type=int)
@click.argument("action_id", type=int)
@no_prompts_option
@pass_app
def delete_action(app: App, workflow_id: int, action_id: int, no_prompts: bool) -> None:
    """Delete an action with the record of its executions."""
    action = _find(app.service(), workflow_id, action_id)
    what = f"action {action_id} ({action.trigger_type}: {action.action_type}) of workflow {workflow_id}"
    if not confirmed(app, f"Delete {what}?", no_prompts):
        return
    app.service().delete_workflow_action(workflow_id, action_id)
    if app.wants_json:
        echo_json({"deleted": True, "workflow_id": workflow_id, "action_id": action_id})
    else:
        echo(f"Deleted {what}")
