"""``torc execution-plan``: what starts at once, and what becomes ready when."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.playing import plan_from


@click.command("execution-plan", cls=TorcCommand)
@click.argument("spec_or_id")
@pass_app
def execution_plan(app: App, spec_or_id: str) -> None:
    """Show the stages of SPEC_OR_ID: what starts at once, and what becomes ready when which jobs have ended."""
    from torc_core.planning.stages import execution_stages

    stages = execution_stages(plan_from(app, spec_or_id))
    if app.wants_json:
        echo_json(stages.as_json())
    else:
        echo("\n".join(stages.lines()))
