"""``torc reports check-resource-utilization`` and ``torc workflows correct-resources``: needed against asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.pick import pick, workflow_argument
from torc_core.errors import UsageError
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.engine.corrections import Adjustment, Multipliers
    from torc_core.engine.resource_rules import Diagnosis
    from torc_core.service.resource_use import ResourceUse

_CHECK_EXAMPLES = """
torc reports check-resource-utilization
torc reports check-resource-utilization 3 --include-failed -f json
"""
_CORRECT_EXAMPLES = """
torc workflows correct-resources 3 --dry-run
torc workflows correct-resources 3 --memory-multiplier 1.5 --no-downsize
torc workflows correct-resources 3 --regroup
"""


@click.command("check-resource-utilization", cls=TorcCommand, examples=_CHECK_EXAMPLES)
@workflow_argument
@click.option("-r", "--run-id", type=int, help="Of this run; else the latest result of each job.")
@click.option("-a", "--all", "everything", is_flag=True, help="What stayed within what was asked for, too.")
@click.option("--include-failed", is_flag=True, help="Jobs that failed or were terminated, too, and why that may be.")
@click.option(
    "--min-over-utilization", "least_percent", type=Amount(min=0), default=1.0, metavar="PERCENT",
    help="Leave out what is less above (1).",
)  # fmt: skip
@click.option("--correct", "corrects", is_flag=True, help='Then do what "torc workflows correct-resources" does.')
@pass_app
def check_utilization(
    app: App, workflow_id: int | None, run_id: int | None, everything: bool, include_failed: bool,
    least_percent: float, corrects: bool,
) -> None:  # fmt: skip
    """Compare what jobs used with what they had asked for."""
    from torc_core.engine.corrections import Multipliers
    from torc_core.engine.resource_report import diagnoses, report
    from torc_core.service.resource_use import ENDED_BADLY, ENDED_WELL, resource_use

    if corrects and run_id is not None:
        raise UsageError("--correct goes by the latest results", hint="Leave --run-id out.")
    chosen = pick(app, workflow_id)
    statuses = (*ENDED_WELL, *ENDED_BADLY) if include_failed else ENDED_WELL
    use = resource_use(app.service(), chosen, statuses, run_id=run_id)
    failures = diagnoses(use.attempts, use.oom_code, use.timeout_code) if include_failed else None
    body = report(
        chosen, use.attempts, run_id=run_id, least_percent=least_percent, everything=everything, failures=failures
    )
    if not app.wants_json:
        _show_report(body, failures or [], hints=not corrects)
    if corrects:
        adjustments, analyzed = _correct(app, chosen, Multipliers(), lower=True, dry_run=False, job_ids=None)
        done = _body(chosen, adjustments, analyzed, Multipliers(), dry_run=False)
        body["corrections"] = done
        if not app.wants_json:
            echo()
            _show_corrections(adjustments, analyzed, dry_run=False)
    if app.wants_json:
        echo_json(body)


def _show_report(body: dict[str, Any], failures: list[Diagnosis], *, hints: bool) -> None:
    id, count = body["workflow_id"], body["total_results"]
    if not count:
        echo(f"Workflow {id} has no results to look at.")
        return
    violations, over = body["violations"], body["over_utilization_count"]
    if violations:
        columns = ("Job ID", "Job Name", "Resource", "Specified", "Peak Used", "Over-Utilization")
        echo_table(columns, [tuple(violation.values()) for violation in violations])
        echo()
    what = f"{counted(over, 'use')} above what was asked for" if over else "Nothing used more than was asked for"
    echo(f"{what}, in {counted(count, 'result')}.")
    for diagnosis in failures:
        attempt = diagnosis.attempt
        echo(f"  {attempt.job_name} (job {attempt.job_id}, {attempt.status}): {diagnosis.sentence()}")
    if hints and (over or any(not diagnosis.is_unknown for diagnosis in failures)):
        echo(f"Correct requirements with: torc workflows correct-resources {id}")


@click.command("correct-resources", cls=TorcCommand, examples=_CORRECT_EXAMPLES)
@workflow_argument
@click.option("--memory-multiplier", type=Amount(min=1), default=1.2, help="Times the highest use (1.2).")
@click.option("--runtime-multiplier", type=Amount(min=1), default=1.2, help="Times the longest run (1.2).")
@click.option("--cpu-multiplier", type=Amount(min=1), default=1.2, help="Times the highest use (1.2).")
@click.option("--job-ids", metavar="ID,ID...", help="Only of these jobs.")
@click.option("--no-downsize", is_flag=True, help="Only raise, never lower.")
@click.option("--regroup", is_flag=True, help="Part jobs with the same requirements when some need far less memory.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@pass_app
def correct_resources(
    app: App, workflow_id: int | None, memory_multiplier: float, runtime_multiplier: float, cpu_multiplier: float,
    job_ids: str | None, no_downsize: bool, regroup: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Raise requirements that were too low for jobs that have ended, and lower those that were far too high.

    Jobs that lacked something get more; when others share their requirements, they get requirements of their own. What
    all jobs of a record left unused is lowered. It counts for the next time the jobs run.
    """
    from torc_core.engine.corrections import Multipliers

    if regroup and no_downsize:
        raise UsageError("--regroup gives some jobs less, --no-downsize gives nobody less", hint="Give one of them.")
    chosen = pick(app, workflow_id)
    factors = Multipliers(memory_multiplier, runtime_multiplier, cpu_multiplier)
    adjustments, analyzed = _correct(
        app, chosen, factors, lower=not no_downsize, regroup=regroup, dry_run=dry_run, job_ids=ids_of(job_ids)
    )
    if app.wants_json:
        echo_json(_body(chosen, adjustments, analyzed, factors, dry_run=dry_run))
    else:
        _show_corrections(adjustments, analyzed, dry_run=dry_run)


