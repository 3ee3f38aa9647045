"""``torc watch``: follow a workflow to its end, and recover it as often as it helps."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.auto_scheduling import AutoSchedule, auto_schedule_options
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.recovering import NothingToRetry, Recovering, Ways, recovery_options
from torc_core.cli.status import summary_body
from torc_core.cli.syncing import find_orphans, free
from torc_core.cli.verdicts import BAD, verdict, waits_for_people
from torc_core.errors import Invalid, TorcError, UsageError
from torc_core.runner.log import LogLines
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.records.answers import StatusSummary
    from torc_core.runner.options import RunSummary
    from torc_core.service.api import Service

_LONGEST_WAIT_S = 20.0  # of one question to the service
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
    show_job_counts: bool, **given: Any,
) -> int:  # fmt: skip
    """Follow a workflow until it is complete; exit 1 when jobs did not succeed in the end.

    With --recover, failed jobs are given what they lacked and run again, by whoever runs the workflow: a runner that
    you start, with --run this very command, with --auto-schedule one on nodes that this command asks for.
    """
    if run_here and given["auto_schedule"]:
        raise UsageError("--run works here, --auto-schedule elsewhere", hint="Give one of them.")
    chosen = pick(app, workflow_id)
    watcher = _Watch(app, chosen, given, poll_interval, run_here, show_job_counts)
    stopped = None
    try:
        summary = watcher.to_the_end(max_retries if recover else 0)
    except _Stopped as exc:
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
    return 1 if summary.is_canceled or _bad(summary) else 0


def _bad(summary: StatusSummary) -> int:
    return sum(summary.jobs_by_status[name] for name in BAD)


class _Stopped(Exception):
    """Somebody has stopped the run that the watch had begun."""

    def __init__(self, run: RunSummary) -> None:
        self.run = run


class _Watch:
    """Follows one workflow."""

    def __init__(
        self, app: App, workflow_id: int, given: dict[str, Any], poll_seconds: float, run_here: bool, show_counts: bool
    ) -> None:
        self._app, self._id = app, workflow_id
        self._poll_seconds, self._run_here, self._show_counts = poll_seconds, run_here, show_counts
        self._service: Service = app.service()
        self._log: LogLines | None = None
        folder = given["output_dir"]
        self._auto = AutoSchedule.of(app, workflow_id, given, folder, self._say)
        self._ways = Ways(**given)
        self._said_nobody = False
        self.recoveries = 0

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def to_the_end(self, max_retries: int) -> StatusSummary:
        """Return where the workflow stands when it is over and no recovery helps any more."""
        self._service.get_workflow_status(self._id)
        while True:
            summary = self._until_over(waits=self.recoveries < max_retries)
            if not _bad(summary) or summary.is_canceled or self.recoveries >= max_retries:
                if self.recoveries and self.recoveries >= max_retries and _bad(summary):
                    self._say("WARN", f"Recovered {counted(self.recoveries, 'time')}; that is enough")
                return summary
            if not self._recover():
                return self._service.get_workflow_status(self._id)

    def _until_over(self, *, waits: bool) -> StatusSummary:
        """Wait until nothing is left to do, or only decisions are; ``waits``: when jobs failed, for allocations too."""
        looked_at = float("-inf")
        while True:
            version = self._service.wait_for_change(self._id).version
            is_due = time.monotonic() - looked_at >= self._poll_seconds
            if is_due or self._service.is_workflow_complete(self._id).is_complete:  # summaries take time
                summary = self._service.get_workflow_status(self._id)
                allocations = summary.pending_scheduled_nodes + summary.active_scheduled_nodes
                is_free = not summary.active_compute_nodes and not (waits and allocations and _bad(summary))
                if (summary.is_complete or waits_for_people(summary)) and is_free:
                    return summary
            if is_due:
                looked_at = time.monotonic()
                self._look(summary)
                if self._run_if_nobody_does(summary):
                    continue
            left = looked_at + self._poll_seconds - time.monotonic()
            self._service.wait_for_change(self._id, version, min(max(left, 0.05), _LONGEST_WAIT_S))

    def _look(self, summary: StatusSummary) -> None:
        """Free what dead runners hold, and say where things are."""
        orphans = find_orphans(self._app, self._id)
        if not orphans.is_empty:
            if orphans.allocations:
                gone = counted(len(orphans.allocations), "allocation")
                self._say("WARN", f"{gone} ended without a word")
            if orphans.runners:
                gone = counted(len(orphans.runners), "runner")
                self._say("WARN", f"{gone} ended without a word; the jobs held there are free again")
            free(self._app, self._id, orphans, self._ways.output_dir, lambda text: self._say("INFO", text))
            summary = self._service.get_workflow_status(self._id)
        if self._show_counts:
            counts = ", ".join(f"{count} {name}" for name, count in summary.jobs_by_status.items() if count)
            self._say("INFO", f"workflow_id={self._id} {counts}")
        has_asked = self._auto is not None and self._auto.look(summary, time.monotonic())
        has_workers = summary.active_compute_nodes or summary.active_scheduled_nodes or summary.pending_scheduled_nodes
        if has_workers or has_asked:
            self._said_nobody = False
        elif not self._run_here and not self._said_nobody and not summary.is_complete:
            self._said_nobody = True
            self._say("WARN", f"Nobody is working on it. Run it with: torc run {self._id}")

    def _run_if_nobody_does(self, summary: StatusSummary) -> bool:
        """Run the workflow here when that was asked for and nobody does; returns whether it was run."""
        if not self._run_here or summary.active_compute_nodes or summary.is_canceled:
            return False
        from torc_core.cli.runner_options import Runs
        from torc_core.cli.running import run_here
        from torc_core.runner.beginning import begin_first_run

        if self._service.is_workflow_uninitialized(self._id).is_uninitialized:
            begin_first_run(self._service, summary)
            summary = self._service.get_workflow_status(self._id)
        folder = self._ways.output_dir
        runner = Runs.of(self._app, {**_unsaid(), "output_dir": None if folder is None else str(folder)})
        done, _ = run_here(self._app, self._service, summary, runner)
        if done.interrupted and not done.is_complete:
            raise _Stopped(done)
        if done.stuck:
            self._run_here = False
            self._say("WARN", f"What is left cannot run here: {done.stuck}")
        return True

    def _recover(self) -> bool:
        """Recover once; returns whether anything runs again."""
        try:
            found = Recovering.look(self._app, self._id, self._ways, say=lambda text: self._say("INFO", text))
            done = found.apply()
        except (NothingToRetry, Invalid) as exc:
            self._say("ERROR", f"{exc}. {exc.hint}".strip())
            return False
        except TorcError as exc:  # the hook
            self._say("ERROR", str(exc))
            return False
        self.recoveries += 1
        self._said_nobody = False
        result = found.result()
        words = {
            "oom_fixed": "with more memory", "timeout_fixed": "with more time",
            "lost_retried": "lost with their runner", "unknown_retried": "as they are",
        }  # fmt: skip
        parts = [f"{result[name]} {text}" for name, text in words.items() if result[name]]
        run = "" if done is None else f" in run {done.run_id}"
        self._say(
            "INFO", f"Recovery {self.recoveries}: jobs run again{run}: {', '.join(parts) or 'those that were held'}"
        )
        return True

    def _say(self, level: str, text: str) -> None:
        """Tell people, and write it down in the output folder if there is one."""
        self._app.say(level.lower(), text)
        folder = Path(self._ways.output_dir or self._app.config["client.run.output_dir"])
        if self._log is None and folder.is_dir():
            self._log = LogLines(folder / f"watch_{os.uname().nodename}_wf{self._id}.log")
        if self._log is not None:
            self._log.write(level, text)


def _unsaid() -> dict[str, Any]:
    """Return what ``torc run`` makes of its runner's options when none of them is given."""
    from torc_core.cli.runner_options import runner_options

    command = click.command()(runner_options(lambda **given: given))
    with command.make_context("run", []) as context:
        return dict(context.params)
