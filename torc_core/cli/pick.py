"""Which workflow is meant when its id is left out, and questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from torc_core.cli.app import App
from torc_core.cli.output import echo, harmless, is_terminal, write
from torc_core.errors import Invalid, NotFound
from torc_core.records.resources import Workflow

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 50


class NobodyToAsk(Invalid):
    """An answer is needed, and no person is at a terminal."""


def workflow_argument(function: F) -> F:
    """Add the optional argument ``[WORKFLOW_ID]``; the command gets ``workflow_id``, None when it was left out."""
    return click.argument("workflow_id", type=int, required=False)(function)


no_prompts_option = click.option("--no-prompts", is_flag=True, help="Do not ask.")


def pick(app: App, workflow_id: int | None, *, silently: bool = True) -> int:
    """Return the id given, that of the user's only workflow, or the one a person at a terminal chooses.

    ``silently`` is False for commands that destroy: they never take a workflow that was not named. Raises NotFound
    when there are none, NobodyToAsk, and Invalid for an impossible answer.
    """
    if workflow_id is None:
        workflow_id = _pick(app, silently)
    app.workflow_id = workflow_id
    return workflow_id


def _pick(app: App, silently: bool) -> int:
    page = app.service().find(Workflow, limit=_SHOWN, sort_by="id", reverse_sort=True, user=app.user, is_archived=False)
    found = page.items
    if not found:
        raise NotFound(f"No workflows found for user: {app.user}", hint="Make one with: torc create SPEC")
    if len(found) == 1 and silently:
        return found[0].id
    if not is_interactive():
        ids = ", ".join(str(w.id) for w in found[:10])
        more = f" and {page.total_count - 10} more" if page.total_count > 10 else ""
        raise NobodyToAsk("a workflow id is required", hint=f"Your workflows: {ids}{more}")
    _show(found)
    answer = ask("Enter workflow ID: ")
    if answer not in {str(w.id) for w in found}:
        what = f'"{answer}" is none of these workflows' if answer else "no workflow was chosen"
        raise Invalid(what, hint="Give one of the ids above, here or on the command line.")
    return int(answer)


def _show(found: list[Workflow]) -> None:
    from torc_core.cli.showing import cut

    row = "{:>6}  {:30}  {:30}  {:20}"
    echo(row.format("ID", "Name", "Description", "Created").rstrip(), err=True)
    for w in found:
        line = row.format(w.id, cut(w.name, 30), cut(w.description, 30), (w.timestamp or "")[:19])
        echo(line.rstrip(), err=True)


def is_interactive() -> bool:
    """Whether a person can answer a question."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask(question: str) -> str:
    """Return what a person at the terminal answers, empty when they end the input."""
    write(harmless(question), err=True)
    line = sys.stdin.readline()
    if not line:
        echo(err=True)
    return line.strip()


def confirmed(app: App, question: str, no_prompts: bool) -> bool:
    """Ask before something is destroyed; nobody is asked with ``no_prompts`` or when JSON is wanted.

    Raises NobodyToAsk.
    """
    if no_prompts or app.wants_json:
        return True
    if not is_interactive():
        raise NobodyToAsk(f"{question} Nobody is there to answer.", hint="Say yes beforehand with --no-prompts.")
    if ask(f"{question} (y/N) ").casefold() in ("y", "yes"):
        return True
    echo("Nothing was changed.", err=True)
    return False
