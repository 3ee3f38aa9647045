"""What ``torc recover`` says: why jobs failed, what is changed for them, what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torc_core.cli.app import App
from torc_core.cli.output import echo, echo_json
from torc_core.diagnosis.recovery import Cause
from torc_core.engine.resource_report import diagnoses, report
from torc_core.records.resources import SlurmScheduler
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.recovering import Recovering
    from torc_core.diagnosis.recovery import Failure
    from torc_core.engine.corrections import Adjustment
    from torc_core.records.answers.recovery import Recovered
    from torc_core.service.api import Service

_SHOWN = 20


def show(app: App, found: Recovering, done: Recovered | None) -> None:
    """Write the report: JSON, or lines for people; ``done`` is None when nothing was reset."""
    if not app.wants_json:
        show_plan(found)
        show_done(app, found, done)
        return
    ways, plan = found.ways, found.plan
    attempts = [failure.attempt for failure in plan.failures]
    judged = diagnoses(attempts, plan.oom_code, plan.timeout_code)
    body: dict[str, Any] = {
        "workflow_id": found.workflow_id, "dry_run": found.is_dry_run, "memory_multiplier": ways.memory_multiplier,
        "runtime_multiplier": ways.runtime_multiplier, "result": found.result(),
        "diagnosis": report(found.workflow_id, attempts, failures=judged),
        "failures": [_failure_body(failure) for failure in plan.failures],
    }  # fmt: skip
    echo_json(body | ({} if done is None else {"run_id": done.run_id, "jobs_by_status": done.jobs_by_status}))


def _failure_body(failure: Failure) -> dict[str, Any]:
    attempt = failure.attempt
    return {
        "job_id": attempt.job_id, "job_name": attempt.job_name, "return_code": attempt.return_code,
        "cause": failure.cause.value, "message": failure.text,
    }  # fmt: skip


def show_done(app: App, found: Recovering, done: Recovered | None) -> None:
    """Say what was done, and what comes next."""
    if found.is_dry_run:
        echo("Nothing was changed (dry run).")
        return
    if done is not None:
        below = len(done.downstream_job_ids)
        verb = "follows" if below == 1 else "follow"
        echo(f"Reset {counted(len(done.job_ids), 'job')} and {below} that {verb}, for run {done.run_id}.")
    echo(next_step(app.service(), found.workflow_id))


def next_step(service: Service, workflow_id: int) -> str:
    """Return what comes after a recovery."""
    step = f"Go on with: torc run {workflow_id}"
    if service.find(SlurmScheduler, workflow_id, limit=1).items:
        return f"{step} (on this machine; no allocations were asked of its Slurm schedulers)"
    return step


def show_plan(found: Recovering) -> None:
    """Say what was found and what is to be done about it."""
    plan, orphans = found.plan, found.orphans
    if orphans.runners:
        verb = "would be" if found.is_dry_run else "are"
        jobs = counted(len(orphans.running) + len(orphans.pending), "job")
        echo(f"{counted(len(orphans.runners), 'runner')} ended without a word; {jobs} held there {verb} ready again.")
    if found.undecided:
        jobs = counted(found.undecided, "job")
        echo(f"Left alone, to be decided about: {jobs}, see torc jobs list {found.workflow_id} -s pending_failed")
    for title, failures in (("Run again", plan.retried), ("Left alone (see --retry-unknown)", plan.left)):
        if failures:
            echo(f"{title} ({len(failures)}):")
            echo("\n".join(f"  {failure.text}" for failure in failures[:_SHOWN]))
            if len(failures) > _SHOWN:
                echo(f"  ... and {len(failures) - _SHOWN} more")
    if plan.adjustments:
        echo("Requirements:")
        echo("\n".join(f"  {_change(adjustment)}" for adjustment in plan.adjustments))
    if found.is_dry_run and found.ways.recovery_hook is not None and plan.count(Cause.UNKNOWN):
        echo(f"First this would be run: {found.ways.recovery_hook} {found.workflow_id}")


def _change(adjustment: Adjustment) -> str:
    """Return one line about changed requirements: ``small: memory 2g -> 3g``."""
    needs, new = adjustment.needs, adjustment.correction
    changes = (
        ("memory", needs.memory, new.memory, adjustment.changes_memory),
        ("runtime", needs.runtime, new.runtime, adjustment.changes_runtime),
        ("CPUs", needs.num_cpus, new.num_cpus, adjustment.changes_cpus),
    )
    parts = [f"{word} {old} -> {now}" for word, old, now, is_other in changes if is_other]
    whose = "" if adjustment.in_place else f" (for {counted(len(adjustment.job_ids), 'job')} of it only)"
    return f"{needs.name}: {', '.join(parts)}{whose}"
