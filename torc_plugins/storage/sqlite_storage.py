"""Rows in one SQLite file, which one process has for itself.

Measured reasons for the settings: exclusive locking, set before the first access, makes WAL work without a
shared-memory file, so that a network file system does no harm; WAL with synchronous NORMAL needs no disk flush per
transaction and survives the death of the process; FULL flushes each transaction and survives a power cut too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from torc_core.contracts.storage import Condition, Row, Storage, StorageError, Where
from torc_core.errors import Invalid, TorcError
from torc_core.records.record import RECORDS, Record
from torc_plugins.storage import refusals, sqlite_errors, sqlite_schema
from torc_plugins.storage import sqlite_queries as sql
from torc_plugins.storage.beside import written_beside

_BUSY_S = 0.2
"""How long another opener is waited for: an owner stays, so only one that is just leaving is worth it."""
_CHUNK = 1000
_TAKEN = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_CACHE_KIB = 32 * 1024


class SqliteStorage(Storage):
    """Opens the file for itself alone: a second opener is refused, unless ``shared_folder`` forgoes locks."""

    scheme = "sqlite"
    journal_mode = "wal"

    def __init__(self, location: str, *, durable: bool = False, shared_folder: bool = False) -> None:
        if location in ("", ":memory:"):
            raise StorageError(f"sqlite:{location} names no file", hint="Write sqlite:PATH, or use memory: instead.")
        self._path = Path(location)
        self._shared_folder = shared_folder
        self._streams: WeakSet[sqlite3.Cursor] = WeakSet()
        self._in_transaction = False
        try:
            self._db = self._open()
        except sqlite3.Error as exc:
            raise sqlite_errors.explained(exc, self._path) from exc
        try:
            self._prepare(durable)
        except (sqlite3.Error, UnicodeError) as exc:  # a damaged schema is no text
            self._db.close()
            raise sqlite_errors.explained(exc, self._path) from exc
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def in_memory(cls, location: str, *, shared_folder: bool = False) -> Storage:
        """Load the file, if there is one, into memory."""
        from torc_plugins.storage.sqlite_in_memory import SqliteInMemory

        return SqliteInMemory(location, shared_folder=shared_folder)

    def _open(self) -> sqlite3.Connection:
        return connect(self._path, self._shared_folder)

    def _prepare(self, durable: bool) -> None:
        execute = self._db.execute
        execute("PRAGMA locking_mode=EXCLUSIVE")  # before the first access, or there is a shared-memory file
        execute("PRAGMA temp_store=MEMORY")
        execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        version = sqlite_schema.recognize(self._db, self._path)  # before anything changes another program's file
        (mode,) = execute(f"PRAGMA journal_mode={self.journal_mode}").fetchone()
        if mode != self.journal_mode:
            raise StorageError(f"{self._path}: the file system allows no write-ahead log (journal mode {mode})")
        execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        sqlite_schema.upgrade(self._db, self._path, version)
        execute("PRAGMA foreign_keys=ON")  # not before: migrations may rebuild tables
        self._db.create_function("torc_contains", 2, sql.contains, deterministic=True)

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are kept, or none; a write that fails undoes all that came before it."""
        return _Transaction(self)

    def next_ids(self, kind: type[Record], count: int) -> int:
        """Return the first of ``count`` ids above every id that was ever given or used."""
        found = self._write("SELECT seq FROM sqlite_sequence WHERE name = ?", [kind.PLURAL]).fetchone()
        last: int = found[0] if found else 0
        if found:
            self._write("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [last + count, kind.PLURAL])
        else:
            self._write("INSERT INTO sqlite_sequence(name, seq) VALUES (?, ?)", [kind.PLURAL, count])
        return last + 1

    def insert(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows; those before a refused one are not kept either."""
        self._write_many(kind, sql.insert(kind.PLURAL, tuple(names)), names, rows)

    def rows(
        self,
        kind: type[Record],
        names: Sequence[str],
        where: Where = (),
        *,
        order: str = "id",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> Iterator[Row]:
        """Yield the rows; up to a thousand are read at once, more while they are asked for."""
        shape, values = sql.shape_and_values(where)
        text = sql.select(kind.PLURAL, tuple(names), shape, order, reverse)
        cursor = self._read(text, [*values, -1 if limit is None else limit, offset])
        chunk = self._fetch(cursor)
        return iter(chunk) if len(chunk) < _CHUNK else self._stream(cursor, chunk)

    def _stream(self, cursor: sqlite3.Cursor, chunk: list[Row]) -> Iterator[Row]:
        self._streams.add(cursor)
        while chunk:
            yield from chunk
            chunk = self._fetch(cursor)

    def count(self, kind: type[Record], where: Where = ()) -> int:
        """Return how many rows match."""
        shape, values = sql.shape_and_values(where)
        [(number,)] = self._fetch(self._read(sql.count(kind.PLURAL, shape), values))
        return int(number)

    def tally(self, kind: type[Record], name: str, where: Where = ()) -> dict[Any, int]:
        """Return how many matching rows have each value of the column."""
        shape, values = sql.shape_and_values(where)
        cursor = self._read(sql.tally(kind.PLURAL, name, shape), values)
        counts: dict[Any, int] = {}
        while chunk := self._fetch(cursor):
            counts.update(chunk)
        return counts

    def update(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Set columns of all rows that match; returns how many."""
        shape, values = sql.shape_and_values(where)
        text = sql.update(kind.PLURAL, tuple(changes), shape) if changes else sql.count(kind.PLURAL, shape)
        cursor = self._write(text, [*changes.values(), *values], kind, changes)
        return cursor.rowcount if changes else int(cursor.fetchone()[0])

    def update_each(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Set the columns ``names`` of single rows; each row is the values and then the id."""
        text = sql.update(kind.PLURAL, tuple(names), (("id", "equal"),))
        self._write_many(kind, text, (*names, "id"), rows)

    def delete(self, kind: type[Record], where: Where) -> int:
        """Remove the rows that match; the foreign keys of the tables take the rest along."""
        shape, values = sql.shape_and_values(where)
        return self._write(sql.delete(kind.PLURAL, shape), values).rowcount

    def backup(self, target: Path) -> None:
        """Write a copy beside ``target``, then put it in its place; an older copy stays until the new one is whole."""
        if self._in_transaction:
            raise refusals.nested_transaction()
        if target.resolve() == self._path.resolve():
            raise Invalid(f"{target} is the database itself", hint="Name another file for the copy.")
        write_copy(self._db, target, self._shared_folder)

    def close(self) -> None:
        """Let go of the file and its lock; unfinished reads end."""
        for cursor in list(self._streams):
            cursor.close()  # an open one would keep the lock
        self._db.close()

    def abandon(self) -> None:
        """Never close the connection: SQLite would then write its log into a file that is another process's by now.

        Not even at the end of this process, when Python closes what it still knows; hence one reference too many.
        """
        import ctypes  # needed here only

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._db))

    def _read(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._db.execute(text, values)
        except (sqlite3.Error, UnicodeError, OverflowError) as exc:
            raise self._explained(exc) from exc

    def _fetch(self, cursor: sqlite3.Cursor) -> list[Row]:
        try:
            return cursor.fetchmany(_CHUNK)
        except sqlite3.Error as exc:
            raise self._explained(exc) from exc

    def _write(
        self, text: str, values: Sequence[Any], kind: type[Record] | None = None, changes: dict[str, Any] | None = None
    ) -> sqlite3.Cursor:
        if not self._db.in_transaction:
            raise refusals.outside_transaction()
        try:
            return self._db.execute(text, values)
        except (sqlite3.Error, UnicodeError, OverflowError) as exc:
            error = self._explained(exc, kind, changes)
            self._undo()
            raise error from exc

    def _write_many(self, kind: type[Record], text: str, names: Sequence[str], rows: Iterable[Row]) -> None:
        last: Row = ()

        def noted() -> Iterator[Row]:
            nonlocal last
            for row in rows:
                last = row
                yield row

        if not self._db.in_transaction:
            raise refusals.outside_transaction()
        try:
            self._db.executemany(text, noted())
        except (sqlite3.Error, UnicodeError, OverflowError) as exc:
            error = self._explained(exc, kind, dict(zip(names, last, strict=False)))
            self._undo()
            raise error from exc
        except BaseException:  # from the caller's rows: half of them must not be kept
            self._undo()
            raise

    def _undo(self) -> None:
        if self._db.in_transaction:  # SQLite itself may have undone it, as when the disk is full
            self._read("ROLLBACK", ())

    def _explained(
        self, exc: Exception, kind: type[Record] | None = None, row: dict[str, Any] | None = None
    ) -> TorcError:
        """Return what went wrong; ``row`` is the part of a row that was being written."""
        if isinstance(exc, UnicodeError):
            return Invalid(f"{self._path} keeps Unicode text only: {exc}")
        if not isinstance(exc, sqlite3.Error):
            return Invalid(f"{self._path} keeps numbers of 64 bits only: {exc}")
        if kind is not None and row is not None:
            reason = getattr(exc, "sqlite_errorname", "")  # errors of the Python module itself have none
            if reason in _TAKEN:  # "UNIQUE constraint failed: jobs.workflow_id, jobs.name"
                fields = [name.rpartition(".")[2] for name in str(exc).partition(": ")[2].split(", ")]
                row = {**self._kept(kind, row), **row}
                return refusals.taken(kind, {name: row[name] for name in fields if name in row})
            if reason == "SQLITE_CONSTRAINT_FOREIGNKEY":
                for name, f in kind.FIELDS.items():
                    value = row.get(name) if f.refers else None
                    if value is not None and not self._kept(RECORDS[f.refers], {"id": value}):
                        return refusals.dangling(kind, name, value)
        return sqlite_errors.explained(exc, self._path)

    def _kept(self, kind: type[Record], row: dict[str, Any]) -> dict[str, Any]:
        """Return the whole row that has the id of ``row``; empty when ``row`` names no id or there is none."""
        found = list(self.rows(kind, list(kind.FIELDS), [Condition("id", "equal", row.get("id"))]))
        return dict(zip(kind.FIELDS, found[0], strict=True)) if found else {}


class _Transaction:
    """BEGIN IMMEDIATE to COMMIT, or back to where it was."""

    __slots__ = ("_storage",)

    def __init__(self, storage: SqliteStorage) -> None:
        self._storage = storage

    def __enter__(self) -> None:
        storage = self._storage
        if storage._in_transaction:
            raise refusals.nested_transaction()
        storage._read("BEGIN IMMEDIATE", ())
        storage._in_transaction = True

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        storage = self._storage
        storage._in_transaction = False
        if kind is not None:
            storage._undo()
        elif not storage._db.in_transaction:
            raise refusals.undone_transaction()
        else:
            try:
                storage._db.execute("COMMIT")
            except sqlite3.Error as failure:
                storage._undo()
                raise storage._explained(failure) from failure


def write_copy(db: sqlite3.Connection, target: Path, shared_folder: bool) -> None:
    """Write all of a database to a file that appears whole or not at all; raises StorageError."""
    try:
        with written_beside(target) as part:
            copy = connect(part, shared_folder)
            try:
                copy.execute("PRAGMA locking_mode=EXCLUSIVE")  # as for every file of ours; nobody else knows it
                db.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # no log beside it that could be left behind
            finally:
                copy.close()
    except sqlite3.Error as exc:
        raise sqlite_errors.explained(exc, target) from exc


def connect(path: Path, shared_folder: bool) -> sqlite3.Connection:
    """Open without touching the file; ``unix-none`` takes no file locks, which network file systems get wrong."""
    uri = f"file:{quote(str(path.absolute()))}" + ("?vfs=unix-none" if shared_folder else "")
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
