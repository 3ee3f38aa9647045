"""``torc run`` of a workflow that has ended before: nothing to do, what would be, or the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torc_core.cli.output import echo, echo_json
from torc_core.cli.verdicts import failures, verdict
from torc_core.errors import Invalid, TorcError
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.records.answers import BegunRun, StatusSummary
    from torc_core.service.api import Service

CHANGED, ALL = "changed", "all"
_SHOWN = 3


def begin_next(app: App, service: Service, before: StatusSummary, which: str, *, force: bool) -> StatusSummary:
    """Begin the next run of a workflow and say of what; returns where it stands then. Raises TorcError."""
    from torc_core.runner.beginning import begin_run

    id = before.workflow_id
    if before.is_archived:
        raise Invalid(f"workflow {id} is archived", hint=f"Show it again first: torc workflows archive false {id}")
    is_first = service.is_workflow_uninitialized(id).is_uninitialized
    if which == CHANGED and not is_first:
        found = begin_run(service, id, again=True, dry_run=True)
        if before.is_complete and not before.is_canceled and not found.reruns:
            return before
        for line in reasons_of(found, _SHOWN):
            app.say("info", line)
    begun = begin_run(service, id, again=which == CHANGED and not is_first, force=force, after_run=before.run_id)
    app.say("info", f"Begun run {begun.run_id} of workflow {id}")
    return service.get_workflow_status(id)


def reasons_of(found: BegunRun, most: int) -> list[str]:
    """Return a line for each of the first jobs that run again, and one for the rest."""
    reruns = found.reruns or []
    lines = [f"{rerun.name}: {rerun.reasons[0]}" for rerun in reruns[:most]]
    if len(reruns) > most:
        lines.append(f"and {counted(len(reruns) - most, 'more job')}")
    return lines


def has_duties(service: Service, workflow_id: int) -> bool:
    """Whether commands wait for a runner though all jobs have ended."""
    triggers = ["on_workflow_start", "on_workflow_complete", "on_jobs_ready", "on_jobs_complete"]
    pending = service.get_pending_actions(workflow_id, triggers)
    return any(action.action_type == "run_commands" and not action.persistent for action in pending)


def tell_nothing_to_run(app: App, service: Service, summary: StatusSummary, *, fail: bool) -> int:
    """Say that there is nothing to run, and whether something has changed; returns the exit code."""
    bad, id = failures(summary), summary.workflow_id
    changed = None if bad else _changed(service, id)
    if app.wants_json:
        body: dict[str, Any] = {
            "workflow_id": id, "run_id": summary.run_id, "completed": 0, "failed": 0, "terminated": 0, "canceled": 0,
            "had_failures": bool(bad), "had_terminations": False, "is_complete": summary.is_complete,
        }  # fmt: skip
        if changed is not None:
            body["changed_jobs"] = [rerun.name for rerun in changed.reruns or ()]
        echo_json(body)
    else:
        echo(f"Nothing to run in workflow {id}. {verdict(summary)}")
        if changed is not None and changed.reruns:
            count = counted(len(changed.reruns), "job")
            echo(f"Out of date: {count}. Run again what has changed with: torc run {id} --rerun")
            echo("\n".join(f"  {line}" for line in reasons_of(changed, _SHOWN)))
        elif changed is not None and summary.is_complete and summary.run_id:
            echo(f"Nothing has changed since run {summary.run_id}. Run all of it again with: torc run {id} --rerun-all")
    return 1 if fail and bad else 0


def _changed(service: Service, workflow_id: int) -> BegunRun | None:
    """Return what a reinitialization would run again; None when that cannot be said."""
    from torc_core.runner.beginning import begin_run

    try:
        return begin_run(service, workflow_id, again=True, dry_run=True)
    except TorcError:
        return None
