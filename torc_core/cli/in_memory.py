"""``--in-memory``: the database is kept in memory and its file gets snapshots, when signals ask for them, too."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

from torc_core.cli.output import echo
from torc_core.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.service.api import Service
    from torc_core.service.databases import Database
    from torc_core.service.snapshots import Snapshots


def open_in_memory(app: App, database: Database, *, create: bool) -> Service:
    """Return the service of a database that is loaded into memory; raises Unavailable when another process has it."""
    from torc_core.service.databases import open_database
    from torc_core.service.snapshots import Snapshots

    if database.path is None:
        raise UsageError(f"--in-memory writes snapshots to a file, not to {database}", hint="Name a file with --db.")

    def tell(text: str) -> None:
        echo(text, err=True)

    snapshots = Snapshots(app.options.get("snapshot_interval_seconds"), tell)
    _listen(app, snapshots)
    service = open_database(app.host, database, app.user, create=create, tell=tell, snapshots=snapshots)
    if not snapshots.has_database:
        service.close()
        raise Unavailable(
            f"{database} is in use by another process, so it cannot be kept in memory by this one",
            hint="Leave --in-memory out to share it, or name another file with --db.",
        )
    return service


def _listen(app: App, snapshots: Snapshots) -> None:
    """Have SIGUSR1 ask for a snapshot, and have signals that end the process leave it time for the last one."""
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int, _: FrameType | None) -> None:
        if app.is_closing:  # the last one is being written, or tried again and again
            snapshots.give_up()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)

    signal.signal(signal.SIGUSR1, lambda *_: snapshots.ask())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background of a script
            signal.signal(number, end)
