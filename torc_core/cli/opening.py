"""Which service a command talks to, and how it is opened.

The first that is named counts: ``--url``; ``--standalone`` or ``--db``; ``TORC_DB``; ``TORC_API_URL`` or
``client.api_url``; a server that this user started on this machine; else the database in this folder. Jobs are told
what their runner uses by one of the two variables.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torc_core.cli.app import DATABASE_VARIABLE
from torc_core.cli.output import echo
from torc_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torc_core.cli.app import App
    from torc_core.service.api import Service


def choose_url(app: App) -> str:
    """Return the address of the server to ask; empty for a database. A server that was found is named."""
    url, options = app.options.get("url"), app.options
    if options.get("in_memory"):
        if url is not None:
            raise UsageError("--url asks a server, --in-memory keeps the database here", hint="Give one of them.")
        return ""
    if url is not None:
        if options.get("db") or options.get("standalone"):
            raise UsageError("--url asks a server, --db and --standalone use a database", hint="Give one of them.")
        return str(url)
    if options.get("db") or options.get("standalone") or os.environ.get(DATABASE_VARIABLE):
        return ""
    configured = app.config["client.api_url"]
    if configured:
        return str(configured)
    from torc_core.service.server_record import find_server

    found = find_server()
    if found is None:
        return ""
    app.say("info", f"Using your server at {found.url} (--standalone: the database in this folder)")
    app.certificate = found.certificate
    return found.url


def open_service(app: App, *, create: bool) -> Service:
    """Return the service to talk to; raises NotFound when its database does not exist and is not to be made."""
    if app.api_url:
        from torc_core.cli.logins import encryption_of, login_of
        from torc_core.service.http import HttpService

        return HttpService(app.api_url, login_of(app), encryption_of(app))
    from torc_core.service.databases import database_of, open_database

    database = database_of(app.database)
    if app.options.get("in_memory"):
        from torc_core.cli.in_memory import open_in_memory

        return open_in_memory(app, database, create=create)
    return open_database(app.host, database, app.user, create=create, tell=lambda text: echo(text, err=True))


@contextmanager
def database_for_jobs(app: App, service: Service) -> Iterator[str]:
    """Give the name by which jobs find the database of their runner in any folder; empty when a server is asked.

    It never holds a password: what is no file and this process's own is reached through this process.
    """
    from torc_core.service.databases import database_of

    if app.api_url:
        yield ""
        return
    path = database_of(app.database).path
    if path is not None:
        yield str(path.absolute())
        return
    from torc_core.service.doors import open_door
    from torc_core.service.local import LocalService

    if not isinstance(service, LocalService):  # it came through such a door itself
        yield app.database
        return
    with open_door(service) as name:
        yield name
