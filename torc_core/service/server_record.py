"""The servers that this user started on this machine: a private record for each, by which commands find them.

Nobody on a shared machine talks to a stranger's port: only records in the user's own folder count, and only while the
process that wrote one lives.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from torc_core.service.processes import Machine, start_of, this_machine

_FOLDER = "torc/servers"


class ServerRecord(NamedTuple):
    """One server."""

    url: str
    pid: int
    start: str  # of the process; tells it from a later one with the same id
    machine: Machine
    database: str
    since: str  # UTC, for people
    log: str = ""  # its file, empty for standard error
    certificate: str = ""  # the file by which its user's commands know it, of one that encrypts

    @property
    def is_alive(self) -> bool:
        """Whether its process lives, on this machine."""
        return self.machine == this_machine() and start_of(self.pid) == self.start != ""


def folder() -> Path | None:
    """Return where the records are; None without a home."""
    state = os.environ.get("XDG_STATE_HOME")
    if state:
        return Path(state) / _FOLDER
    home = os.environ.get("HOME")
    return Path(home) / ".local/state" / _FOLDER if home else None


def write(record: ServerRecord) -> Path | None:
    """Keep a record until ``remove``; None where that is not possible, which costs only that it is not found."""
    place = folder()
    if place is None:
        return None
    import json

    path = place / f"{record.machine.host}-{record.pid}.json"
    text = json.dumps({**record._asdict(), "machine": record.machine._asdict()}, indent=1)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    except OSError:
        return None
    return path


def remove(path: Path | None) -> None:
    """Forget a record."""
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink()


def servers() -> list[ServerRecord]:
    """Return the servers of this user on this machine, the latest last; records of dead ones are removed."""
    place = folder()
    if place is None or not place.is_dir():
        return []
    found = []
    for path in place.glob(f"{this_machine().host}-*.json"):
        record = _read(path)
        if record is None:
            continue
        if record.is_alive:
            found.append(record)
        elif record.machine == this_machine():
            remove(path)
    return sorted(found, key=lambda record: (record.since, record.pid))


def _read(path: Path) -> ServerRecord | None:
    import json

    try:
        if path.stat().st_uid != os.geteuid():
            return None
        data = json.loads(path.read_text())
        return ServerRecord(**{**data, "machine": Machine(**data["machine"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # half written, or another release's


def find_server() -> ServerRecord | None:
    """Return the user's latest server on this machine that takes connections."""
    for record in reversed(servers()):
        if _listens(record.url):
            return record
    return None


def _listens(url: str) -> bool:
    import socket

    from torc_core.service.server_address import address_of

    to = address_of(url)
    try:
        socket.create_connection((to.host, to.port), 2.0).close()
    except OSError:
        return False
    return True
