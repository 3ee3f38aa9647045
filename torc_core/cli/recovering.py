"""``torc recover``: find out why jobs failed, give them what they lacked, and have them run again."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.logs import output_dir_option
from torc_core.cli.output import echo
from torc_core.cli.pick import confirmed, is_interactive, no_prompts_option, pick, workflow_argument
from torc_core.cli.syncing import Orphans, find_orphans, free
from torc_core.errors import Invalid, TorcError
from torc_core.records.resources import Job
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.diagnosis.recovery import Cause, RecoveryPlan
    from torc_core.records.answers import StatusSummary
    from torc_core.records.answers.recovery import Recovered
    from torc_core.service.api import Service

F = TypeVar("F", bound=Callable[..., Any])
_BAD = (JobStatus.FAILED, JobStatus.TERMINATED)
_EXAMPLES = """
torc recover 3 --dry-run
torc recover 3 && torc run 3
torc recover 3 --retry-unknown --recovery-hook ./clean-up.sh
"""


class Ways(NamedTuple):
    """How to recover, as said on the command line."""

    memory_multiplier: float = 1.5
    runtime_multiplier: float = 1.5
    retry_unknown: bool = False
    recovery_hook: str | None = None
    output_dir: Path | None = None


class NothingToRetry(TorcError):
    """Jobs failed, and there is no known cause that could be removed."""


def recovery_options(function: F) -> F:
    """Add the options that say how to recover; the command gets the fields of ``Ways``."""
    more = Amount(min=1, min_open=True)
    for option in reversed((
        click.option("--memory-multiplier", type=more, default=1.5, help="Memory of what lacked it, times this (1.5)."),
        click.option("--runtime-multiplier", type=more, default=1.5, help="Run time of what lacked it, times (1.5)."),
        click.option("--retry-unknown", is_flag=True, help="Run jobs again too whose failure nothing explains."),
        click.option(
            "--recovery-hook", metavar="COMMAND",
            help="Run this before jobs are tried again whose failure nothing explains; implies --retry-unknown.",
        ),
        output_dir_option,
    )):  # fmt: skip
        function = option(function)
    return function


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@recovery_options
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@no_prompts_option
@pass_app
def recover(app: App, workflow_id: int | None, dry_run: bool, no_prompts: bool, **given: Any) -> None:
    """Give failed jobs what they lacked, and reset them and what follows; nothing else runs again.

    Jobs that lacked memory or time get more of it, in requirements of their own unless all jobs of the record need it.
    Jobs that were lost with their runner are tried again as they are. It takes one transaction and leaves an event.
    At a terminal you are asked about each cause first.
    """
    chosen = pick(app, workflow_id)
    ways = Ways(**given)
    from torc_core.cli.recovery_report import show

    asks = is_interactive() and not (dry_run or no_prompts or app.wants_json)
    try:
        found = Recovering.look(app, chosen, ways, dry_run=dry_run, asks=asks)
        if asks and found.plan.failures:
            _ask_and_recover(app, found)
        else:
            show(app, found, None if dry_run else found.apply())
    except TorcError as exc:
        exc.details |= {"workflow_id": chosen, "dry_run": dry_run}
        raise


def _ask_and_recover(app: App, found: Recovering) -> None:
    """Let the person at the terminal decide, show what comes of it, and do it when they agree."""
    from torc_core.cli.recovery_report import show_done, show_plan
    from torc_core.cli.recovery_wizard import decide

    found = decide(found)
    show_plan(found)
    again = len(found.plan.job_ids)
    if not again:
        echo("No job runs again; nothing was changed.", err=True)
    elif confirmed(app, f"Run {counted(again, 'job')} again?", no_prompts=False):
        show_done(app, found, found.apply())


class Recovering(NamedTuple):
    """One recovery: what was found and what is to be done."""

    app: App
    workflow_id: int
    ways: Ways
    orphans: Orphans
    undecided: int  # jobs that wait for a decision
    plan: RecoveryPlan
    is_dry_run: bool

    @classmethod
    def look(
        cls,
        app: App,
        workflow_id: int,
        ways: Ways,
        *,
        dry_run: bool = False,
        asks: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Recovering:
        """Free what is held by runners that are gone (a dry run only notes it), then find out why jobs failed.

        Raises Invalid when the workflow is not to be recovered now, and NothingToRetry, unless somebody will be asked
        (``asks``).
        """
        service = app.service()
        refuse_archived(service.get_workflow_status(workflow_id))
        orphans = find_orphans(app, workflow_id)
        if not dry_run:
            free(app, workflow_id, orphans, ways.output_dir, say)
        summary = service.get_workflow_status(workflow_id)
        refuse_active(summary, orphans if dry_run else None)
        _refuse_held(summary, orphans if dry_run else None)
        plan = _plan(app, service, workflow_id, ways)
        undecided = summary.jobs_by_status["pending_failed"]
        found = cls(app, workflow_id, ways, orphans, undecided, plan, dry_run)
        if not plan.failures and not orphans.runners:
            raise _nothing_failed(summary)
        if plan.failures and not plan.retried and not asks:
            raise NothingToRetry(
                f"{counted(len(plan.failures), 'job')} failed, and nothing explains why: {plan.failures[0].text}",
                hint=f"Look at their logs (torc jobs logs {plan.failures[0].attempt.job_id}), or try again as they "
                f"are: torc recover {workflow_id} --retry-unknown",
            )
        return found

    def planned_anew(self, ways: Ways, leave: Collection[Cause]) -> Recovering:
        """Return this recovery with other ways, and without jobs that failed for a cause in ``leave``."""
        every = ways._replace(retry_unknown=True)
        return self._replace(ways=ways, plan=_plan(self.app, self.app.service(), self.workflow_id, every, leave))

    def apply(self) -> Recovered | None:
        """Run the hook and carry out the plan; None when there was nothing to do but freeing orphans."""
        from torc_core.diagnosis.recovery import Cause
        from torc_core.records.answers import RequirementsChange
        from torc_core.records.answers.recovery import Recovery

        if not self.plan.retried:
            return None
        if self.ways.recovery_hook is not None and self.plan.count(Cause.UNKNOWN):
            run_hook(self.ways.recovery_hook, self.workflow_id)
        changes = [
            RequirementsChange(
                resource_requirements_id=a.needs.id, job_ids=None if a.in_place else a.job_ids,
                **a.correction._asdict(),
            )
            for a in self.plan.adjustments
        ]  # fmt: skip
        recovery = Recovery(job_ids=self.plan.job_ids, changes=changes or None, report=self.result())
        return self.app.service().recover_jobs(self.workflow_id, recovery)

    def result(self) -> dict[str, Any]:
        """Return the published figures, and those of lost attempts."""
        from torc_core.diagnosis.recovery import Cause

        plan = self.plan
        body: dict[str, Any] = {
            "oom_fixed": plan.count(Cause.MEMORY), "timeout_fixed": plan.count(Cause.TIMEOUT),
            "unknown_retried": plan.count(Cause.UNKNOWN), "other_failures": len(plan.left),
            "lost_retried": plan.count(Cause.LOST),
            "orphans_freed": len(self.orphans.running) + len(self.orphans.pending), "jobs_to_retry": plan.job_ids,
        }  # fmt: skip
        adjustments = [adjustment.as_json() for adjustment in plan.adjustments]
        return body | ({"adjustments": adjustments} if adjustments else {})


def refuse_archived(summary: StatusSummary) -> None:
    """Refuse what is not to be touched; raises Invalid."""
    id = summary.workflow_id
    if summary.is_archived:
        raise Invalid(f"workflow {id} is archived", hint=f"Show it again first: torc workflows archive false {id}")


def refuse_active(summary: StatusSummary, orphans: Orphans | None = None) -> None:
    """Refuse while somebody is at work, or may be soon, beside those of ``orphans``; raises Invalid."""
    id = summary.workflow_id
    gone = 0 if orphans is None else sum(node.is_active is True for node in orphans.runners)
    active = summary.active_compute_nodes - gone
    if active > 0:
        raise Invalid(
            f"workflow {id} has {counted(active, 'active runner')}",
            hint=f"Wait for them (torc wait {id}), or cancel it: torc cancel {id}. "
            f"A runner of another machine that is gone: torc workflows sync-status {id} --compute-node ID",
        )
    over = 0 if orphans is None else len(orphans.allocations)
    allocations = summary.pending_scheduled_nodes + summary.active_scheduled_nodes - over
    if allocations > 0:
        raise Invalid(
            f"workflow {id} has {counted(allocations, 'allocation')} pending or active",
            hint=f"Wait for them, or take those that wait out of the queue: torc cancel {id}. "
            "One of which nothing comes any more is forgotten with: torc scheduled-compute-nodes delete ID",
        )


def _refuse_held(summary: StatusSummary, orphans: Orphans | None) -> None:
    """Refuse while jobs are held by somebody; in a dry run, those of ``orphans`` would be free."""
    counts = summary.jobs_by_status
    held = counts["running"] + counts["pending"]
    if orphans is not None:
        held -= len(orphans.running) + len(orphans.pending)
    if held > 0:
        raise Invalid(
            f"runners hold {counted(held, 'job')} of workflow {summary.workflow_id}, though none of them is active",
            hint=f"If nobody works on them: torc workflows sync-status {summary.workflow_id} --compute-node ID",
        )


def _nothing_failed(summary: StatusSummary) -> Invalid:
    from torc_core.cli.verdicts import verdict

    counts = summary.jobs_by_status
    if counts["pending_failed"]:
        return Invalid(
            f"no job has failed for good; to decide about: {counted(counts['pending_failed'], 'failed job')}",
            hint=f"Decide with: torc jobs resolve --all --workflow-id {summary.workflow_id} --retry (or --fail)",
        )
    return Invalid(f"no job of workflow {summary.workflow_id} has failed", hint=verdict(summary))


def _plan(app: App, service: Service, workflow_id: int, ways: Ways, leave: Collection[Cause] = ()) -> RecoveryPlan:
    from torc_core.diagnosis.recovery import plan_recovery
    from torc_core.service.resource_use import ENDED_BADLY, resource_use

    failed = {
        job.id for status in _BAD for job in service.each(Job, workflow_id, status=status)
    }  # fmt: skip
    use = resource_use(service, workflow_id, ENDED_BADLY, job_ids=failed)
    return plan_recovery(
        use.attempts, use.jobs, memory_multiplier=ways.memory_multiplier, runtime_multiplier=ways.runtime_multiplier,
        retry_unknown=ways.retry_unknown or ways.recovery_hook is not None, leave=leave, oom_code=use.oom_code,
        timeout_code=use.timeout_code, decide=app.host.correct_resources,
    )  # fmt: skip


def run_hook(command: str, workflow_id: int) -> None:
    """Run a recovery hook: the workflow's id is its last argument and in TORC_WORKFLOW_ID; raises TorcError."""
    try:
        words = [*shlex.split(command), str(workflow_id)]
    except ValueError as exc:
        raise Invalid(f"the recovery hook {command!r} cannot be split into words: {exc}") from exc
    env = {**os.environ, "TORC_WORKFLOW_ID": str(workflow_id)}
    try:
        done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=2, check=False)  # stdout is our result
    except OSError as exc:
        why = exc.strerror or exc
        raise TorcError(
            f"the recovery hook {words[0]} cannot be run: {why}; nothing was changed",
            hint="Name a program that is there and may be executed; a shell needs: bash -c '...'",
        ) from exc
    if done.returncode:
        raise TorcError(
            f"the recovery hook ended with code {done.returncode}; nothing was changed",
            hint=f"It was: {shlex.join(words)}",
        )
