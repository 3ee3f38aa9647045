"""``torc watch``: follow a workflow to its end, and recover it as often as it helps."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.auto_scheduling import Rules, auto_schedule_options, refuse_idle_options
from torc_core.cli.choosing import Wanted
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.recovering import Ways, recovery_options
from torc_core.cli.status import summary_body
from torc_core.cli.verdicts import has_only_new_jobs, verdict
from torc_core.cli.watcher import Stopped, Watcher, bad
from torc_core.errors import UsageError

_EXAMPLES = """
torc watch 3
torc watch 3 --recover --run
torc watch 3 --recover --auto-schedule --scheduler-type local
torc watch 3 --recover --max-retries 5 --recovery-hook ./clean-up.sh
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@click.option(
    "-p",
    "--poll-interval",
    type=Amount(min=0, min_open=True),
    default=60.0,
    metavar="SECONDS",
    help="Look for runners that are gone, and show counts, so often (60). Ends are heard of at once.",
)
@click.option("-r", "--recover", is_flag=True, help="Recover when jobs have failed, as torc recover does.")
@click.option("-m", "--max-retries", type=click.IntRange(min=0), default=3, help="Recover at most so often (3).")
@recovery_options
@click.option("--run", "run_here", is_flag=True, help="Run the workflow here while nobody else works on it.")
@auto_schedule_options
@click.option("-s", "--show-job-counts", is_flag=True, help="Show how many jobs are in which state at every look.")
@pass_app
def watch(
    app: App, workflow_id: int | None, poll_interval: float, recover: bool, max_retries: int, run_here: bool,
    show_job_counts: bool, rules: Rules, wanted: Wanted, **given: Any,
) -> int:  # fmt: skip
    """Follow a workflow until it is complete; exit 1 when jobs did not succeed in the end.

    With --recover, failed jobs are given what they lacked and run again, by whoever runs the workflow: a runner that
    you start, with --run this very command, with --auto-schedule one on nodes that this command asks for.
    """
    refuse_idle_options(rules)
    if run_here and rules.auto_schedule:
        raise UsageError("--run works here, --auto-schedule elsewhere", hint="Give one of them.")
    chosen = pick(app, workflow_id)
    watcher = Watcher(app, chosen, Ways(**given), poll_interval, run_here, show_job_counts)
    if rules.auto_schedule:
        watcher.ask_for_nodes(rules, wanted, recovers=recover)
    stopped = None
    try:
        summary = watcher.to_the_end(max_retries if recover else 0)
    except Stopped as exc:
        stopped, summary = exc.run, app.service().get_workflow_status(chosen)
        app.say("warn", f"Stopped by {stopped.interrupted}. Go on with the same command, or: torc run {chosen}")
    finally:
        watcher.close()
    if app.wants_json:
        told = {} if stopped is None else {"interrupted": stopped.interrupted}
        echo_json({**summary_body(summary), "recoveries": watcher.recoveries, **told})
    elif stopped is None:
        echo(verdict(summary))
    if stopped is not None:
        return stopped.exit_code
    is_left = summary.is_archived or has_only_new_jobs(summary)
    return 1 if summary.is_canceled or bad(summary) or is_left else 0
