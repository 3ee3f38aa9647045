"""``torc cancel`` and ``torc delete``, also found as ``torc workflows cancel`` and ``delete``."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.cli.showing import bare_fields
from torc_core.errors import Conflict, Forbidden, TorcError
from torc_core.records.resources import Workflow
from torc_core.units import counted


@click.command(cls=TorcCommand)
@workflow_argument
@click.option("--no-prompts", is_flag=True, help="Take the only workflow there is without asking.")
@pass_app
def cancel(app: App, workflow_id: int | None, no_prompts: bool) -> None:
    """Cancel a workflow: its runners end their jobs (those that support it get time), no more are started."""
    chosen = pick(app, workflow_id, silently=no_prompts)
    found = app.service().is_workflow_complete(chosen)
    if found.is_complete and not found.is_canceled:
        raise Conflict(f"workflow {chosen} is complete; there is nothing to cancel")
    app.service().cancel_workflow(chosen)
    if app.wants_json:
        echo_json({"status": "success", "workflow_id": chosen, "canceled_slurm_jobs": []})
    else:
        echo(f"Canceled workflow {chosen}")


@click.command(cls=TorcCommand)
@click.argument("workflow_ids", type=int, nargs=-1, required=True)
@click.option("--no-prompts", "--force", "no_prompts", is_flag=True, help="Do not ask, and delete while it runs.")
@pass_app
def delete(app: App, workflow_ids: tuple[int, ...], no_prompts: bool) -> int:
    """Delete workflows with their jobs, files and results. Files on disk stay."""
    gone: list[dict[str, Any]] = []
    has_failed = False
    for id in dict.fromkeys(workflow_ids):
        try:
            workflow = _delete(app, id, no_prompts)
        except TorcError as exc:
            has_failed = True
            app.complain(exc)
            continue
        if workflow is not None:
            gone.append(bare_fields(workflow))
    if app.wants_json:
        echo_json(gone)
    else:
        for fields in gone:
            echo(f"Deleted workflow {fields['id']}")
    return 1 if has_failed and not gone else 0


def _delete(app: App, workflow_id: int, no_prompts: bool) -> Workflow | None:
    """Delete a workflow of the user's own; None when they would rather not."""
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
    return service.delete(Workflow, workflow_id) if confirmed(app, question, no_prompts) else None
