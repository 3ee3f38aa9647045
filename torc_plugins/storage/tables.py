"""The tables of a SQL database, as they follow from the declared records, and what an older database lacks of them.

What a database has is compared with the declared records: missing tables, columns and indexes are added, indexes of
ours that are declared no more are dropped. Everything else (renaming, dropping, changing what a column means) is a
function in ``MIGRATIONS``. Tables of kinds that are not declared now (a plugin that is not installed here) are left
alone.
"""

# ruff: noqa: S608  (names come from the declared records)

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from torc_core.contracts.storage import StorageError
from torc_core.records.record import RECORDS, Record, stored, stored_type
from torc_core.records.values import REQUIRED, Field
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.order import parents_first


class Executes(Protocol):
    """A connection, whichever the database."""

    def execute(self, text: Any, /) -> Any:
        """Carry out one statement."""


Migration = Callable[[Executes], None]
MIGRATIONS: tuple[Migration, ...] = ()
"""The first brings version 1 to version 2, and so on, in SQL that every database knows; each runs in the transaction of
the whole upgrade. A released one is never changed.
"""

Statement = tuple[str, tuple[Any, ...]]


def newer(where: object, found: str) -> StorageError:
    """Return the error for a database whose tables this version does not know."""
    return StorageError(
        f"{where} was written by a newer torc (or a newer plugin): it has {found}",
        hint="Update torc and its plugins here, or use another database with this version.",
        path=str(where),
    )


def foreign(where: object) -> StorageError:
    """Return the error for a database of another program; it is left as it is."""
    return StorageError(
        f"{where} is not a torc database: another program made it",
        hint="Choose another place; this one was not changed.",
        path=str(where),
    )


def check_version(where: object, version: int, newest: int) -> None:
    """Raise StorageError for a version that is not known here."""
    if version > newest:
        raise newer(where, f"version {version}; {newest} is the newest known here")


def additions(
    dialect: Dialect, where: object, found: Mapping[str, Mapping[str, str]], indexes: Collection[str]
) -> Iterator[Statement]:
    """Yield what makes the tables of a database those of the declared records.

    ``found`` has for each table the stored type (INTEGER, REAL, TEXT, or how it is called there) of each column.
    Raises StorageError for tables of a newer version and for columns of another type.
    """
    declared_indexes: dict[str, str] = {}
    for kind in parents_first():
        if kind.PLURAL in found:
            yield from _missing_columns(dialect, kind, found[kind.PLURAL], where)
        else:
            yield _table_sql(dialect, kind), ()
        declared_indexes |= _index_sql(dialect, kind)
    yield from ((sql, ()) for name, sql in declared_indexes.items() if name not in indexes)
    for name in indexes:
        if name not in declared_indexes and any(name.startswith((f"{p}_by_", f"{p}_unique_")) for p in RECORDS):
            yield f'DROP INDEX "{name}"', ()  # declared by an older version


def _missing_columns(
    dialect: Dialect, kind: type[Record], found: Mapping[str, str], where: object
) -> Iterator[Statement]:
    if unknown := found.keys() - kind.FIELDS.keys():
        raise newer(where, f"{kind.PLURAL}.{min(unknown)}")
    for f in kind.FIELDS.values():
        if f.name not in found:
            yield f'ALTER TABLE "{kind.PLURAL}" ADD COLUMN {_column_sql(dialect, f)}', ()
            if f.default is not REQUIRED and f.default is not None:  # a record reads the default, never null
                yield f'UPDATE "{kind.PLURAL}" SET "{f.name}" = {dialect.mark}', (stored(f, f.default),)
        elif found[f.name] != stored_type(f):
            raise StorageError(
                f"{where}: {kind.PLURAL}.{f.name} is kept as {found[f.name]}, but declared as {stored_type(f)}",
                hint="Use the version of torc (or of the plugin) that wrote the database, or another database.",
            )


def _table_sql(dialect: Dialect, kind: type[Record]) -> str:
    """Return the statement that makes the table of a kind.

    No column is NOT NULL: which fields a record must have is checked before, and so may change without a migration.
    """
    columns = ",\n  ".join(_column_sql(dialect, f) for f in kind.FIELDS.values())
    return f'CREATE TABLE "{kind.PLURAL}"(\n  {columns}\n)'


def _column_sql(dialect: Dialect, f: Field) -> str:
    """Return the declaration of the column of a field."""
    if f.name == "id":
        return dialect.id_column
    text = f'"{f.name}" {dialect.types[stored_type(f)]}'
    if f.refers:
        text += f' REFERENCES "{f.refers}"("id") ON DELETE {"SET NULL" if f.optional else "CASCADE"}'
    return text


def _index_sql(dialect: Dialect, kind: type[Record]) -> dict[str, str]:
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
            ends = () if word == "unique" else dialect.index_end
            listed = ", ".join(f'"{column}"' for column in (*columns, *ends))
            statements[name] = f'CREATE {made} "{name}" ON "{kind.PLURAL}"({listed})'
    return statements
