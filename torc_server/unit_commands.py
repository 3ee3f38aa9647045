"""``torc server unit``: the options of ``torc server run`` as a service of systemd."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import write

_LEFT_OUT = frozenset({"daemon", "pid_file", "shutdown_on_stdin_eof", "completion_check_interval_secs"})
_PATHS = ("auth_file", "tls_cert", "tls_key", "log_dir")
_EXAMPLES = """
torc server unit --host 0.0.0.0 --auth-file /etc/torc/users --require-auth | sudo tee /etc/systemd/system/torc.service
"""


def unit_of(run: click.Command) -> click.Command:
    """Return the command, with the options of ``run``."""
    return TorcCommand(
        "unit",
        callback=_unit,
        params=[
            click.Option(["--service-user"], default="torc", metavar="NAME", help="Who the server runs as (torc)."),
            click.Option(["--program"], metavar="FILE", help="The torc to start (this one)."),
            *(param for param in run.params if param.name not in _LEFT_OUT),
        ],
        help="Print a systemd unit that runs a server with these options of torc server run.\n\n"
        "Nothing is started or written. Without --database it is /var/lib/torc/torc.db; a database with a password is"
        " left to a file that only root reads, which the unit names.",
        examples=_EXAMPLES,
    )


@pass_app
def _unit(app: App, service_user: str, program: str | None, **given: Any) -> None:
    from torc_server.guards import Guard
    from torc_server.serve import Settings, check_exposure
    from torc_server.units import STATE, Unit, is_in_state, text_of

    logins = bool(given["require_auth"] or given["enforce_access_control"])
    check_exposure(
        Settings("", given["host"], is_unprotected=given["unprotected"]), Guard(requires_login=logins, ssl_adapter=True)
    )
    for name in _PATHS:
        if given[name] is not None:
            given[name] = os.path.abspath(given[name])  # noqa: PTH100  (links stay)
    database, writes = _database(app, given["database"] or app.options.get("db"), f"{STATE}/torc.db")
    given["database"] = database
    if given["log_dir"]:
        writes.append(given["log_dir"])
    unit = Unit(
        [os.path.abspath(program)] if program else _this_program(),  # noqa: PTH100
        _options(given),
        service_user,
        [given[name] for name in _PATHS if given[name]],
        [folder for folder in writes if not is_in_state(folder)],
        given["port"],
        given["auth_file"] is not None,
    )
    write(text_of(unit))


def _database(app: App, text: str | None, usual: str) -> tuple[str | None, list[str]]:
    """Return what the unit says of the database, None when it says nothing, and the folders it is written in."""
    from torc_core.service.databases import database_of

    if text is None:
        return usual, []
    database = database_of(text)
    if database.path is not None:
        path = os.path.abspath(database.path)  # noqa: PTH100
        return path, [str(Path(path).parent)]
    if "***" in str(database) or "password=" in database.place:
        from torc_server.units import ENVIRONMENT

        app.say("info", f"Put the database, with its password, into {ENVIRONMENT}: DATABASE_URL=...")
        return None, []
    return text, []


def _options(given: dict[str, Any]) -> list[list[str]]:
    """Return the options that were given, and the database, as words."""
    context = click.get_current_context()
    words = []
    for param in context.command.params:
        name = param.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE or name == "database"
        if name not in given or not is_given or given[name] in (None, False):
            continue
        option = next(text for text in param.opts if text.startswith("--"))
        values = given[name] if isinstance(given[name], tuple) else (given[name],)
        words += [[option] if value is True else [option, str(value)] for value in values]
    return words


def _this_program() -> list[str]:
    found = shutil.which(sys.argv[0])
    if found and not found.endswith(".py"):
        return [os.path.abspath(found)]  # noqa: PTH100
    return [sys.executable, "-m", "torc_core.cli"]
