"""Which service a command talks to, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.cli.output import echo
from torc_core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service


def open_service(host: PluginHost, database: Path, user: str, *, create: bool) -> Service:
    """Return the service of a database: this process owns it, or talks to the one that does.

    Raises NotFound when it does not exist and is not to be made.
    """
    if not create and not database.exists():
        raise NotFound(
            f"there is no database {database} here",
            hint="Make one with: torc run SPEC (or torc create SPEC); or name another with --db.",
        )
    from torc_core.service.embedded import open_embedded
    from torc_core.service.turn import Caller

    def make_local(path: Path, still_mine: Callable[[], bool]) -> Service:
        from torc_core.service.folders import is_network_folder
        from torc_core.service.local import LocalService

        storage = host.storage("sqlite")(str(path), shared_folder=is_network_folder(path.parent))
        return LocalService(storage, caller=Caller(user), still_mine=still_mine)

    return open_embedded(
        database,
        make_local,
        for_user=lambda service, name: service.for_caller(Caller(name)),  # type: ignore[attr-defined]
        user=user,
        tell=lambda text: echo(text, err=True),
    )
