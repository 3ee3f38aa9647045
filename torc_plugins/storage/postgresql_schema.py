"""How the tables of a PostgreSQL schema are recognized and brought to the declared records; under the owner's lock."""

from __future__ import annotations

from typing import NamedTuple

from torc_core.records.record import RECORDS
from torc_plugins.storage import postgresql_reign
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.postgresql_queries import TYPES
from torc_plugins.storage.postgresql_session import Session
from torc_plugins.storage.tables import MIGRATIONS, Statement, additions, check_version, foreign

_OWN = {
    "torc_version": "CREATE TABLE torc_version(version bigint NOT NULL)",
    "torc_ids": "CREATE TABLE torc_ids(kind text PRIMARY KEY, last bigint NOT NULL)",
    "torc_owners": postgresql_reign.TABLE,
}
"""Tables beside those of the records: their version, the highest id ever used of each kind, and who owns them."""
_STORED = {text.upper(): stored for stored, text in TYPES.items()}


class _Found(NamedTuple):
    tables: dict[str, dict[str, str]]
    indexes: set[str]


def upgrade(session: Session, dialect: Dialect) -> None:
    """Bring the tables to the declared records, all or nothing.

    Raises StorageError for tables of a newer version or of another program, which stay as they are.
    """
    newest = 1 + len(MIGRATIONS)
    found = _look(session)
    version = _version(session, found)
    check_version(session.where, version, newest)
    if version == newest and not _missing(session, dialect, found):
        return
    with session.driver.transaction():
        if version == 0:
            for text in _OWN.values():
                session.run(text)
            session.run("INSERT INTO torc_version VALUES (%s)", (newest,))
        else:
            for migration in MIGRATIONS[version - 1 :]:
                migration(session.driver)
            session.run("UPDATE torc_version SET version = %s", (newest,))
        for text, values in _missing(session, dialect, _look(session)):
            session.run(text, values or None)


def _version(session: Session, found: _Found) -> int:
    if "torc_version" in found.tables:
        return int(session.row("SELECT version FROM torc_version")[0])
    if found.tables.keys() & (RECORDS.keys() | _OWN.keys()):
        raise foreign(session.where)
    return 0


def _missing(session: Session, dialect: Dialect, found: _Found) -> list[Statement]:
    return list(additions(dialect, session.where, *found))


def _look(session: Session) -> _Found:
    """Return the columns of each table with their types, and the indexes, as SQLAlchemy reads them."""
    inspector = session.database.inspect
    tables: dict[str, dict[str, str]] = {}
    for (_, table), columns in inspector.get_multi_columns().items():
        types = {column["name"]: str(column["type"]) for column in columns}
        tables[table] = {name: _STORED.get(kind.upper(), kind.lower()) for name, kind in types.items()}
    indexes = inspector.get_multi_indexes().values()
    return _Found(tables, {str(index["name"]) for group in indexes for index in group})
