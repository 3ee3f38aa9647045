"""SQLite's result codes as errors that say which file, what is wrong and what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from torc_core.contracts.storage import StorageError

_ROOM = "Free some space (or quota) on that file system; what was written before is kept."
_DAMAGED = (
    "Restore a backup over it, or move it away together with the files beside it whose names end in -wal or -journal: "
    "then the next command begins with an empty database."
)
_RIGHTS = "Check that its folder exists and that you may write both, or choose another place."
_OWNED = "Wait until the other process has ended, or use the address that it serves."
_BY_CODE = {
    sqlite3.SQLITE_CORRUPT: ("{path} is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("{path} is damaged or not a database at all", _DAMAGED),
    sqlite3.SQLITE_FULL: ("no space left to write {path}", _ROOM),
    sqlite3.SQLITE_READONLY: ("{path} cannot be written", _RIGHTS),
    sqlite3.SQLITE_PERM: ("{path} cannot be accessed", _RIGHTS),
    sqlite3.SQLITE_CANTOPEN: ("{path} cannot be opened or made", _RIGHTS),
    sqlite3.SQLITE_BUSY: ("{path} is in use by another process", _OWNED),
    sqlite3.SQLITE_LOCKED: ("{path} is in use by another process", _OWNED),
    sqlite3.SQLITE_IOERR: (
        "the file system failed while {path} was used",
        "Look at the quota and the health of that file system; then run the command again.",
    ),
}


def explained(exc: sqlite3.Error | UnicodeError, path: Path) -> StorageError:
    """Return the error for a failure of the file, not of what was asked."""
    code = getattr(exc, "sqlite_errorcode", None)  # errors of the Python module itself have none
    code = None if code is None else code & 0xFF
    if isinstance(exc, UnicodeError) or str(exc).startswith("Could not decode to UTF-8"):
        code = sqlite3.SQLITE_CORRUPT  # only valid text is ever written
    if code == sqlite3.SQLITE_IOERR and path.exists() and not _writable(path):
        code = sqlite3.SQLITE_READONLY  # locking a file that was opened for reading fails like a broken disk
    if code not in _BY_CODE:
        return StorageError(f"{path}: {exc}", path=str(path))
    message, hint = _BY_CODE[code]
    return StorageError(f"{message.format(path=path)} ({exc})", hint=hint, path=str(path))


def _writable(path: Path) -> bool:
    """Ask without opening the file: closing it again would drop the locks that this process has on it."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
