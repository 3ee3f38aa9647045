"""``torc execution-plan``: what starts at once, and what becomes ready when."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.pick import pick
from torc_core.cli.playing import plan_from
from torc_core.cli.reading import complete_file, is_spec, skip_checks_option


@click.command("execution-plan", cls=TorcCommand)
@click.argument("spec_or_id", required=False, shell_complete=complete_file)
@skip_checks_option
@pass_app
def execution_plan(app: App, spec_or_id: str | None, skip_checks: bool) -> None:
    """Show the events of SPEC_OR_ID: what starts at once, and what becomes ready when which jobs have ended."""
    from torc_core.planning.stages import EVENT_COLUMNS, Stages

    if spec_or_id is None:
        spec_or_id = str(pick(app, None))
    stages = Stages(plan_from(app, spec_or_id, skip_checks=skip_checks))
    if app.wants_json:
        source = "spec_file" if is_spec(spec_or_id) else "database"
        echo_json(stages.as_json(source, app.workflow_id))
        return
    echo(f"Execution plan: {stages.workflow_name}\n")
    echo_table(EVENT_COLUMNS, stages.rows())
    echo()
    for label, text in stages.summary():
        echo(f"{label + ':':22}{text}")
    for action in stages.other_actions:
        echo(f"Also: {action['action_type']} {action['trigger_type'].replace('_', ' ')}")
