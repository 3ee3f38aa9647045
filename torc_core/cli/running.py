"""``torc run``: a workflow on this machine, from a spec or a stored one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import store
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick
from torc_core.cli.reading import complete_file, is_spec, read_plan, skip_checks_option, stored_id
from torc_core.cli.runner_options import Runs, runner_options
from torc_core.errors import Invalid, NotFound, TorcError, UsageError
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.progress import Display, Failure
    from torc_core.records.answers import StatusSummary
    from torc_core.runner.options import RunSummary
    from torc_core.service.api import Service
    from torc_core.spec.plan import Plan

_SHOWN_FAILURES = 10
_SHOWN_FILES = 3
_rerun = click.option(
    "--rerun", "rerun", flag_value="changed", help="Begin its next run: what failed, did not run or has changed."
)
_rerun_all = click.option("--rerun-all", "rerun", flag_value="all", help="Begin its next run: everything.")
_EXAMPLES = """
torc run workflow.yaml
torc run workflow.yaml --dry-run --gantt plan.svg
torc run workflow.yaml --resume
torc run 3 --max-parallel-jobs 4 --fail-on-job-failure
torc run 3 --rerun
generate-spec | torc run -
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@click.argument("spec_or_id", required=False, shell_complete=complete_file)
@click.option("--resume", is_flag=True, help="Go on with the latest workflow made from this spec in this folder.")
@_rerun
@_rerun_all
@click.option("--dry-run", is_flag=True, help="Play it on a virtual clock; nothing is started or stored.")
@click.option("--gantt", type=click.Path(path_type=Path), help="With --dry-run: write a picture (.svg or .html).")
@click.option("--force", is_flag=True, help="Begin although input files are missing.")
@skip_checks_option
@runner_options
@pass_app
def run(
    app: App, spec_or_id: str | None, resume: bool, rerun: str | None, dry_run: bool, gantt: Path | None, force: bool,
    skip_checks: bool, **given: Any,
) -> int:  # fmt: skip
    """Run SPEC_OR_ID here: a spec file (-: standard input), or the id of a stored workflow.

    Without it, your only workflow is meant. What has ended is not run again. Ctrl-C lets running jobs end and starts
    no more; twice ends them too.
    """
    runner = Runs.of(app, given)
    if spec_or_id is None:
        spec_or_id = str(pick(app, None))
    if dry_run or runner.only_plays:
        from torc_core.cli.playing import plan_left, play_plan

        return play_plan(app, plan_left(app, spec_or_id, skip_checks=skip_checks), runner, gantt)
    if gantt is not None:
        raise UsageError("--gantt draws a dry run", hint="Add --dry-run.")
    if is_spec(spec_or_id):
        if rerun and not resume:
            what = "--rerun and --rerun-all are for workflows that were made before, not for a new one"
            raise UsageError(what, hint="Add --resume for the latest one made from this spec, or name one by its id.")
        plan = read_plan(app, spec_or_id, skip_checks=skip_checks)
        workflow_id = find_resumable(app, plan) if resume else store(app, plan).workflow_id
        app.say("info", f"{'Resuming' if resume else 'Created'} workflow {workflow_id}")
        return run_workflow(app, workflow_id, runner, force=force, is_new=not resume, rerun=rerun)
    return run_workflow(app, stored_id(spec_or_id), runner, force=force, rerun=rerun)


def run_workflow(
    app: App, workflow_id: int, runner: Runs, *, force: bool = False, is_new: bool = False, rerun: str | None = None
) -> int:
    """Run a stored workflow here and tell how it went; returns the exit code.

    One that is new, made for this run, is deleted when it cannot begin. ``rerun`` begins its next run.
    """
    try:
        return _run_workflow(app, workflow_id, runner, force=force, is_new=is_new, rerun=rerun)
    finally:
        if runner.options.scheduler is not None:
            _leave_allocation(app, workflow_id, runner.options.scheduler)


def _leave_allocation(app: App, workflow_id: int, scheduler: dict[str, Any]) -> None:
    """End the allocation that this process was started for when it never had a runner; else the service does."""
    from torc_core.records.allocations import ScheduledComputeNode
    from torc_core.records.resources import ComputeNode

    service = app.service()
    with suppress(TorcError):
        if all(node.scheduler != scheduler for node in service.each(ComputeNode, workflow_id)):
            service.update(ScheduledComputeNode, scheduler["scheduler_id"], {"status": "complete"})