def ids_of(text: str | None) -> set[int] | None:
    """Return the ids that an option names, None when it was left out; raises UsageError."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = next((word for word in words if not word.isdecimal()), None)
    if wrong is not None or not words:
        raise UsageError(f"--job-ids: {wrong or text!r} is no id", hint="Write ids with commas: 3,7,12")
    return {int(word) for word in words}


def _correct(
    app: App,
    workflow_id: int,
    factors: Multipliers,
    *,
    lower: bool,
    dry_run: bool,
    job_ids: set[int] | None,
    regroup: bool = False,
) -> tuple[list[tuple[Adjustment, int]], int]:
    """Correct requirements; returns each change with the record that has it, and the number of jobs looked at."""
    from torc_core.engine.corrections import plan_corrections
    from torc_core.service.correcting import apply_adjustments
    from torc_core.service.resource_use import resource_use

    use = resource_use(app.service(), workflow_id, job_ids=job_ids)
    _refuse_unknown(use, job_ids)
    found = plan_corrections(
        use.attempts, use.jobs, factors, lower=lower, regroup=regroup, oom_code=use.oom_code,
        timeout_code=use.timeout_code, decide=app.host.correct_resources,
    )  # fmt: skip
    records = [a.needs.id for a in found] if dry_run else apply_adjustments(app.service(), workflow_id, found)
    return list(zip(found, records, strict=True)), len(use.attempts)


def _refuse_unknown(use: ResourceUse, job_ids: set[int] | None) -> None:
    known = {id for ids in use.jobs.values() for id in ids}
    unknown = sorted((job_ids or set()) - known)
    if unknown:
        raise UsageError(f"--job-ids: this workflow has no job {', '.join(map(str, unknown))}")


def _body(
    workflow_id: int, adjustments: list[tuple[Adjustment, int]], analyzed: int, factors: Multipliers, *, dry_run: bool
) -> dict[str, Any]:
    head = {"status": "success", "workflow_id": workflow_id}
    if not adjustments:
        message = "no requirements need to be corrected"
        return head | {"resource_requirements_updated": 0, "jobs_analyzed": analyzed, "message": message}
    found = [adjustment for adjustment, _ in adjustments]
    listed = []
    for adjustment, record in adjustments:
        body = adjustment.as_json()
        if not adjustment.in_place:
            body |= {"new_record": True} | ({} if dry_run else {"new_resource_requirements_id": record})
        listed.append(body)
    return head | {
        "dry_run": dry_run, "memory_multiplier": factors.memory, "runtime_multiplier": factors.runtime,
        "cpu_multiplier": factors.cpu, "resource_requirements_updated": len(found), "jobs_analyzed": analyzed,
        "memory_corrections": sum(a.changes_memory for a in found),
        "runtime_corrections": sum(a.changes_runtime for a in found),
        "cpu_corrections": sum(a.changes_cpus for a in found), "adjustments": listed,
    }  # fmt: skip


def _show_corrections(adjustments: list[tuple[Adjustment, int]], analyzed: int, *, dry_run: bool) -> None:
    if not adjustments:
        echo(f"No requirements need to be corrected ({counted(analyzed, 'job')} looked at).")
        return
    columns = ("Requirements", "Memory", "Runtime", "CPUs", "Jobs", "Changed")
    rows = []
    for adjustment, _ in adjustments:
        old, new = adjustment.needs, adjustment.correction
        rows.append(
            (
                old.name,
                _change(old.memory, new.memory, adjustment.changes_memory),
                _change(old.runtime, new.runtime, adjustment.changes_runtime),
                _change(old.num_cpus, new.num_cpus, adjustment.changes_cpus),
                len(adjustment.job_ids),
                "in place" if adjustment.in_place else "for these jobs only",
            )
        )
    echo_table(columns, rows)
    echo()
    verb = "Would correct" if dry_run else "Corrected"
    echo(f"{verb} {counted(len(adjustments), 'requirement')} ({counted(analyzed, 'job')} looked at).")


def _change(old: object, new: object, is_changed: bool) -> str:
    return f"{old} -> {new}" if is_changed else str(old)
