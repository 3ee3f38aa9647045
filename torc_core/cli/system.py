"""``torc ping``, ``torc completions`` and ``torc help``."""

from __future__ import annotations

from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json

_RUNNING = "Server is running"
SHELLS = ("bash", "zsh", "fish")


@click.command(cls=TorcCommand)
@pass_app
def ping(app: App) -> None:
    """Say whether the service answers."""
    app.service().ping()
    if app.wants_json:
        echo_json({"status": _RUNNING})
    else:
        echo(_RUNNING)


@click.command(cls=TorcCommand, examples='eval "$(torc completions bash)"\ntorc completions fish | source')
@click.argument("shell", type=click.Choice(SHELLS))
def completions(shell: str) -> None:
    """Write a completion script for SHELL: bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from torc_core.cli.main import torc

    found = get_completion_class(shell)
    assert found is not None, shell
    echo(found(torc, {}, "torc", "_TORC_COMPLETE").source())


def _complete_command(context: click.Context, _parameter: click.Parameter, begun: str) -> list[Any]:
    """Complete the name of a command behind the groups that are named already."""
    at = context.find_root()
    for word in context.params.get("command") or ():
        found = at.command.get_command(at, word) if isinstance(at.command, click.Group) else None
        if found is None:
            return []
        at = found.make_context(word, [], parent=at, resilient_parsing=True)  # of what is imported late, too
    return at.command.shell_complete(at, begun) if isinstance(at.command, click.Group) else []


@click.command("help", cls=TorcCommand, context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, shell_complete=_complete_command)
@click.pass_context
def help_command(context: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of COMMAND, or of the program."""
    from torc_core.cli.main import torc

    with torc.make_context("torc", [*command, "--help"], obj=context.obj) as inner:
        torc.invoke(inner)
