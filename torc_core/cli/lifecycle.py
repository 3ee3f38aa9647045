"""``torc cancel`` and ``torc delete``, also found as ``torc workflows cancel`` and ``delete``."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.cli.showing import bare_fields
from torc_core.errors import TorcError
from torc_core.records.resources import Workflow

no_prompts = click.option("--no-prompts", "--force", "no_prompts", is_flag=True, help="Do not ask.")


@click.command(cls=TorcCommand)
@workflow_argument
@click.option("--no-prompts", is_flag=True, help="Do not ask which workflow when there is only one.")
@pass_app
def cancel(app: App, workflow_id: int | None, no_prompts: bool) -> None:
    """Cancel a workflow: its runners end their jobs at once, no more are started."""
    chosen = pick(app, workflow_id, silently=no_prompts)
    app.service().cancel_workflow(chosen)
    if app.wants_json:
        body = {"status": "success", "workflow_id": chosen, "canceled_slurm_jobs": [], "errors": None}
        echo_json({name: value for name, value in body.items() if value is not None})
    else:
        echo(f"Canceled workflow {chosen}")


@click.command(cls=TorcCommand)
@click.argument("workflow_ids", type=int, nargs=-1, required=True)
@no_prompts
@pass_app
def delete(app: App, workflow_ids: tuple[int, ...], no_prompts: bool) -> int:
    """Delete workflows with their jobs, files and results. Files on disk stay."""
    service = app.service()
    gone: list[dict[str, Any]] = []
    failed = 0
    for id in workflow_ids:
        try:
            workflow = service.get(Workflow, id)
            summary = service.get_workflow_status(id)
            _refuse_running(summary.active_compute_nodes, id, no_prompts)
            if confirmed(app, f'Delete workflow {id} "{workflow.name}" with {summary.total_jobs} jobs?', no_prompts):
                gone.append(bare_fields(service.delete(Workflow, id)))
        except TorcError as exc:
            failed += 1
            echo(f"Error: {exc}", err=True)
            if exc.hint:
                echo(f"  {exc.hint}", err=True)
    if app.wants_json:
        echo_json(gone)
    else:
        for workflow_fields in gone:
            echo(f"Deleted workflow {workflow_fields['id']}")
    return 1 if failed and not gone else 0


def _refuse_running(active: int, workflow_id: int, no_prompts: bool) -> None:
    if active and not no_prompts:
        raise TorcError(
            f"workflow {workflow_id} has {active} active runners",
            hint=f"Cancel it first: torc cancel {workflow_id}; or insist with --no-prompts.",
        )
