"""Which workflow is meant when its id is left out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from torc_core.cli.app import App
from torc_core.errors import NotFound, UsageError
from torc_core.records.resources import Workflow

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 50


def workflow_argument(function: F) -> F:
    """Add the optional argument ``[WORKFLOW_ID]``; the command gets ``workflow_id``, None when it was left out."""
    return click.argument("workflow_id", type=int, required=False)(function)


def pick(app: App, workflow_id: int | None, *, silently: bool = True) -> int:
    """Return the id given, the only one there is, or the one a person at a terminal chooses.

    ``silently`` is False for commands that destroy: they never take a workflow that was not named. Raises NotFound or
    UsageError.
    """
    if workflow_id is not None:
        return workflow_id
    found = (
        app.service()
        .find(Workflow, limit=_SHOWN, sort_by="id", reverse_sort=True, user=app.user, is_archived=False)
        .items
    )
    if not found:
        raise NotFound(f"no workflows of user {app.user}", hint="Make one with: torc create SPEC")
    if len(found) == 1 and silently:
        return found[0].id
    if not is_interactive():
        ids = ", ".join(str(w.id) for w in found[:10])
        raise UsageError("a workflow id is required", hint=f"There are: {ids}")
    return _ask(found)


def _ask(found: list[Workflow]) -> int:
    for workflow in found:
        click.echo(
            f"{workflow.id:>6}  {workflow.name[:30]:30}  {(workflow.description or '')[:30]:30}"
            f"  {(workflow.timestamp or '')[:19]}",
            err=True,
        )
    chosen = click.prompt("Enter workflow ID", type=click.Choice([str(w.id) for w in found]), err=True)
    return int(chosen)


def is_interactive() -> bool:
    """Whether a person can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(app: App, question: str, no_prompts: bool) -> bool:
    """Ask before something is destroyed; nobody is asked with ``no_prompts`` or when JSON is wanted.

    Raises UsageError when there is nobody to ask.
    """
    if no_prompts or app.wants_json:
        return True
    if not is_interactive():
        raise UsageError(f"{question} Nobody is there to answer.", hint="Say yes beforehand with --no-prompts.")
    return click.confirm(question, err=True)
