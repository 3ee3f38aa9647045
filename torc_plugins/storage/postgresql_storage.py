"""Rows in a PostgreSQL database, which one process at a time owns.

A transaction costs nothing until something is written: its beginning goes to the server together with the check that
this process is still the owner, its end together with the highest ids. Reads before that see the same rows, since
nobody else changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torc_core.contracts.storage import Row, Storage, StorageError, Where
from torc_core.records.record import Record
from torc_plugins.storage import refusals, statements
from torc_plugins.storage.postgresql_copy import write_copy
from torc_plugins.storage.postgresql_cursor import CHUNK, Rest
from torc_plugins.storage.postgresql_queries import shape_and_values

if TYPE_CHECKING:
    from torc_plugins.storage.postgresql_hold import Hold


class PostgresqlStorage(Storage):
    """Opens one schema of a database for itself alone; makes a new connection by itself when one was lost."""

    scheme = "postgresql"

    def __init__(self, location: str, *, durable: bool = False, shared_folder: bool = False) -> None:
        """``location`` is the rest of a URL, ``//user@host:port/database``; ``shared_folder`` means nothing here."""
        try:
            from torc_plugins.storage.postgresql_hold import Hold
        except ImportError as exc:  # the driver is an extra, and this class is looked at where it is not installed
            raise StorageError(
                f"databases of PostgreSQL need a driver that is not installed here ({exc})",
                hint="Install it: pip install 'torc[postgresql]'",
            ) from exc
        self._hold = Hold(location, durable)

    def renew(self) -> bool:
        """Make a new connection if the last one was lost; True when another process was the owner meanwhile."""
        return self._hold.renew()

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are kept, or none; a write that fails undoes all that came before it."""
        return _Transaction(self._hold)

    def next_ids(self, kind: type[Record], count: int) -> int:
        """Return the first of ``count`` ids above every id that was ever given or used."""
        self._hold.begun()
        last = self._hold.last_ids.get(kind.PLURAL, 0)
        self._hold.last_ids[kind.PLURAL] = last + count
        return last + 1

    def insert(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows; those before a refused one are not kept either."""
        from torc_plugins.storage import postgresql_bulk as bulk

        columns = tuple(names)
        refusals.fields_of(kind, columns)
        place = columns.index("id")
        with self._hold.writing() as session:
            rows = iter(rows)
            while chunk := list(islice(rows, bulk.CHUNK)):
                bulk.insert(session, self._hold.dialect, kind, columns, chunk)
                highest = max([row[place] for row in chunk])
                self._hold.last_ids[kind.PLURAL] = max(self._hold.last_ids.get(kind.PLURAL, 0), highest)

    def update(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Set columns of all rows that match; returns how many."""
        from torc_plugins.storage import postgresql_bulk as bulk

        if not changes:
            return self.count(kind, where)
        shape, values = shape_and_values(kind, where)
        text = statements.update(self._hold.dialect, kind.PLURAL, tuple(changes), shape)
        with self._hold.writing() as session:
            try:
                return session.run(text, [*changes.values(), *values]).rowcount
            except bulk.UNWRITABLE as exc:
                bulk.blame(exc, kind, changes)

    def update_each(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Set the columns ``names`` of single rows; each row is the values and then the id."""
        from torc_plugins.storage import postgresql_bulk as bulk

        columns = tuple(names)
        refusals.fields_of(kind, columns)
        with self._hold.writing() as session:
            rows = iter(rows)
            while chunk := list(islice(rows, bulk.CHUNK)):
                bulk.update(session, self._hold.dialect, kind, columns, chunk)

    def delete(self, kind: type[Record], where: Where) -> int:
        """Remove the rows that match; the foreign keys of the tables take the rest along."""
        shape, values = shape_and_values(kind, where)
        with self._hold.writing() as session:
            return session.run(statements.delete(self._hold.dialect, kind.PLURAL, shape), values).rowcount

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
        """Yield the rows; up to ten thousand are read at once, more from a cursor while they are asked for."""
        shape, values = shape_and_values(kind, where)
        text = statements.select(self._hold.dialect, kind.PLURAL, tuple(names), shape, order, reverse)
        first = self._read(text, [*values, CHUNK if limit is None else min(limit, CHUNK), offset])
        if len(first) < CHUNK or limit == CHUNK:
            return iter(first)
        left = None if limit is None else limit - CHUNK
        with self._hold.reading() as session:  # nobody has changed a row since
            rest = Rest(session, text, [*values, left, offset + CHUNK], self._hold.finished)
        return chain(first, chain.from_iterable(self._chunks(rest)))

    def _chunks(self, rest: Rest) -> Iterator[list[Row]]:
        while True:
            with self._hold.reading(rest.session):
                chunk = rest.fetch()
            if not chunk:
                return
            yield chunk

    def count(self, kind: type[Record], where: Where = ()) -> int:
        """Return how many rows match."""
        shape, values = shape_and_values(kind, where)
        [(number,)] = self._read(statements.count(self._hold.dialect, kind.PLURAL, shape), values)
        return int(number)

    def tally(self, kind: type[Record], name: str, where: Where = ()) -> dict[Any, int]:
        """Return how many matching rows have each value of the column."""
        shape, values = shape_and_values(kind, where)
        return dict(self._read(statements.tally(self._hold.dialect, kind.PLURAL, name, shape), values))

    def _read(self, text: str, values: Sequence[Any]) -> list[Row]:
        with self._hold.reading() as session:
            return session.run(text, values).fetchall()

    def backup(self, target: Path) -> None:
        """Write a SQLite file beside ``target``, then put it in its place; it is a database like any other."""
        with self._hold.snapshot():
            write_copy(self, self._hold.last_ids, target)

    @property
    def copy_command(self) -> str:
        """``pg_dump``, which also works while there is an owner."""
        return f"pg_dump --format=custom --file=FILE '{self._hold.place}'"

    def close(self) -> None:
        """Let others own the database."""
        self._hold.close()

    def abandon(self) -> None:
        """Let go without writing anything."""
        self._hold.abandon()


class _Transaction:
    """From ``begin`` to ``end``."""

    __slots__ = ("_hold",)

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def __enter__(self) -> None:
        self._hold.begin()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hold.end(keep=kind is None)
