"""``torc server backup``: a copy of a database, of a server that goes on or of nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.showing import echo_message
from torc_core.errors import NotFound, UsageError
from torc_core.units import counted
from torc_server.copies import BACKUP, check_target, checked, copy_of, put_in_place, write_pieces

if TYPE_CHECKING:
    from torc_core.service.databases import Database

_EXAMPLES = """
torc server backup nightly.db --force
torc server backup nightly.db --url https://torc.example.org
torc server backup copy.db --db results/torc.db
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE when it exists; the old one stays until the copy is whole.")
@click.option("--sqlite", "as_sqlite", is_flag=True, help="Also of a PostgreSQL database: write a SQLite file.")
@pass_app
def backup(app: App, file: Path, force: bool, as_sqlite: bool) -> None:
    """Write a copy of the whole database, as of one moment, while the server goes on.

    The copy is read through before it gets its name, and is a database like any other: serve it with --database. Where
    rights are enforced, only administrators get one. Without a server the database of --db is copied. PostgreSQL has
    its own tools for this; their command is shown.
    """
    check_target(file, force=force)
    with put_in_place(file) as part:
        source = _copy(app, part, file, as_sqlite)
        found = checked(part)
    size = f"{counted(found.workflows, 'workflow')}, {counted(found.jobs, 'job')}, {found.size / 1e6:.1f} MB"
    echo_message(
        app, f"Wrote {file}: {size}", file=str(file),
        source=source, bytes=found.size, workflows=found.workflows, jobs=found.jobs,
    )  # fmt: skip


def _copy(app: App, part: Path, file: Path, as_sqlite: bool) -> str:
    """Write the copy and return what it is one of."""
    from torc_core.service.databases import database_of

    _prefer_server(app)
    if not app.api_url:
        database = database_of(app.database)
        _copy_directly(app, database, part, file, as_sqlite)
        return str(database)
    from torc_core.cli.logins import encryption_of, login_of
    from torc_core.service.http import HttpService

    service = HttpService(app.api_url, login_of(app), encryption_of(app))
    try:
        write_pieces(part, service.download(BACKUP, {"as_sqlite": as_sqlite} if as_sqlite else {}))
    finally:
        service.close()
    return app.api_url


def _prefer_server(app: App) -> None:
    """Ask the user's server on this machine that has the database of ``--db``, if there is one."""
    from torc_core.service import server_record
    from torc_core.service.databases import database_of

    named = app.options.get("db")
    if not named or app.options.get("url"):
        return
    database = database_of(named)
    for record in server_record.servers():
        same = database.path is not None and Path(record.database) == database.path.absolute()
        if same or record.database == str(database):
            app.options = {**app.options, "db": None, "url": record.url}
            app.certificate = record.certificate


def _copy_directly(app: App, database: Database, part: Path, file: Path, as_sqlite: bool) -> None:
    from torc_core.service.turn import Caller
    from torc_server.guards import Guard
    from torc_server.serve import hold

    if database.path is not None:
        if not database.path.exists():
            raise NotFound(f"there is no database {database}", hint="Name one with --db, or a server with --url.")
        if file.resolve() == database.path.resolve():
            raise UsageError(f"{file} is the database itself", hint="Name another file for the copy.")
    held = hold(app.host, database, Guard(), durable=False)
    try:
        held.service.owner.read(lambda turn: copy_of(turn.storage, part, as_sqlite), Caller())
    finally:
        held.leave()
