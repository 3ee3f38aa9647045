"""How the tables of a SQLite file are recognized and brought to the declared records.

SQLite keeps the schema of a file itself, and that is what the declared records are compared with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from torc_core.contracts.storage import StorageError
from torc_plugins.storage.sqlite_queries import DIALECT
from torc_plugins.storage.tables import MIGRATIONS, Migration, additions, check_version, foreign

APPLICATION_ID = int.from_bytes(b"torc", "big")
"""Stands in the header of every file of ours; ``file torc.db`` shows it."""


def recognize(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables in a file, 0 when it is new; changes nothing.

    Raises StorageError when another program made the file.
    """
    version = _number(db, "PRAGMA user_version")
    if version == 0 and _number(db, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if _number(db, "PRAGMA application_id") != APPLICATION_ID:
        raise foreign(path)
    return version


def upgrade(db: sqlite3.Connection, path: Path, version: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the tables of ``version`` to the declared records, all or nothing; raises StorageError for newer ones.

    Foreign keys are unchecked until the end, since migrations may rebuild tables.
    """
    newest = 1 + len(migrations)
    check_version(path, version, newest)
    db.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            _migrate(db, path, migrations[version - 1 :])
        for sql, values in list(additions(DIALECT, path, *_found(db))):
            db.execute(sql, values)
        if version != newest:
            db.execute(f"PRAGMA user_version = {newest}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    for migration in migrations:
        migration(db)
    if migrations and (found := db.execute("PRAGMA foreign_key_check").fetchone()):
        table, row_id, parent, _ = found
        raise StorageError(
            f"{path} cannot be upgraded: {table} {row_id} refers to {parent} that do not exist",
            hint="The file was not changed; use the older torc with it, and report this.",
        )


def _number(db: sqlite3.Connection, sql: str) -> int:
    number: int = db.execute(sql).fetchone()[0]
    return number


def _found(db: sqlite3.Connection) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Return the columns of each table with their types, and the indexes."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kept_as in db.execute(
        "SELECT t.name, c.name, c.type FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    ):
        found.setdefault(table, {})[column] = kept_as
    indexes = db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return found, {name for (name,) in indexes}
