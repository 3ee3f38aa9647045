"""Which database is meant, as people and configuration files write it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from torc_core.errors import NotFound

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.access import Access
    from torc_core.service.api import Service
    from torc_core.service.local import LocalService
    from torc_core.service.snapshots import Snapshots
    from torc_core.service.turn import Caller

_SCHEME = re.compile(r"([a-z][a-z0-9.-]+)(\+[a-z0-9]+)?:(.*)", re.IGNORECASE | re.DOTALL)
_PASSWORD = re.compile(r"(?<=//)([^/@:]*:)[^?]*(?=@)|([?&]password=)[^&]*")
DOOR_SCHEME = "owner"
"""Names a way in through the process that owns a database, see doors."""
_ALIASES = {"postgres": "postgresql", "sqlite3": "sqlite", "file": "sqlite"}


class Database(NamedTuple):
    """A database: the scheme of its storage, and where it is in the words of that."""

    scheme: str
    place: str

    @property
    def path(self) -> Path | None:
        """The file of one that is a file, which has an owner file beside it."""
        return Path(self.place) if self.scheme == "sqlite" else None

    def __str__(self) -> str:
        if self.scheme == "sqlite":
            return self.place
        shown = _PASSWORD.sub(r"\1\2***", self.place)
        return f"{self.scheme}:{shown}"


def database_of(text: str) -> Database:
    """Return the database that a path or a URL (``sqlite:...``, ``postgresql://...``) names."""
    found = None if os.path.exists(text) else _SCHEME.fullmatch(text)  # noqa: PTH110  (it may be no path at all)
    if found is None:
        return Database("sqlite", str(Path(text).expanduser()))
    scheme = _ALIASES.get(found[1].lower(), found[1].lower())
    place = found[3]
    if scheme == "sqlite":
        place = unquote(place.partition("?")[0]).removeprefix("//")
    return Database(scheme, place)


def opener(
    host: PluginHost, database: Database, caller: Caller, access: Access | None = None, *, durable: bool = False
) -> Callable[[Path, Callable[[], bool] | None], LocalService]:
    """Return what opens the storage and serves it: takes the path of a file, and what tells whether that is ours."""

    def open_local(path: Path, still_mine: Callable[[], bool] | None) -> LocalService:
        from torc_core.service.folders import is_network_folder
        from torc_core.service.local import LocalService

        is_file = database.path is not None
        storage = host.storage(database.scheme)(
            str(path) if is_file else database.place,
            durable=durable,
            shared_folder=is_file and is_network_folder(path.parent),
        )
        try:
            return LocalService(storage, caller=caller, still_mine=still_mine, access=access)
        except BaseException:
            storage.close()
            raise

    return open_local


def in_memory_opener(
    host: PluginHost, database: Database, caller: Caller, snapshots: Snapshots
) -> Callable[[Path, Callable[[], bool]], LocalService]:
    """Return what loads a file into memory and serves that; its ``snapshots`` go to the file."""

    def open_local(path: Path, still_mine: Callable[[], bool]) -> LocalService:
        from torc_core.service.folders import is_network_folder
        from torc_core.service.snapshots import InMemoryService

        snapshots.check_unused()
        storage = host.storage(database.scheme).in_memory(str(path), shared_folder=is_network_folder(path.parent))
        try:
            return InMemoryService(storage, snapshots, still_mine, caller=caller)
        except BaseException:
            storage.close()
            raise

    return open_local


def open_database(
    host: PluginHost,
    database: Database,
    user: str,
    *,
    create: bool,
    tell: Callable[[str], None] = lambda _: None,
    snapshots: Snapshots | None = None,
) -> Service:
    """Return the service of a database: this process owns it, or talks to the one that does.

    With ``snapshots`` an owner has it in memory and the file gets those. Raises NotFound for a file that does not
    exist and is not to be made.
    """
    from torc_core.service.turn import Caller

    path, caller = database.path, Caller(user)
    if database.scheme == DOOR_SCHEME:
        from torc_core.service.doors import enter

        return enter(database.place, user)
    if path is None:
        return opener(host, database, caller)(Path(), None)
    if not create and not path.exists() and not path.with_name(f"{path.name}.owner").exists():
        raise NotFound(
            f"there is no database {path} here",
            hint="Make one with: torc run SPEC (or torc create SPEC); or name another with --db.",
        )
    from torc_core.service.embedded import open_embedded

    return open_embedded(
        path,
        opener(host, database, caller) if snapshots is None else in_memory_opener(host, database, caller, snapshots),
        for_user=lambda service, name: service.for_caller(Caller(name)),  # type: ignore[attr-defined]
        user=user,
        tell=tell,
        in_memory=snapshots is not None,
    )
