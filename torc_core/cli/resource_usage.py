"""``torc reports resource-usage``: how differently jobs with the same requirements used them."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import table

_COLUMNS = ("Requirements", "Jobs", "Resource", "Specified", "Least", "Median", "90 %", "Most")
_EXAMPLES = """
torc reports resource-usage 3
torc reports resource-usage 3 -f json
"""


@click.command("resource-usage", cls=TorcCommand, examples=_EXAMPLES, lists=True)
@workflow_argument
@click.option("-r", "--run-id", type=int, help="Of this run; else the latest result of each job.")
@click.option("--include-failed", is_flag=True, help="Jobs that failed or were terminated, too.")
@pass_app
def resource_usage(app: App, workflow_id: int | None, run_id: int | None, include_failed: bool) -> None:
    """Show how much the jobs with the same requirements used: least, median, 90 % of them, most."""
    from torc_core.engine.resource_report import amount_text
    from torc_core.engine.resource_spread import spread_of
    from torc_core.service.resource_use import ENDED_BADLY, ENDED_WELL, resource_use

    chosen = pick(app, workflow_id)
    statuses = (*ENDED_WELL, *ENDED_BADLY) if include_failed else ENDED_WELL
    found = spread_of(resource_use(app.service(), chosen, statuses, run_id=run_id).attempts)
    body = {"workflow_id": chosen, "requirements": [record.as_json() for record in found]}
    rows = []
    for record in found:
        for place, spread in enumerate(record.spreads):
            uses = (spread.specified, spread.least, spread.median, spread.nine_tenths, spread.most)
            shown = uses if spread.known else uses[:1]
            amounts = [amount_text(spread.resource, use) for use in shown]
            name, jobs = (record.needs.name, record.jobs) if not place else (None, None)
            rows.append((name, jobs, spread.resource.value, *amounts, *[None] * (5 - len(amounts))))
    if not rows and not app.wants_json:
        echo(f"Workflow {chosen} has no results to look at.")
        return
    table(app, _COLUMNS, rows, body, "uses")
