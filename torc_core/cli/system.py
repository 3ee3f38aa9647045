"""``torc ping`` and ``torc completions``."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=TorcCommand)
@pass_app
def ping(app: App) -> None:
    """Say whether the service answers."""
    app.service().ping()
    if app.wants_json:
        echo_json({"status": "Server is running"})
    else:
        echo("Server is running")


@click.command(cls=TorcCommand)
@click.argument("shell", type=click.Choice(SHELLS))
def completions(shell: str) -> None:
    """Write a completion script; for bash: eval "$(torc completions bash)"."""
    from click.shell_completion import get_completion_class

    from torc_core.cli.main import torc

    found = get_completion_class(shell)
    assert found is not None, shell
    echo(found(torc, {}, "torc", "_TORC_COMPLETE").source())
