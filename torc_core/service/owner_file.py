"""The file that says who owns a database, and the atomic steps by which it appears and changes hands."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from torc_core.errors import Unavailable
from torc_core.service.processes import Machine

_SIZE = 4096  # written whole in one go, padded, so that no reader sees half of a change
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class OwnerRecord(NamedTuple):
    """Who owns a database (or is about to take it over) and how to reach it."""

    id: str
    machine: Machine
    pid: int
    start: str  # of the process; tells it from a later one with the same id
    since: str  # UTC, for people only
    holds_lock: bool  # the lock file too, so that a free lock says the owner is gone
    token: str
    addresses: tuple[str, ...] = ()  # unix:PATH, tcp:HOST:PORT; none while the owner is starting
    trouble: str = ""  # why it cannot be reached
    in_memory: bool = False  # the database is there; its file is replaced by every snapshot

    @property
    def who(self) -> str:
        """The owner, for messages."""
        return f"process {self.pid} on {self.machine.host}"

    def write(self) -> bytes:
        """Return the text of the file."""
        values = {**self._asdict(), "machine": self.machine._asdict()}
        return json.dumps(values, indent=1).encode().ljust(_SIZE - 1) + b"\n"

    @classmethod
    def read(cls, text: bytes) -> OwnerRecord:
        """Return what ``write`` wrote; raises ValueError for anything else."""
        try:
            values: dict[str, Any] = json.loads(text)
            machine, addresses = Machine(**values.pop("machine")), tuple(values.pop("addresses"))
            record = cls(machine=machine, addresses=addresses, **values)
        except (TypeError, KeyError, AttributeError, RecursionError) as exc:
            raise ValueError(f"not the record of an owner: {exc}") from exc
        if not record.id.isalnum() or type(record.pid) is not int:
            raise ValueError("not the record of an owner")
        return record


class Sighting(NamedTuple):
    """An owner file as it was seen once."""

    key: str  # never the same for two owners
    mark: tuple[int, int]  # differs after every heartbeat
    record: OwnerRecord | None  # None: not readable as such


def sight(path: Path) -> Sighting | None:
    """Read an owner file; None when there is none. Raises Unavailable when it is another user's."""
    try:
        # Opening makes a network file system ask its server, which looking at the folder does not.
        with path.open("rb") as file:
            facts, text = os.fstat(file.fileno()), file.read(2 * _SIZE)
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        raise Unavailable(
            f"{path} belongs to user id {path.stat().st_uid}, whose database this is",
            hint="Use another database with --db, or a server that both of you can reach with --url",
        ) from exc
    except OSError as exc:
        if exc.errno == errno.ESTALE:
            return None
        raise
    mark = (facts.st_ino, facts.st_mtime_ns)
    if facts.st_nlink == 0:
        return None  # removed while it was being opened
    try:
        record = OwnerRecord.read(text)
    except ValueError:
        return Sighting(f"unreadable{facts.st_ino}x{facts.st_mtime_ns}", mark, None)
    return Sighting(record.id, mark, record)


def _write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` or raise OSError: a full disk takes a part first."""
    while data:
        data = data[os.write(fd, data) :]


class Sheet:
    """A record written aside, which one atomic step turns into the file at its target."""

    def __init__(self, target: Path, record: OwnerRecord) -> None:
        self.target, self.record = target, record
        self._aside = target.with_name(f"{target.name}.{record.id}.new")
        self.is_placed = False
        first = os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                _write_all(first, record.write())
            finally:
                os.close(first)  # network file systems write on closing
        except OSError:
            self._aside.unlink(missing_ok=True)
            raise
        self._fd = os.open(self._aside, os.O_RDWR)

    def place(self) -> bool:
        """Become the target if there is none; of many that try at once, one succeeds."""
        try:
            os.link(self._aside, self.target)
            self.is_placed = True
        except FileExistsError:
            # A server's answer may be lost and the request repeated: the count of links knows better.
            self.is_placed = os.fstat(self._fd).st_nlink == 2
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            return self._place_without_link()
        if self.is_placed:
            self._aside.unlink(missing_ok=True)
        else:
            self.discard()
        return self.is_placed

    def _place_without_link(self) -> bool:
        try:
            os.close(os.open(self.target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            self.discard()
            return False
        return self.replace()

    def replace(self) -> bool:
        """Become the target instead of the file that is there; only for who alone may do so."""
        try:
            self._aside.rename(self.target)
        except FileNotFoundError:
            found = sight(self.target)  # as above: it may have happened all the same
            if found is None or found.key != self.record.id:
                raise
        self.is_placed = True
        return True

    def rewrite(self, record: OwnerRecord) -> None:
        """Change what the file says; a file that another has put there since is not touched."""
        self.record = record
        os.pwrite(self._fd, record.write(), 0)
        os.close(os.dup(self._fd))  # network file systems write on closing

    def touch(self) -> None:
        """Change the time of the file, which is its heartbeat, never that of another's file."""
        os.utime(self._fd)

    def is_at_target(self) -> bool:
        """Whether the file at the target is this one."""
        found = sight(self.target)
        return found is not None and found.key == self.record.id

    def discard(self) -> None:
        """Close the file; remove what was written aside and never placed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if not self.is_placed:
                with contextlib.suppress(FileNotFoundError):
                    self._aside.unlink()
