"""``torc tasks``: long operations that go on in the service."""

from __future__ import annotations

import time

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.output import echo, echo_json
from torc_core.cli.showing import bare_fields, echo_record
from torc_core.errors import TorcError
from torc_core.records.tasks import Task, TaskStatus
from torc_core.service.api import Service

_LOOK_SECONDS = 10.0
_ENDED = (TaskStatus.SUCCEEDED, TaskStatus.FAILED)

tasks = TorcGroup("tasks", help="Long operations that go on in the service.")


@tasks.command("get")
@click.argument("id", type=int)
@pass_app
def get(app: App, id: int) -> None:
    """Show a task."""
    echo_record(app, app.service().get(Task, id), f"task {id}")


@tasks.command("wait", cls=TorcCommand)
@click.argument("id", type=int)
@click.option("--timeout", type=Amount(min=0), metavar="SECONDS", help="Give up after so long (never).")
@click.option(
    "--poll-fallback-interval", type=Amount(min=0, min_open=True), default=_LOOK_SECONDS, metavar="SECONDS",
    help="Longest pause between looks (10).",
)  # fmt: skip
@pass_app
def wait(app: App, id: int, timeout: float | None, poll_fallback_interval: float) -> int:
    """Wait until a task has ended; exit 0 when it succeeded, 1 when it failed or the time is over."""
    try:
        task = wait_for(app.service(), app.service().get(Task, id), timeout, poll_fallback_interval)
    except TorcError as exc:
        return complain(app, "ApiError", str(exc), id)
    if task.status not in _ENDED:
        return complain(app, "Timeout", f"task {id} goes on after {timeout:g} s", id)
    if app.wants_json:
        echo_json(bare_fields(task))
    else:
        echo(sentence(task))
    return 0 if task.status is TaskStatus.SUCCEEDED else 1


def wait_for(service: Service, task: Task, timeout: float | None, look_seconds: float = _LOOK_SECONDS) -> Task:
    """Return a task when it has ended, or as it is when the time is over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while task.status not in _ENDED:
        version = service.wait_for_change(task.workflow_id).version
        task = service.get(Task, task.id)
        left = look_seconds if deadline is None else min(look_seconds, deadline - time.monotonic())
        if task.status in _ENDED or left <= 0:
            break
        service.wait_for_change(task.workflow_id, version, left)
        task = service.get(Task, task.id)
    return task


def complain(app: App, error: str, message: str, task_id: int) -> int:
    """Say why the end of a task is not known; returns the exit code."""
    if app.wants_json:
        echo_json({"status": "error", "error": error, "message": message, "task_id": task_id}, err=True)
    else:
        echo(f"Error: {message}\n  Look again with: torc tasks wait {task_id}", err=True)
    return 1


def sentence(task: Task) -> str:
    """Say how a task ended."""
    what = f"Task {task.id} ({task.operation} of workflow {task.workflow_id})"
    return f"{what} {task.status}" + (f": {task.error}" if task.error else "")
