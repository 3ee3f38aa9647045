"""``torc workflows init`` and ``reinit``: begin a run, or say what it would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import echo_message, plain
from torc_core.records.answers import BegunRun
from torc_core.records.tasks import TaskStatus
from torc_core.runner.beginning import begin_run, file_times
from torc_core.units import counted

F = TypeVar("F", bound=Callable[..., Any])
_force = click.option("--force", is_flag=True, help="Go on although input files are missing.")
_FINDINGS = {
    "missing_input_files": "Missing input files", "missing_user_data": "User data without a value",
    "existing_output_files": "Output files that exist and will be written again",
    "changed_files": "Files that changed", "jobs": "Finished jobs that run again",
}  # fmt: skip


def _background_options(function: F) -> F:
    """Add the options for beginning in the service while the command goes on."""
    function = click.option(
        "--wait-timeout", type=Amount(min=0), metavar="SECONDS",
        help="Begin as a task and wait so long for it; exit 1 when it goes on then.",
    )(function)  # fmt: skip
    return click.option("--async", "is_async", is_flag=True, help="Begin as a task, and do not wait for it.")(function)


@click.command("init", cls=TorcCommand)
@workflow_argument
@_force
@no_prompts_option
@_background_options
@click.option("--dry-run", is_flag=True, help="Only say what would be; exit 1 when something is missing.")
@pass_app
def initialize(
    app: App, workflow_id: int | None, force: bool, no_prompts: bool, is_async: bool, wait_timeout: float | None,
    dry_run: bool,
) -> int:  # fmt: skip
    """Begin a new run of all jobs; what has ended before is run again."""
    chosen = pick(app, workflow_id)
    if dry_run:
        return _preview(app, chosen, again=False)
    ended = not app.service().is_workflow_uninitialized(chosen).is_uninitialized
    if ended and not confirmed(app, f"Workflow {chosen} was initialized before; run everything again?", no_prompts):
        return 0
    if is_async or wait_timeout is not None:
        return _begin_as_task(app, chosen, 0.0 if is_async else wait_timeout, again=False, force=force)
    return _begin(app, chosen, again=False, force=force)


@click.command("reinit", cls=TorcCommand)
@workflow_argument
@click.option("--only-reset", is_flag=True, help="Only jobs that were reset or added, and what follows them.")
@_force
@_background_options
@click.option("--dry-run", is_flag=True, help="Only say which jobs would run again; exit 1 when something is missing.")
@pass_app
def reinitialize(
    app: App, workflow_id: int | None, only_reset: bool, force: bool, is_async: bool, wait_timeout: float | None,
    dry_run: bool,
) -> int:  # fmt: skip
    """Begin a new run of what failed, did not run, or has changed; the rest stays.

    Changed is a job whose definition, input files or data are others than those that it ran with, and all that depend
    on it.
    """
    chosen = pick(app, workflow_id)
    if dry_run:
        return _preview(app, chosen, again=True, only_reset=only_reset)
    ways = {"again": True, "force": force, "only_reset": only_reset}
    if is_async or wait_timeout is not None:
        return _begin_as_task(app, chosen, 0.0 if is_async else wait_timeout, **ways)
    return _begin(app, chosen, **ways)


def _begin(app: App, workflow_id: int, *, again: bool, force: bool, only_reset: bool = False) -> int:
    begun = begin_run(app.service(), workflow_id, again=again, force=force, only_reset=only_reset)
    if app.wants_json:
        echo_message(app, _begun(begun, again=again), workflow_id=workflow_id, run_id=begun.run_id)
    else:
        echo(begun_text(begun, again=again))
    return 0


def begun_text(begun: BegunRun, *, again: bool = True) -> str:
    """Say which run was begun, what it begins with, and how it goes on."""
    ready, id = begun.jobs_by_status["ready"], begun.workflow_id
    step = f"Run it with: torc run {id}" if ready else f"Why: torc diagnose {id}"
    return f"{_begun(begun, again=again)}: {counted(ready, 'job')} ready. {step}"


def _begun(begun: BegunRun, *, again: bool) -> str:
    return f"{'Reinitialized' if again else 'Initialized'} workflow {begun.workflow_id} for run {begun.run_id}"


def _begin_as_task(
    app: App, workflow_id: int, seconds: float | None, *, again: bool, force: bool, only_reset: bool = False
) -> int:
    """Begin a run as a task and wait for it; ``seconds`` 0 does not wait, None waits for ever."""
    from torc_core.cli.tasks import complain, sentence, wait_for

    service = app.service()
    task = service.start_begin_run(workflow_id, file_times(service, workflow_id), again, force, only_reset)
    if seconds != 0.0:
        task = wait_for(service, task, seconds)
    is_going_on = task.status in (TaskStatus.QUEUED, TaskStatus.RUNNING)
    if is_going_on and seconds != 0.0:
        return complain(app, "Timeout", f"task {task.id} goes on after {seconds:g} s", task.id)
    message = f"task {task.id} {'goes on' if is_going_on else task.status.value}"
    if app.wants_json:
        body = {
            "status": "error" if task.status is TaskStatus.FAILED else "success", "message": message,
            "workflow_id": workflow_id, "task_id": task.id, "task_status": task.status.value,
            "task_operation": task.operation,
        }  # fmt: skip
        echo_json(body | ({"error": task.error} if task.error else {}))
    elif is_going_on:
        echo(f"Task {task.id} begins the next run of workflow {workflow_id}. Wait for it: torc tasks wait {task.id}")
    else:
        echo(sentence(task))
    return 1 if task.status is TaskStatus.FAILED else 0


def _preview(app: App, workflow_id: int, *, again: bool, only_reset: bool = False) -> int:
    begun = begin_run(app.service(), workflow_id, again=again, dry_run=True, only_reset=only_reset)
    body = _preview_body(begun)
    if again:
        body |= {"changed_files": begun.changed_files, "jobs": plain(begun.reruns or [])}
    if app.wants_json:
        echo_json(body)
        return 0 if begun.safe else 1
    for key, title in _FINDINGS.items():
        found = body.get(key)
        if found:
            echo(f"{title} ({len(found)}):")
            echo("\n".join(f"  {_line(item)}" for item in found))
    if again and not begun.reruns:
        echo("No finished job runs again." if only_reset else "No finished job runs again: nothing has changed.")
    echo("Safe to run." if begun.safe else "Not safe to run.")
    return 0 if begun.safe else 1


def _line(item: Any) -> str:
    return item if isinstance(item, str) else f"{item['name']}: {'; '.join(item['reasons'])}"


def _preview_body(begun: BegunRun) -> dict[str, Any]:
    return {
        "workflow_id": begun.workflow_id, "safe": begun.safe, "missing_input_files": begun.missing_input_files,
        "missing_input_file_count": len(begun.missing_input_files), "missing_user_data": begun.missing_user_data,
        "existing_output_files": begun.existing_output_files,
        "existing_output_file_count": len(begun.existing_output_files),
    }  # fmt: skip
