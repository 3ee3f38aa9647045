"""A copy of a database as one file of SQLite: written, checked, and put in its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from torc_core.errors import StorageError, Unsupported, UsageError
from torc_core.operations import Operation, Parameter

if TYPE_CHECKING:
    from torc_core.contracts.storage import Storage

_MAGIC = b"SQLite format 3\0"


def _unsupported(*_: Any) -> Any:
    raise Unsupported("only servers send copies of their database")


BACKUP = Operation(
    "backup_database", "GET", "/backup", (Parameter("as_sqlite", bool, "query", False),), bytes,
    "Send a copy of the whole database.", "system", _unsupported,
)  # fmt: skip
"""Asked of a server like an operation; the answer is a file."""


def copy_of(storage: Storage, path: Path, as_sqlite: bool) -> None:
    """Write a copy of a database.

    Raises Unsupported for one that its own tools copy better, unless ``as_sqlite``, and when the copy is no file of
    SQLite.
    """
    if storage.copy_command and not as_sqlite:
        raise Unsupported(
            f"{storage.scheme} has tools that copy a database while it is used, and put it back",
            hint=f"Add --sqlite for a file that torc can use instead, or run: {storage.copy_command}",
        )
    storage.backup(path)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise Unsupported(
                f"the copy of a {storage.scheme} database is no file of SQLite",
                hint="Export workflows: torc workflows export ID",
            )


class Contents(NamedTuple):
    """What is in a copy."""

    size: int  # bytes
    workflows: int
    jobs: int


def checked(path: Path) -> Contents:
    """Read all of a copy and return what is in it; raises StorageError when it is damaged or something else."""
    import sqlite3

    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)) as db:
            found = [text for (text,) in db.execute("PRAGMA integrity_check")]
            if found != ["ok"]:
                raise StorageError(f"the copy is damaged: {found[0]}", hint="Make another one.")
            counts = db.execute("SELECT (SELECT count(*) FROM workflows), (SELECT count(*) FROM jobs)").fetchone()
    except sqlite3.Error as exc:
        raise StorageError(f"the copy cannot be read: {exc}", hint="Make another one.") from exc
    return Contents(path.stat().st_size, *counts)


def check_target(path: Path, *, force: bool) -> None:
    """Raise UsageError for a file that is not to be written."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name a file for the copy.")
    if path.exists() and not force:
        raise UsageError(f"{path} exists already", hint="Name another file, or replace it with --force.")
    for ending in (".owner", "-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            raise UsageError(
                f"{path} is a database that is in use, or was left in the middle of it: there is {beside.name}",
                hint="Name another file for the copy.",
            )


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Give the path of a file that only its owner may read and that becomes ``path`` when all goes well."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        raise StorageError(f"cannot write {path}: {exc.strerror or exc}", hint="Choose another place.") from exc
    finally:
        with suppress(OSError):
            part.unlink()  # gone already when all went well


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Write what comes; raises OSError."""
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
