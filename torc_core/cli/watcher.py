"""What ``torc watch`` does: it follows a workflow to its end, and recovers it as often as it helps."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.auto_scheduling import auto_schedule
from torc_core.cli.recovering import NothingToRetry, Recovering
from torc_core.cli.syncing import find_orphans, free
from torc_core.cli.verdicts import BAD, has_only_new_jobs, has_workers, waits_for_people
from torc_core.errors import Conflict, Invalid, TorcError, Unavailable
from torc_core.records.resources import Workflow
from torc_core.runner.log import LogLines
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.cli.auto_scheduling import AutoSchedule, Rules
    from torc_core.cli.choosing import Wanted
    from torc_core.cli.recovering import Ways
    from torc_core.records.answers import StatusSummary
    from torc_core.runner.options import RunSummary
    from torc_core.service.api import Service

_LONGEST_WAIT_S = 20.0  # of one question to the service
_AWAY_RETRY_S = 2.0


def bad(summary: StatusSummary) -> int:
    """Count the jobs that did not succeed."""
    return sum(summary.jobs_by_status[name] for name in BAD)


class Stopped(Exception):
    """Somebody has stopped the run that the watch had begun."""

    def __init__(self, run: RunSummary) -> None:
        self.run = run


class Watcher:
    """Follows one workflow."""

    def __init__(
        self, app: App, workflow_id: int, ways: Ways, poll_seconds: float, run_here: bool, show_counts: bool
    ) -> None:
        self._app, self._id, self._ways = app, workflow_id, ways
        self._poll_seconds, self._run_here, self._show_counts = poll_seconds, run_here, show_counts
        self._service: Service = app.service()
        self._log: LogLines | None = None
        self._auto: AutoSchedule | None = None
        self._looked_at = float("-inf")
        self._away_since: float | None = None
        self._patience_seconds = 0.0
        self._said_nobody = False
        self._said: set[str] = set()
        self.recoveries = 0

    def ask_for_nodes(self, rules: Rules, wanted: Wanted, *, recovers: bool) -> None:
        """Ask for nodes when it is time to, and begin the workflow that has no run yet; raises TorcError."""
        from torc_core.cli.running import refuse_unrunnable, warn_of_folder

        summary = self._service.get_workflow_status(self._id)
        if summary.is_complete and not (recovers and bad(summary)):
            return
        refuse_unrunnable(summary)
        warn_of_folder(self._app, self._service, self._id)
        self._auto = auto_schedule(self._app, self._id, rules, wanted, self._output_dir, self._say)
        self._begun(summary)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def to_the_end(self, max_retries: int) -> StatusSummary:
        """Return where the workflow stands when it is over and no recovery helps any more."""
        workflow = self._service.get(Workflow, self._id)
        self._patience_seconds = 60 * workflow.compute_node_wait_for_healthy_database_minutes
        while True:
            summary = self._until_over(waits=self.recoveries < max_retries)
            if not bad(summary) or summary.is_canceled or self.recoveries >= max_retries:
                if self.recoveries and self.recoveries >= max_retries and bad(summary):
                    self._say("WARN", f"Recovered {counted(self.recoveries, 'time')}; that is enough")
                return summary
            try:
                if not self._recover():
                    return self._service.get_workflow_status(self._id)
            except Unavailable as exc:
                self._bear(exc)

    def _until_over(self, *, waits: bool) -> StatusSummary:
        """Wait until nothing is left to do, or only decisions are; ``waits``: when jobs failed, for allocations too.

        A service that is away is waited for as long as runners do.
        """
        self._looked_at = float("-inf")
        while True:
            try:
                summary = self._step(waits)
            except Unavailable as exc:
                self._bear(exc)
                continue
            if self._away_since is not None:
                self._away_since = None
                self._say("INFO", "The service is there again")
            if summary is not None:
                return summary

    def _step(self, waits: bool) -> StatusSummary | None:
        """Wait for something to happen; returns where the workflow stands when it is over."""
        version = self._service.wait_for_change(self._id).version
        is_due = time.monotonic() - self._looked_at >= self._poll_seconds
        if is_due or self._service.is_workflow_complete(self._id).is_complete:  # summaries take time
            summary = self._service.get_workflow_status(self._id)
            allocations = summary.pending_scheduled_nodes + summary.active_scheduled_nodes
            is_free = not summary.active_compute_nodes and not (waits and allocations and bad(summary))
            is_over = summary.is_complete or summary.is_archived or has_only_new_jobs(summary)
            if (is_over or waits_for_people(summary)) and is_free:
                return summary
            if summary.is_complete and is_due and not summary.active_compute_nodes:
                self._say_once("INFO", f"Waiting for {counted(allocations, 'allocation')} to end, to recover then")
        if is_due:
            self._looked_at = time.monotonic()
            self._look(summary)
            if self._run_if_nobody_does(summary):
                return None
        left = self._looked_at + self._poll_seconds - time.monotonic()
        self._service.wait_for_change(self._id, version, min(max(left, 0.05), _LONGEST_WAIT_S))
        return None

    def _bear(self, exc: Unavailable) -> None:
        """Wait a little for a service that is away; raises the error when that has lasted too long."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._say("WARN", f"The service is away, and waited for: {exc}")
        if now - self._away_since >= self._patience_seconds:
            raise exc
        time.sleep(_AWAY_RETRY_S)

    def _look(self, summary: StatusSummary) -> None:
        """Free what dead runners hold, and say where things are."""
        orphans = find_orphans(self._app, self._id, warn=lambda text: self._say_once("WARN", text))
        if not orphans.is_empty:
            for text in orphans.told():
                self._say("WARN", text)
            free(self._app, self._id, orphans, self._ways.output_dir, lambda text: self._say("INFO", text))
            summary = self._service.get_workflow_status(self._id)
        if self._show_counts:
            counts = ", ".join(f"{count} {name}" for name, count in summary.jobs_by_status.items() if count)
            self._say("INFO", f"workflow_id={self._id} {counts}")
        has_asked = self._auto is not None and self._auto.look(summary, time.monotonic())
        if has_workers(summary) or has_asked:
            self._said_nobody = False
        elif not self._run_here and not self._said_nobody and not summary.is_complete:
            self._said_nobody = True
            run = f"Run it with: torc run {self._id}"
            if self._auto is not None and summary.jobs_by_status["ready"]:
                run = f"Nodes are asked for again {self._auto.patience(time.monotonic())}. {run}"
            self._say("WARN", f"Nobody is working on it. {run}")

    def _run_if_nobody_does(self, summary: StatusSummary) -> bool:
        """Run the workflow here when that was asked for and nobody does; returns whether it was run."""
        if not self._run_here or summary.active_compute_nodes or summary.is_canceled:
            return False
        from torc_core.cli.runner_options import Runs
        from torc_core.cli.running import run_here

        summary = self._begun(summary)
        runner = Runs.of(self._app, {**_unsaid(), "output_dir": self._output_dir})
        done, _ = run_here(self._app, self._service, summary, runner)
        if done.interrupted and not done.is_complete:
            raise Stopped(done)
        if done.stuck:
            self._run_here = False
            self._say("WARN", f"What is left cannot run here: {done.stuck}")
        return True

    def _begun(self, summary: StatusSummary) -> StatusSummary:
        """Begin the first run of a workflow, unless that was done; returns where it stands then."""
        from torc_core.runner.beginning import begin_first_run

        if not self._service.is_workflow_uninitialized(self._id).is_uninitialized:
            return summary
        try:
            begin_first_run(self._service, summary)
        except (Conflict, Invalid) as exc:
            exc.hint = f"Begin it yourself: torc workflows init {self._id}, with --force to go on without them"
            raise
        return self._service.get_workflow_status(self._id)

    @property
    def _output_dir(self) -> str | None:
        return None if self._ways.output_dir is None else str(self._ways.output_dir)

    def _recover(self) -> bool:
        """Recover once; returns whether anything runs again."""
        try:
            found = Recovering.look(self._app, self._id, self._ways, say=lambda text: self._say("INFO", text))
            done = found.apply()
        except Unavailable:
            raise
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

    def _say_once(self, level: str, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(level, text)

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
