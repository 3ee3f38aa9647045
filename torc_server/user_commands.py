"""``torc server user``: who may log in to a server. ``torc-htpasswd`` is the same without ``torc server user``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from torc_core.cli.app import App, pass_app, user_name
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.pick import is_interactive
from torc_core.cli.showing import echo_message, table
from torc_core.errors import Invalid, UsageError
from torc_server import htpasswd, passwords

F = TypeVar("F", bound=Callable[..., Any])
_EXAMPLES = """
torc server user add -f users.htpasswd amy      asks for the password
echo "$SECRET" | torc server user add -f users.htpasswd bob
torc server user hash                           a line to send to an administrator
"""


@click.group(cls=TorcGroup, examples=_EXAMPLES)
def user() -> None:
    """Keep the file of users, with bcrypt hashes of their passwords.

    Passwords are asked for, or read from standard input; on a command line (-p) others on the machine can see them. A
    running server reads the file again after SIGHUP or: torc admin reload-auth.
    """


_file = click.option(
    "-f", "--file", type=click.Path(path_type=Path), envvar="TORC_AUTH_FILE", required=True, metavar="FILE",
    help="The file of users (TORC_AUTH_FILE).",
)  # fmt: skip
_name = click.argument("name", metavar="USER")


def _password_options(function: F) -> F:
    """Add what gives a new password."""
    cost = click.option(
        "-c", "--cost", type=click.IntRange(passwords.LEAST_COST, passwords.MOST_COST), default=passwords.COST,
        help="Work that one guess takes; each step doubles it (12).",
    )  # fmt: skip
    return cost(_password(function))


def _password(function: F) -> F:
    return click.option("-p", "--password", metavar="TEXT", help="The password; better type it when asked.")(function)


@user.command(cls=TorcCommand)
@_file
@_name
@_password_options
@pass_app
def add(app: App, file: Path, name: str, password: str | None, cost: int) -> None:
    """Add USER, or give USER another password; makes the file if it is not there."""
    htpasswd.check_name(name)
    kept = passwords.hashed(_secret(password, name, is_new=True), cost)
    is_new = htpasswd.put(file, name, kept)
    echo_message(app, f"{'Added' if is_new else 'Changed the password of'} {name}", user=name, file=str(file))


@user.command("hash", cls=TorcCommand)
@click.argument("name", metavar="[USER]", required=False)
@_password_options
@pass_app
def hash_command(app: App, name: str | None, password: str | None, cost: int) -> None:
    """Print the line for USER (you), for whoever keeps the file: it does not tell the password."""
    name = name or user_name()
    htpasswd.check_name(name)
    line = f"{name}:{passwords.hashed(_secret(password, name, is_new=True), cost)}"
    echo_message(app, line, user=name, line=line)


@user.command(cls=TorcCommand)
@_file
@_name
@pass_app
def remove(app: App, file: Path, name: str) -> None:
    """Remove USER."""
    htpasswd.remove(file, name)
    echo_message(app, f"Removed {name}", user=name, file=str(file))


@user.command("list", cls=TorcCommand, lists=True)
@_file
@pass_app
def list_command(app: App, file: Path) -> None:
    """List the users."""
    found = htpasswd.read(file)
    rows = [(name, passwords.cost_of(kept)) for name, kept in found.items()]
    table(app, ("User", "Cost"), rows, {"users": [{"user": name, "cost": cost} for name, cost in rows]}, "users")


@user.command(cls=TorcCommand)
@_file
@_name
@_password
@pass_app
def verify(app: App, file: Path, name: str, password: str | None) -> int:
    """Say whether USER has this password; exit 1 when not."""
    users = htpasswd.read(file)
    is_right = passwords.is_right(
        _secret(password, name, is_new=False), users.get(name, passwords.of_nobody(passwords.LEAST_COST))
    )
    echo_message(app, f"The password of {name} is {'right' if is_right else 'wrong'}", user=name, is_right=is_right)
    return 0 if is_right else 1


def _secret(given: str | None, name: str, *, is_new: bool) -> str:
    """Return the password from the option, the terminal or standard input; it is never shown."""
    if given is not None:
        return given
    if is_interactive():
        found: str = click.prompt(
            f"Password of {name}", hide_input=True, err=True,
            confirmation_prompt="The same again" if is_new else False,
        )  # fmt: skip
        return found
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise UsageError("there is no password on standard input", hint="Type it on a terminal, or pipe it in.")
    if sys.stdin.readline():
        raise Invalid("there is more than one line on standard input", hint="A password is one line.")
    return line.rstrip("\r\n")


def main() -> None:
    """Run ``torc-htpasswd``."""
    from torc_core.cli.main import main as torc

    user.program = "torc-htpasswd"
    torc(["server", "user", *sys.argv[1:]])
