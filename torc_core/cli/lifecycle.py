"""``torc cancel`` and ``torc delete``, also found as ``torc workflows cancel`` and ``delete``."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.cli.showing import bare_fields
from torc_core.cli.withdrawing import Withdrawal, withdraw
from torc_core.errors import Conflict, Forbidden, TorcError
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import Workflow
from torc_core.units import counted


@click.command(cls=TorcCommand)
@workflow_argument
@click.option("--no-prompts", is_flag=True, help="Take the only workflow there is without asking.")
@pass_app
def cancel(app: App, workflow_id: int | None, no_prompts: bool) -> None:
    """Cancel a workflow: its runners end their jobs (those that support it get time), no more are started.

    Allocations that wait in the queue of a batch system are taken out of it, also those of a workflow that is complete.
    """
    chosen = pick(app, workflow_id, silently=no_prompts)
    service = app.service()
    found = service.is_workflow_complete(chosen)
    is_over = found.is_complete and not found.is_canceled
    if not is_over:
        service.cancel_workflow(chosen)
    withdrawn = withdraw(app.host, service, chosen)
    if is_over and not withdrawn.taken:
        left = f"{withdrawn.warning}. {withdrawn.way_out}" if withdrawn.left else ""
        raise Conflict(f"workflow {chosen} is complete; there is nothing to cancel", hint=left)
    if withdrawn.left:
        app.say("warn", f"{withdrawn.warning}\n  {withdrawn.way_out}")
    if app.wants_json:
        echo_json(_canceled(chosen, withdrawn))
        return
    echo(f"Workflow {chosen} is complete" if is_over else f"Canceled workflow {chosen}")
    _tell_taken(withdrawn.taken)


def _canceled(workflow_id: int, withdrawn: Withdrawal) -> dict[str, Any]:
    taken = withdrawn.taken
    return {
        "status": "partial_success" if withdrawn.left else "success",
        "workflow_id": workflow_id,
        "canceled_slurm_jobs": [str(node.scheduler_id) for node in taken if node.scheduler_type == "slurm"],
        "canceled_allocations": [node.id for node in taken],
        "errors": [str(left) for left in withdrawn.left] or None,
    }


def _tell_taken(taken: list[ScheduledComputeNode]) -> None:
    if taken:
        echo(f"Taken out of the queue: {counted(len(taken), 'allocation')}")


@click.command(cls=TorcCommand)
@click.argument("workflow_ids", type=int, nargs=-1, required=True)
@click.option("--no-prompts", "--force", "no_prompts", is_flag=True, help="Do not ask, and delete while it runs.")
@pass_app
def delete(app: App, workflow_ids: tuple[int, ...], no_prompts: bool) -> int:
    """Delete workflows with their jobs, files and results. Files on disk stay.

    Allocations that wait in the queue of a batch system are taken out of it.
    """
    gone: list[dict[str, Any]] = []
    taken: list[ScheduledComputeNode] = []
    has_failed = False
    for id in dict.fromkeys(workflow_ids):
        try:
            if not _may_delete(app, id, no_prompts):
                continue
            taken += _withdraw(app, id)
            gone.append(bare_fields(app.service().delete(Workflow, id)))
        except TorcError as exc:
            has_failed = True
            app.complain(exc)
    if app.wants_json:
        echo_json(gone)
    else:
        for fields in gone:
            echo(f"Deleted workflow {fields['id']}")
        _tell_taken(taken)
    return 1 if has_failed and not gone else 0


def _may_delete(app: App, workflow_id: int, no_prompts: bool) -> bool:
    """Tell whether to delete a workflow of the user's own; raises Forbidden, Conflict."""
    service = app.service()
    workflow = service.get(Workflow, workflow_id)
    if workflow.user != app.user:
        raise Forbidden(f"workflow {workflow_id} belongs to {workflow.user}, who alone deletes it")
    summary = service.get_workflow_status(workflow_id)
    if summary.active_compute_nodes and not no_prompts:
        raise Conflict(
            f"workflow {workflow_id} has {counted(summary.active_compute_nodes, 'active runner')}",
            hint=f"Cancel it first: torc cancel {workflow_id}; or insist with --no-prompts.",
        )
    about = f" ({workflow.description})" if workflow.description else ""
    jobs = counted(summary.total_jobs, "job")
    question = f'Delete workflow {workflow_id} "{workflow.name}"{about} of {workflow.user} with {jobs}?'
    return confirmed(app, question, no_prompts)


def _withdraw(app: App, workflow_id: int) -> list[ScheduledComputeNode]:
    """Take what waits out of its queue, while there are records that say what it is called there."""
    withdrawn = withdraw(app.host, app.service(), workflow_id)
    if withdrawn.left:
        app.say("warn", f"workflow {workflow_id}: {withdrawn.warning}\n  {withdrawn.last_way_out}")
    return withdrawn.taken
