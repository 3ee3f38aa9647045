"""``torc jobs resolve``: say what becomes of jobs whose failure nobody had judged."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick
from torc_core.contracts.failure import LONGEST_DELAY_SECONDS
from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.records.answers import FailureResolution, Resolution
from torc_core.records.resources import Job
from torc_core.service.api import Service
from torc_core.status import JobStatus
from torc_core.units import counted

_DONE = {Resolution.RETRY: "Tried again", Resolution.FAIL: "Failed for good"}
_EXAMPLES = """
torc jobs resolve 17 --retry
torc jobs resolve 17 18 --fail --reason 'wrong input'
torc jobs resolve --all --workflow-id 3 --retry
"""


@click.command("resolve", cls=TorcCommand, examples=_EXAMPLES)
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--retry", is_flag=True, help="They run again, with the next attempt number.")
@click.option("--fail", is_flag=True, help="They have failed: what waits for them moves on or is canceled.")
@click.option("--reason", help="Why; kept with the event.")
@click.option(
    "--delay-seconds", type=Amount(min=0, max=LONGEST_DELAY_SECONDS), help="With --retry: not before so long (0)."
)
@click.option("--all", "everything", is_flag=True, help="All jobs of a workflow that are pending_failed.")
@click.option("--workflow-id", type=int, help="With --all.")
@pass_app
def resolve(
    app: App, job_ids: tuple[int, ...], retry: bool, fail: bool, reason: str | None, delay_seconds: float | None,
    everything: bool, workflow_id: int | None,
) -> int:  # fmt: skip
    """Decide about jobs that are pending_failed: nobody had said what their failure means."""
    if retry == fail:
        raise UsageError("say what becomes of the jobs", hint="Give --retry or --fail.")
    if bool(job_ids) == everything:
        raise UsageError("choose jobs in exactly one way", hint="Give ids, or --all.")
    if fail and delay_seconds is not None:
        raise UsageError("--delay-seconds belongs to --retry")
    service = app.service()
    chosen = pick(app, service.get(Job, job_ids[0]).workflow_id if job_ids else workflow_id, silently=False)
    ids = list(job_ids) or _undecided(service, chosen)
    decision = Resolution.RETRY if retry else Resolution.FAIL
    answer = service.resolve_failures(
        chosen,
        FailureResolution(job_ids=ids, decision=decision, reason=reason, delay_seconds=delay_seconds or 0.0),
    )
    if app.wants_json:
        body: dict[str, Any] = {"workflow_id": chosen, "decision": decision.value, "resolved": answer.resolved}
        body["errors"] = [{"job_id": error.job_id, "message": error.message} for error in answer.errors]
        echo_json(body)
    elif answer.resolved:
        echo(f"{_DONE[decision]}: {counted(len(answer.resolved), 'job')}")
        if retry:
            echo(f"Unless a runner is at work, go on with: torc run {chosen}")
    for error in answer.errors:
        app.complain(Invalid(error.message))
    return 1 if answer.errors else 0


def _undecided(service: Service, workflow_id: int) -> list[int]:
    """Return the jobs that somebody has to decide about; raises NotFound when there are none."""
    found = service.each(Job, workflow_id, status=JobStatus.PENDING_FAILED, include_relationships=False)
    ids = [job.id for job in found]
    if not ids:
        raise NotFound(f"workflow {workflow_id} has no job that is pending_failed")
    return ids
