"""A way into a service that only this process has, for what it starts: jobs of the owner of a PostgreSQL database.

Such a database has one owner and no file beside which others could find it, and its URL may hold a password. So jobs
are told ``owner:FILE`` instead; the file, which only its user can read, has the address of a socket and a token.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.errors import Unavailable
from torc_core.service.databases import DOOR_SCHEME

if TYPE_CHECKING:
    from torc_core.service.local import LocalService
    from torc_core.service.remote import RemoteService

_NAME = "door"


@contextlib.contextmanager
def open_door(service: LocalService) -> Iterator[str]:
    """Answer whoever is told the name of the database that this gives, as long as it lasts; raises OSError."""
    import tempfile

    from torc_core.service.listener import Listener
    from torc_core.service.turn import Caller

    token, unique = os.urandom(32).hex(), os.urandom(8).hex()
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = base if base and os.access(base, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"torc-{os.geteuid()}-", dir=usable) as folder:
        path = Path(folder, _NAME)
        listener = Listener(lambda user: service.for_caller(Caller(user)), token, path, unique)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"address": listener.addresses[0], "token": token}, file)
            yield f"{DOOR_SCHEME}:{path}"
        finally:
            listener.close()


def enter(place: str, user: str) -> RemoteService:
    """Return the service behind a door; raises Unavailable when its owner has ended."""
    from torc_core.service.remote import RemoteService

    try:
        found = json.loads(Path(place).read_text())
        service = RemoteService(str(found["address"]), str(found["token"]), user=user)
        service.connect()
    except (OSError, ValueError, KeyError, TypeError, Unavailable) as exc:
        raise Unavailable(
            f"the runner behind {DOOR_SCHEME}:{place} cannot be asked: {exc}",
            hint="It has ended, or is on another machine; name the database itself with --db",
        ) from exc
    return service
