"""``torc create``: store a workflow from a spec, or only check it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.reading import complete_file, read_and_check, read_plan, skip_checks_option
from torc_core.cli.showing import echo_message
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.records.answers import CreatedWorkflow
    from torc_core.spec.plan import Plan

_EXAMPLES = """
torc create workflow.yaml
torc create workflow.yaml --dry-run
generate-spec | torc create - -f json
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@click.argument("file", shell_complete=complete_file)
@click.option("--no-resource-monitoring", is_flag=True, help="Do not record what jobs use.")
@skip_checks_option
@click.option("--dry-run", is_flag=True, help="Check the spec and count what it makes; nothing is stored.")
@pass_app
def create(app: App, file: str, no_resource_monitoring: bool, skip_checks: bool, dry_run: bool) -> int:
    """Store a workflow from the spec FILE (-: standard input), all or nothing."""
    if dry_run:
        return report_check(app, file, skip_checks=skip_checks)
    plan = read_plan(app, file, skip_checks=skip_checks)
    if no_resource_monitoring:
        plan.workflow["resource_monitor"] = {"enabled": False}
    made = store(app, plan)
    message = f"Created workflow {made.workflow_id}"
    if app.wants_json:
        echo_message(app, message, workflow_id=made.workflow_id)
    else:
        echo(f"{message} with {counted(made.job_count, 'job')}. Run it with: torc run {made.workflow_id}")
    return 0


def store(app: App, plan: Plan) -> CreatedWorkflow:
    """Store a plan's workflow, all or nothing."""
    from torc_core.service.planned import creation_of

    service = app.service(create=True)
    return service.create_whole_workflow(creation_of(plan, app.user, str(Path.cwd())))


def report_check(app: App, file: str, *, skip_checks: bool = False, format_name: str | None = None) -> int:
    """Check a spec and say what it comes to; returns 1 when it has errors."""
    from torc_core.spec.report import as_data, as_lines, is_valid

    plan = read_and_check(app, file, format_name, skip_checks=skip_checks)
    if app.wants_json:
        echo_json(as_data(plan))
    else:
        report = as_lines(plan)
        echo("\n".join(report.out))
        if report.err:
            echo("\n".join(report.err), err=True)
    return 0 if is_valid(plan) else 1
