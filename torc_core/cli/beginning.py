"""``torc workflows init`` and ``reinit``: begin a run, or say what it would be."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import echo_message
from torc_core.records.answers import BegunRun
from torc_core.runner.beginning import begin_run, explain_reruns
from torc_core.units import counted

_force = click.option("--force", is_flag=True, help="Go on although input files are missing.")
_FINDINGS = {
    "missing_input_files": "Missing input files", "missing_user_data": "User data without a value",
    "existing_output_files": "Output files that exist and will be written again",
    "changed_files": "Files that changed", "jobs": "Finished jobs that run again",
}  # fmt: skip


@click.command("init", cls=TorcCommand)
@workflow_argument
@_force
@no_prompts_option
@click.option("--dry-run", is_flag=True, help="Only say what would be; exit 1 when something is missing.")
@pass_app
def initialize(app: App, workflow_id: int | None, force: bool, no_prompts: bool, dry_run: bool) -> int:
    """Begin a new run of all jobs; what has ended before is run again."""
    chosen = pick(app, workflow_id)
    if dry_run:
        return _preview(app, chosen, again=False)
    ended = not app.service().is_workflow_uninitialized(chosen).is_uninitialized
    if ended and not confirmed(app, f"Workflow {chosen} was initialized before; run everything again?", no_prompts):
        return 0
    return _begin(app, chosen, again=False, force=force)


@click.command("reinit", cls=TorcCommand)
@workflow_argument
@_force
@click.option("--dry-run", is_flag=True, help="Only say which jobs would run again; exit 1 when something is missing.")
@pass_app
def reinitialize(app: App, workflow_id: int | None, force: bool, dry_run: bool) -> int:
    """Begin a new run of what failed, did not run, or whose inputs changed; the rest stays."""
    chosen = pick(app, workflow_id)
    return _preview(app, chosen, again=True) if dry_run else _begin(app, chosen, again=True, force=force)


def _begin(app: App, workflow_id: int, *, again: bool, force: bool) -> int:
    begun = begin_run(app.service(), workflow_id, again=again, force=force)
    message = f"{'Reinitialized' if again else 'Initialized'} workflow {workflow_id} for run {begun.run_id}"
    if app.wants_json:
        echo_message(app, message, workflow_id=workflow_id, run_id=begun.run_id)
    else:
        echo(f"{message}: {counted(begun.jobs_by_status['ready'], 'job')} ready. Run it with: torc run {workflow_id}")
    return 0


def _preview(app: App, workflow_id: int, *, again: bool) -> int:
    begun = begin_run(app.service(), workflow_id, again=again, dry_run=True)
    body = _preview_body(begun)
    if again:
        reruns = explain_reruns(app.service(), begun)
        body |= {"changed_files": begun.changed_files, "jobs": [rerun._asdict() for rerun in reruns]}
    if app.wants_json:
        echo_json(body)
        return 0 if begun.safe else 1
    for key, title in _FINDINGS.items():
        found = body.get(key)
        if found:
            echo(f"{title} ({len(found)}):")
            echo("\n".join(f"  {_line(item)}" for item in found))
    echo("Safe to run." if begun.safe else "Not safe to run.")
    return 0 if begun.safe else 1


def _line(item: Any) -> str:
    if isinstance(item, str):
        return item
    cause = f" ({item['cause']})" if item["cause"] else ""
    return f"{item['name']}: {item['reason']}{cause}"


def _preview_body(begun: BegunRun) -> dict[str, Any]:
    return {
        "workflow_id": begun.workflow_id, "safe": begun.safe, "missing_input_files": begun.missing_input_files,
        "missing_input_file_count": len(begun.missing_input_files), "missing_user_data": begun.missing_user_data,
        "existing_output_files": begun.existing_output_files,
        "existing_output_file_count": len(begun.existing_output_files),
    }  # fmt: skip