def _run_workflow(app: App, workflow_id: int, runner: Runs, *, force: bool, is_new: bool, rerun: str | None) -> int:
    from torc_core.cli.rerunning import begin_next, has_duties, tell_nothing_to_run
    from torc_core.cli.verdicts import has_only_new_jobs
    from torc_core.records.resources import Workflow

    app.workflow_id = workflow_id
    options, service = runner.options, app.service()
    before = service.get_workflow_status(workflow_id)
    if rerun:
        before = begin_next(app, service, before, rerun, force=force)
    refuse_unrunnable(before)
    warn_of_folder(app, service, workflow_id)
    is_over = before.is_complete or has_only_new_jobs(before)
    if is_over:
        from torc_core.cli.syncing import find_orphans, free

        free(app, workflow_id, find_orphans(app, workflow_id), Path(options.output_dir))
    stays = options.persistent or _waits_for_more(service, workflow_id)
    if is_over and not stays and not has_duties(service, workflow_id):
        return tell_nothing_to_run(app, service, before, fail=options.fail_on_job_failure)
    from torc_core.runner import output_files

    try:
        output_files.make_folder(Path(options.output_dir) / output_files.FOLDER)  # before anything has begun
        before = begin(app, service, before, force=force)
    except TorcError:
        if is_new:
            service.delete(Workflow, workflow_id)
            app.say("info", f"Workflow {workflow_id} was not begun and is deleted again")
        raise
    summary, display = run_here(app, service, before, runner)
    _tell_summary(app, service, summary, display, options.output_dir)
    return summary.exit_code


def run_here(app: App, service: Service, before: StatusSummary, runner: Runs) -> tuple[RunSummary, Display]:
    """Run a workflow that was begun until nothing is left to do here, and show how it goes."""
    from torc_core.cli.logins import token_for_jobs, trusted
    from torc_core.cli.opening import database_for_jobs
    from torc_core.cli.progress import Display
    from torc_core.runner.loop import Runner

    id = before.workflow_id
    with (
        token_for_jobs(app, service, id) as token,
        database_for_jobs(app, service) as database,
        Display(app.log_level, before) as display,
    ):
        os.environ.update(trusted(app))  # jobs inherit it
        options = runner.options._replace(token=token, database=database)
        summary = Runner(service, runner.executor(), id, options, display.show, app.host).run()
        display.end(is_complete=summary.is_complete)
    return summary, display


def warn_of_folder(app: App, service: Service, workflow_id: int) -> None:
    """Warn when a workflow was made in another folder."""
    from torc_core.runner.beginning import made_elsewhere

    folder = made_elsewhere(service, workflow_id)
    if folder is not None:
        app.say("warn", f"Workflow {workflow_id} was made in {folder}; its relative paths are taken from here")


def refuse_unrunnable(summary: StatusSummary) -> None:
    """Raise Invalid for a workflow that was put away or called off."""
    id = summary.workflow_id
    if summary.is_archived:
        raise Invalid(f"workflow {id} is archived", hint=f"Show it again first: torc workflows archive false {id}")
    if summary.is_canceled:
        hint = f"Begin its next run: torc workflows reinit {id} && torc run {id}"
        raise Invalid(f"workflow {id} is canceled", hint=hint)


def _waits_for_more(service: Service, workflow_id: int) -> bool:
    """Whether runners stay when a workflow is complete, because jobs may be added."""
    from torc_core.records.resources import Workflow

    return service.get(Workflow, workflow_id).compute_node_ignore_workflow_completion


def begin(app: App, service: Service, before: StatusSummary, *, force: bool) -> StatusSummary:
    """Begin the first run of a workflow, unless that was done; returns where it stands then."""
    id = before.workflow_id
    if not service.is_workflow_uninitialized(id).is_uninitialized:
        return before
    from torc_core.runner.beginning import begin_first_run

    begun = begin_first_run(service, before, force=force)
    found = begun.existing_output_files if begun is not None else []
    if found:
        more = f" and {len(found) - _SHOWN_FILES} more" if len(found) > _SHOWN_FILES else ""
        app.say(
            "warn", f"Output files exist already and will be written again: {', '.join(found[:_SHOWN_FILES])}{more}"
        )
    return service.get_workflow_status(id)


def find_resumable(app: App, plan: Plan) -> int:
    """Return the latest workflow that was made from this spec in this folder.

    Raises NotFound when there is none and Invalid when the spec is another by now.
    """
    from torc_core.records.resources import Job, Workflow

    service, name = app.service(), plan.workflow["name"]
    page = service.find(Workflow, sort_by="id", reverse_sort=True, name=name, user=app.user, is_archived=False)
    here = [w.id for w in page.items if w.submission_directory == str(Path.cwd())]
    if not here:
        raise NotFound(f'no workflow "{name}" was made here', hint="Leave --resume out to make it.")
    planned = {job.name: job.command for job in plan.jobs}
    stored = {job.name: job.command for job in service.each(Job, here[0], include_relationships=False)}
    if planned != stored:
        other = sorted(n for n in planned.keys() | stored.keys() if planned.get(n) != stored.get(n))
        raise Invalid(
            f"the spec has changed since workflow {here[0]} was made from it: {counted(len(other), 'job')} differ,"
            f' like "{other[0]}"',
            hint=f"Go on with the old one: torc run {here[0]}; or leave --resume out to make a new one.",
        )
    return here[0]


