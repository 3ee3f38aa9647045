"""``torc schedule-nodes``: ask for nodes by hand, on which runners of a workflow start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.asking import Asking, Wanted, listed, request_options
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import NobodyToAsk, ask, is_interactive, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import plain_fields
from torc_core.errors import Invalid
from torc_core.records.resources import WorkflowAction
from torc_core.spec.choices import ActionType

if TYPE_CHECKING:
    from torc_core.service.api import Service

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
@no_prompts_option
@pass_app
def schedule_nodes(
    app: App, workflow_id: int | None, output_dir: str | None, suppress_actions: bool, no_prompts: bool, **given: Any
) -> int:
    """Ask for nodes by hand: on each, a runner of the workflow starts, and ends when nothing is left to do.

    Actions that are due would ask as well, as soon as a runner carries them out: you are asked what becomes of them.
    """
    from torc_core.cli.running import begin, refuse_unrunnable

    chosen, service = pick(app, workflow_id), app.service()
    before = service.get_workflow_status(chosen)
    refuse_unrunnable(before)
    if before.is_complete:
        raise Invalid(f"workflow {chosen} is complete", hint=f"Run jobs again with: torc run {chosen} --rerun")
    request = Wanted(**given).request(service, chosen)
    asking = Asking(app, chosen, output_dir)
    asking.check(request)
    begin(app, service, before, force=False)
    suppressed = _decide(app, service, chosen, suppress=suppress_actions, no_prompts=no_prompts)
    if suppressed is None:
        return 1
    made, trouble = asking.ask(request, suppressed)
    if app.wants_json:
        told = {} if trouble is None else {"error": str(trouble)}
        body = {"workflow_id": chosen, "allocations": [plain_fields(node.wire()) for node in made], **told}
        echo_json({**body, "suppressed_actions": [action.id for action in suppressed] if made else []})
        return 1 if trouble else 0
    for node in made:
        echo(f"Allocation {node.id} asked of {node.scheduler_type}, which knows it as {node.scheduler_id}")
    if made and suppressed:
        echo(f"Suppressed: {listed(suppressed)}")
    if trouble is not None:
        raise trouble
    return 0


def _decide(
    app: App, service: Service, workflow_id: int, *, suppress: bool, no_prompts: bool
) -> list[WorkflowAction] | None:
    """Return the actions to suppress, None when nothing is to be done at all; raises NobodyToAsk."""
    due = [a for a in service.get_pending_actions(workflow_id) if a.action_type == ActionType.SCHEDULE_NODES]
    once = [action for action in due if not action.persistent]
    if lasting := [action for action in due if action.persistent]:
        app.say("warn", f"{listed(lasting)}: every runner asks for more nodes; that cannot be suppressed")
    if suppress or not once:
        return once
    if no_prompts or app.wants_json:
        return []
    what = f"{listed(once)} will ask for nodes as well."
    if not is_interactive():
        raise NobodyToAsk(what, hint="Say what you want: --suppress-actions, or --no-prompts to have both.")
    answer = ask(f"{what} Suppress, proceed with both, or cancel? (s/p/C) ").casefold()
    if answer in ("s", "suppress"):
        return once
    if answer in ("p", "proceed"):
        return []
    echo("Nothing was asked for.", err=True)
    return None
