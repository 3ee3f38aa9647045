"""The tables, as they follow from the declared records, and how an older file gets them.

SQLite keeps the schema of a file itself, and that is what the declared records are compared with: missing tables,
columns and indexes are added. Everything else (renaming, dropping, changing what a column means) is a function in
``MIGRATIONS``. Tables of kinds that are not declared now (a plugin that is not installed here) are left alone.
"""

# ruff: noqa: S608  (names come from the declared records)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torc_core.contracts.storage import StorageError
from torc_core.records import kinds  # noqa: F401  (declares the records)
from torc_core.records.record import RECORDS, Record, stored, stored_type
from torc_core.records.values import REQUIRED, Field
from torc_plugins.storage import sqlite_errors

APPLICATION_ID = int.from_bytes(b"torc", "big")
"""Stands in the header of every file of ours; ``file torc.db`` shows it."""

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[Migration, ...] = ()
"""The first brings version 1 to version 2, and so on; each runs in the transaction of the whole upgrade, with foreign
keys unchecked until its end. A released one is never changed.
"""

Statement = tuple[str, tuple[Any, ...]]


def recognize(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables in a file, 0 when it is new; changes nothing.

    Raises StorageError when another program made the file.
    """
    version = _number(db, "PRAGMA user_version")
    if version == 0 and _number(db, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if _number(db, "PRAGMA application_id") != APPLICATION_ID:
        raise sqlite_errors.foreign(path)
    return version


def upgrade(db: sqlite3.Connection, path: Path, version: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the tables of ``version`` to the declared records, all or nothing; raises StorageError for newer ones."""
    newest = 1 + len(migrations)
    if version > newest:
        raise sqlite_errors.newer(path, f"version {version}; {newest} is the newest known here")
    db.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            _migrate(db, path, migrations[version - 1 :])
        for sql, values in list(_additions(db, path)):
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


def _additions(db: sqlite3.Connection, path: Path) -> Iterator[Statement]:
    """Yield what makes the tables of the file those of the declared records."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kept_as in db.execute(
        "SELECT t.name, c.name, c.type FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    ):
        found.setdefault(table, {})[column] = kept_as
    indexes = {
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    }
    declared_indexes: dict[str, str] = {}
    for table, kind in RECORDS.items():
        if table in found:
            yield from _missing_columns(kind, found[table], path)
        else:
            yield table_sql(kind), ()
        declared_indexes |= index_sql(kind)
    yield from ((sql, ()) for name, sql in declared_indexes.items() if name not in indexes)


def _missing_columns(kind: type[Record], found: dict[str, str], path: Path) -> Iterator[Statement]:
    if unknown := found.keys() - kind.FIELDS.keys():
        raise sqlite_errors.newer(path, f"{kind.PLURAL}.{min(unknown)}")
    for f in kind.FIELDS.values():
        if f.name not in found:
            yield f'ALTER TABLE "{kind.PLURAL}" ADD COLUMN {column_sql(f)}', ()
            if f.default is not REQUIRED and f.default is not None:  # a record reads the default, never null
                yield f'UPDATE "{kind.PLURAL}" SET "{f.name}" = ?', (stored(f, f.default),)
        elif found[f.name] != stored_type(f):
            raise StorageError(
                f"{path}: {kind.PLURAL}.{f.name} is kept as {found[f.name]}, but declared as {stored_type(f)}",
                hint="Use the version of torc (or of the plugin) that wrote the file, or another file.",
            )


def table_sql(kind: type[Record]) -> str:
    """Return the statement that makes the table of a kind.

    No column is NOT NULL: which fields a record must have is checked before, and so may change without a migration.
    """
    columns = ",\n  ".join(map(column_sql, kind.FIELDS.values()))
    return f'CREATE TABLE "{kind.PLURAL}"(\n  {columns}\n)'


def column_sql(f: Field) -> str:
    """Return the declaration of the column of a field."""
    if f.name == "id":
        return '"id" INTEGER PRIMARY KEY AUTOINCREMENT'  # keeps the highest id ever used, also of deleted rows
    text = f'"{f.name}" {stored_type(f)}'
    if f.refers:
        text += f' REFERENCES "{f.refers}"("id") ON DELETE {"SET NULL" if f.optional else "CASCADE"}'
    return text


def index_sql(kind: type[Record]) -> dict[str, str]:
    """Return the statements that make the indexes of a kind, by name; the name tells the columns.

    Referring columns have one each, since a delete looks there for what refers to the row, and one workflow's rows
    come from it in the order of ids.
    """
    groups = [tuple(part.strip() for part in fields.split(",")) for fields in kind.INDEXES]
    groups += [(f.name,) for f in kind.FIELDS.values() if f.refers and (f.name,) not in groups]
    statements = {}
    for word, columns in [*(("by", group) for group in groups), ("unique", kind.UNIQUE)]:
        if columns:
            name = f"{kind.PLURAL}_{word}_{'_'.join(columns)}"
            made = "UNIQUE INDEX" if word == "unique" else "INDEX"
            listed = ", ".join(f'"{column}"' for column in columns)
            statements[name] = f'CREATE {made} "{name}" ON "{kind.PLURAL}"({listed})'
    return statements
