"""``torc schedule-nodes``: ask for nodes by hand, on which runners of a workflow start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.allocations import known_as
from torc_core.cli.app import App, pass_app
from torc_core.cli.asking import Asking
from torc_core.cli.choosing import Wanted, request_options
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import NobodyToAsk, ask, is_interactive, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import plain_fields
from torc_core.cli.verdicts import has_only_new_jobs
from torc_core.errors import Conflict, Invalid
from torc_core.records.actions import ActionRunStatus
from torc_core.records.answers.actions import ActionClaim, ActionReport
from torc_core.records.resources import WorkflowAction
from torc_core.spec.choices import ActionType, Trigger

if TYPE_CHECKING:
    from torc_core.records.allocations import ScheduledComputeNode
    from torc_core.records.answers import StatusSummary
    from torc_core.service.api import Service

_AT_THE_START = (Trigger.ON_WORKFLOW_START, Trigger.ON_WORKER_START)
"""Triggers that come when a workflow begins."""
_SUPPRESS, _PROCEED = "suppress", "proceed"
_EXAMPLES = """
torc schedule-nodes 3 --scheduler-type local --max-parallel-jobs 4
torc schedule-nodes 3 --scheduler short --num-allocations 2
torc schedule-nodes 3 --scheduler short --suppress-actions
"""


@click.command("schedule-nodes", cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@request_options
@click.option("-o", "--output-dir", metavar="DIR", help="Folder of the runners' logs (torc_output).")
@click.option("--suppress-actions", is_flag=True, help="Have actions that are due to ask for nodes done by this.")
@click.option("--force", is_flag=True, help="Begin although input files are missing.")
@no_prompts_option
@pass_app
def schedule_nodes(
    app: App, workflow_id: int | None, wanted: Wanted, output_dir: str | None, suppress_actions: bool, force: bool,
    no_prompts: bool,
) -> int:  # fmt: skip
    """Ask for nodes by hand: on each, a runner of the workflow starts, and ends when nothing is left to do.

    Actions that are due would ask as well, as soon as a runner carries them out: you are asked what becomes of them.
    """
    from torc_core.cli.running import begin, warn_of_folder

    chosen, service = pick(app, workflow_id), app.service()
    before = service.get_workflow_status(chosen)
    _refuse_in_vain(before)
    warn_of_folder(app, service, chosen)
    request = wanted.request(service, chosen)
    asking = Asking(app, chosen, output_dir)
    asking.check(request)
    foreseen = _foreseen(service, before)
    answer = _SUPPRESS if suppress_actions else _decide(app, foreseen, no_prompts=no_prompts)
    if answer:
        _refuse_in_vain(begin(app, service, before, force=force))
        if not suppress_actions and not foreseen:  # its first jobs may have brought some
            answer = _decide(app, _foreseen(service, before), no_prompts=no_prompts)
    if not answer:
        echo("Nothing was asked for.", err=True)
        return 1
    _ask(app, asking, request, foreseen if answer == _SUPPRESS else None)
    return 0


def _refuse_in_vain(summary: StatusSummary) -> None:
    """Raise Invalid for a workflow in which runners would find nothing to do."""
    from torc_core.cli.running import refuse_unrunnable

    refuse_unrunnable(summary)
    id = summary.workflow_id
    if has_only_new_jobs(summary):
        hint = f"Begin with them: torc workflows reinit {id} --only-reset"
        raise Invalid(f"what is left of workflow {id} was added or reset after it had ended", hint=hint)
    if summary.is_complete:
        raise Invalid(f"workflow {id} is complete", hint=f"Begin its next run first: torc workflows reinit {id}")


def _foreseen(service: Service, summary: StatusSummary) -> list[WorkflowAction]:
    """Return the actions that ask for nodes, now or as soon as the workflow begins."""
    due = list(service.get_pending_actions(summary.workflow_id))
    if service.is_workflow_uninitialized(summary.workflow_id).is_uninitialized:
        due = [a for a in service.find(WorkflowAction, summary.workflow_id).items if a.trigger_type in _AT_THE_START]
    return [action for action in due if action.action_type == ActionType.SCHEDULE_NODES]


def _decide(app: App, due: list[WorkflowAction], *, no_prompts: bool) -> str:
    """Return what becomes of actions, "" when nothing is to be done at all; raises NobodyToAsk."""
    once = [action for action in due if not action.persistent]
    if not once or no_prompts or app.wants_json:
        return _PROCEED
    what = f"{_listed(once)} will ask for nodes as well."
    if not is_interactive():
        raise NobodyToAsk(what, hint="Say what you want: --suppress-actions, or --no-prompts to have both.")
    answer = ask(f"{what} Suppress, proceed with both, or cancel? (s/p/C) ").casefold()
    return {"s": _SUPPRESS, "p": _PROCEED}.get(answer[:1], "")


def _ask(app: App, asking: Asking, request: dict[str, Any], foreseen: list[WorkflowAction] | None) -> None:
    """Ask and tell; when the first allocation is there, actions are suppressed, unless None were foreseen to be.

    Raises TorcError.
    """
    service, workflow_id = app.service(), app.workflow_id or 0
    made: list[ScheduledComputeNode] = []
    suppressed: list[WorkflowAction] = []

    def tell(node: ScheduledComputeNode) -> None:
        made.append(node)
        if not app.wants_json:
            echo(f"Allocation {node.id} asked of {node.scheduler_type}, which knows it as {known_as(node)}")
        if foreseen is not None and len(made) == 1:
            _suppress(app, service, workflow_id, foreseen, suppressed)

    try:
        asking.ask(request, tell)
    finally:
        if app.wants_json:
            listed = [plain_fields(node.wire()) for node in made]
            ids = [action.id for action in suppressed]
            echo_json({"workflow_id": workflow_id, "allocations": listed, "suppressed_actions": ids})
        elif suppressed:
            echo(f"Suppressed: {_listed(suppressed)}")


def _suppress(
    app: App, service: Service, workflow_id: int, foreseen: list[WorkflowAction], suppressed: list[WorkflowAction]
) -> None:
    """Have actions that are, or were, due to ask for nodes done by this; raises TorcError."""
    done = ActionReport(status=ActionRunStatus.COMPLETED, reason="nodes were asked for by hand")
    due = [a for a in service.get_pending_actions(workflow_id) if a.action_type == ActionType.SCHEDULE_NODES]
    for action in {action.id: action for action in (*foreseen, *due)}.values():
        if action.persistent:
            app.say("warn", f"{_listed([action])}: every runner asks for more nodes; that cannot be suppressed")
            continue
        try:
            service.claim_action(workflow_id, action.id, ActionClaim())
        except Conflict:
            app.say("warn", f"{_listed([action])} is carried out already; it asks for nodes as well")
        else:
            service.finish_action(workflow_id, action.id, done)
            suppressed.append(action)


def _listed(actions: list[WorkflowAction]) -> str:
    return ", ".join(f"action {action.id} ({action.trigger_type})" for action in actions)
