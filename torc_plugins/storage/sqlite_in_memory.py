"""Rows of a SQLite file in memory; the file itself is written in snapshots only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from torc_plugins.storage import sqlite_errors, sqlite_schema
from torc_plugins.storage.sqlite_storage import SqliteStorage, connect, write_copy


class SqliteInMemory(SqliteStorage):
    """Loads the file, if there is one, and lets go of it: between snapshots nothing is read or written there."""

    journal_mode = "memory"

    def _open(self) -> sqlite3.Connection:
        db = _memory()
        try:
            if self._path.exists():
                self._load(db)
        except BaseException:
            db.close()
            raise
        return db

    def _load(self, db: sqlite3.Connection) -> None:
        file = connect(self._path, self._shared_folder)
        try:
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
            sqlite_schema.recognize(file, self._path)
            # A log left beside the file would be taken for that of the snapshot which replaces the file.
            file.execute("PRAGMA journal_mode=DELETE")
            file.backup(db)
        finally:
            file.close()

    def snapshot(self) -> Callable[[], None]:
        """Copy within memory, which is fast; the copy is written to the file when that is asked for."""
        frozen = _memory()
        try:
            self._db.backup(frozen)
        except sqlite3.Error as exc:
            frozen.close()
            raise sqlite_errors.explained(exc, self._path) from exc

        def write() -> None:
            try:
                write_copy(frozen, self._path.resolve(), self._shared_folder)  # a link goes on pointing to it
            finally:
                frozen.close()

        return write


def _memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=256)
