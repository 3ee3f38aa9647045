"""``torc execution-plan``: what starts at once, and what becomes ready when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.pick import pick
from torc_core.cli.playing import plan_from
from torc_core.cli.reading import complete_file, is_spec, skip_checks_option
from torc_core.errors import UsageError

if TYPE_CHECKING:
    from torc_core.spec.plan import Plan


_EXAMPLES = """
torc execution-plan workflow.yaml
torc execution-plan workflow.yaml --format-graph dot | dot -Tsvg > workflow.svg
torc execution-plan 3 --format-graph mermaid --collapse
"""


@click.command("execution-plan", cls=TorcCommand, examples=_EXAMPLES)
@click.argument("spec_or_id", required=False, shell_complete=complete_file)
@click.option("--format-graph", type=click.Choice(["dot", "mermaid"]), help="Write who waits for whom, to be drawn.")
@click.option("--collapse", is_flag=True, help="With --format-graph: one box for all jobs of a template.")
@skip_checks_option
@pass_app
def execution_plan(
    app: App, spec_or_id: str | None, format_graph: str | None, collapse: bool, skip_checks: bool
) -> None:
    """Show the events of SPEC_OR_ID: what starts at once, and what becomes ready when which jobs have ended."""
    if collapse and format_graph is None:
        raise UsageError("--collapse is for graphs", hint="Add --format-graph dot or --format-graph mermaid.")
    if spec_or_id is None:
        spec_or_id = str(pick(app, None))
    plan = plan_from(app, spec_or_id, skip_checks=skip_checks)
    if format_graph is not None:
        _write_graph(app, plan, format_graph, collapse)
    else:
        _show_events(app, plan, "spec_file" if is_spec(spec_or_id) else "database")


def _write_graph(app: App, plan: Plan, form: str, collapse: bool) -> None:
    from torc_core.planning.pictures import WRITERS, picture_of

    text = WRITERS[form](picture_of(plan, collapsed=collapse))
    if app.wants_json:
        echo_json({"workflow_name": plan.workflow.get("name"), "format": form, "graph": text})
    else:
        echo(text.rstrip("\n"))


def _show_events(app: App, plan: Plan, source: str) -> None:
    from torc_core.planning.stages import EVENT_COLUMNS, Stages

    stages = Stages(plan)
    if app.wants_json:
        echo_json(stages.as_json(source, app.workflow_id))
        return
    echo(f"Execution plan: {stages.workflow_name}\n")
    echo_table(EVENT_COLUMNS, stages.rows())
    echo()
    for label, text in stages.summary():
        echo(f"{label + ':':22}{text}")
    for action in stages.other_actions:
        echo(f"Also: {action['action_type']} {action['trigger_type'].replace('_', ' ')}")