def _tell_summary(app: App, service: Service, summary: RunSummary, display: Display, output_dir: str) -> None:
    """Write how a run went: JSON, or lines with what to do next."""
    failed = _failed_jobs(summary, list(display.failures.values()), output_dir)
    if app.wants_json:
        echo_json(_summary_body(summary, failed))
        return
    from torc_core.runner.journal import FOLDER
    from torc_core.units import human_duration

    counts = summary.counts
    words = ("completed", "failed", "terminated", "canceled", "pending_failed")
    parts = [f"{getattr(counts, word)} {word.replace('_', ' ')}" for word in words if getattr(counts, word)]
    if counts.retried:
        parts.append(f"{counted(counts.retried, 'attempt')} tried again")
    echo(f"{', '.join(parts) or 'No jobs run'} in {human_duration(summary.wall_seconds)}")
    for job in failed[:_SHOWN_FAILURES]:
        where = f", see {job['log']}" if "log" in job else ""
        why = f" ({job['reason']})" if "reason" in job else ""
        echo(f"  {job['name']}: {job['status']}, return code {job['return_code']}{why}{where}")
    if len(failed) > _SHOWN_FAILURES:
        echo(f"  ... and {len(failed) - _SHOWN_FAILURES} more: torc results list {summary.workflow_id} --failed")
    if summary.stuck:
        echo(f"What is left cannot run here: {summary.stuck}", err=True)
    if summary.unreported:
        echo(
            f"{counted(summary.unreported, 'result')} could not be reported and stay in {output_dir}/{FOLDER}."
            f" Send them with: torc workflows reconcile {summary.workflow_id}; the next torc run does it too",
            err=True,
        )
    elif summary.interrupted and not summary.is_complete:
        echo(f"Stopped by {summary.interrupted}. Go on with: torc run {summary.workflow_id}", err=True)
    else:
        _tell_verdict(app, service, summary.workflow_id, is_stuck=summary.stuck is not None)


def _tell_verdict(app: App, service: Service, workflow_id: int, *, is_stuck: bool) -> None:
    """Say where the workflow stands; all is recorded, so a service that is gone by now changes nothing."""
    from torc_core.cli.verdicts import verdict

    try:
        status = service.get_workflow_status(workflow_id)
        ready = status.jobs_by_status["ready"]
        if is_stuck and ready:  # running it again here would be of no use
            echo(f"{counted(ready, 'ready job')} left for other runners. What is needed: torc diagnose {workflow_id}")
        else:
            echo(verdict(status))
    except TorcError as exc:
        app.say("warn", f"Everything is recorded, but where the workflow stands cannot be read: {exc}")
        app.say("warn", f"See later: torc status {workflow_id}")


def _failed_jobs(summary: RunSummary, failures: list[Failure], output_dir: str) -> list[dict[str, Any]]:
    """Return which jobs did not succeed here, how they ended, and the file that is most likely to say why."""
    if not failures:
        return []
    from torc_core.runner.output_files import OutputFiles

    files = OutputFiles(output_dir, summary.workflow_id, summary.run_id, summary.execution_config)
    listed = []
    for job, end in failures:
        entry: dict[str, Any] = {"job_id": job.id, "name": job.name, "status": end.status.value}
        entry["return_code"] = end.return_code
        if end.reason:
            entry["reason"] = end.reason
        streams = files.of(job)
        log = next((path for path in (streams.stderr, streams.stdout) if _has_text(path)), None)
        if log is not None:
            entry["log"] = log
        listed.append(entry)
    return listed


def _has_text(path: str | None) -> bool:
    try:
        return path is not None and Path(path).stat().st_size > 0
    except OSError:
        return False


def _summary_body(summary: RunSummary, failed: list[dict[str, Any]]) -> dict[str, Any]:
    counts = summary.counts
    body = {
        "workflow_id": summary.workflow_id, "run_id": summary.run_id, "compute_node_id": summary.compute_node_id,
        "completed": counts.completed, "failed": counts.failed, "terminated": counts.terminated,
        "canceled": counts.canceled, "had_failures": counts.failed + counts.pending_failed > 0,
        "had_terminations": counts.terminated > 0,
        "is_complete": summary.is_complete, "wall_seconds": round(summary.wall_seconds, 3), "failed_jobs": failed,
    }  # fmt: skip
    told: dict[str, Any] = {"retried": counts.retried or None, "pending_failed": counts.pending_failed or None}
    told |= {"interrupted": summary.interrupted, "stuck": summary.stuck, "unreported": summary.unreported or None}
    return body | {name: value for name, value in told.items() if value is not None}
