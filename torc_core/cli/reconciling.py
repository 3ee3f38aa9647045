"""``torc workflows reconcile``: send results that runners could not report."""

from __future__ import annotations

from pathlib import Path

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick
from torc_core.records.resources import Workflow
from torc_core.units import counted

_EXAMPLES = """
torc workflows reconcile 3
torc workflows reconcile 3 2 --base-dir /scratch/project
"""


@click.command("reconcile", cls=TorcCommand, examples=_EXAMPLES)
@click.argument("workflow_id", type=int, required=False)
@click.argument("run_id", type=int, required=False)
@click.option(
    "--base-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", metavar="DIR",
    help="Where to look for output folders, at any depth (here).",
)  # fmt: skip
@pass_app
def reconcile(app: App, workflow_id: int | None, run_id: int | None, base_dir: Path) -> None:
    """Send the results that runners wrote down while the service was away, of one run or of all.

    Runners that are at work here report by themselves and are left alone. It can be repeated.
    """
    from torc_core.runner.reconciling import reconcile as send
    from torc_core.service.processes import this_machine

    chosen = pick(app, workflow_id)
    service = app.service()
    workflow = service.get(Workflow, chosen)
    executor = app.host.executor("local")()
    try:
        done = send(service, executor, workflow, run_id, base_dir, this_machine(), lambda text: app.say("info", text))
    finally:
        executor.close()
    for why in dict.fromkeys(done.refused):
        app.say("warn", f"not taken: {why}")
    if app.wants_json:
        echo_json(
            {
                "workflow_id": chosen, "files": done.files, "total_completions": done.total, "accepted": done.accepted,
                "rejected": len(done.refused),
            }
        )  # fmt: skip
        return
    if not done.files:
        echo(f"No journal of workflow {chosen} is left below {base_dir}")
        return
    found = f"{counted(done.files, 'journal')} with {counted(done.total, 'result')}"
    echo(f"{found}: {done.accepted} accepted, {len(done.refused)} rejected")
