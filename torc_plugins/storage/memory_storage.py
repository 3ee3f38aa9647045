"""Rows in plain dictionaries, for dry runs and tests: nothing is kept when the process ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from torc_core.contracts.storage import Row, Storage, StorageError, Where
from torc_core.errors import Invalid
from torc_core.records import kinds  # noqa: F401  (declares the records)
from torc_core.records.record import RECORDS, Record
from torc_plugins.storage import refusals
from torc_plugins.storage.memory_table import Table
from torc_plugins.storage.order import parents_first

Step = tuple[Table, int, Row | None]
"""One step back: the row that was there, None when there was none."""


class MemoryStorage(Storage):
    """The same promises as a file's, for as long as the process lives; ``location`` may name a backup to begin with."""

    scheme = "memory"

    def __init__(self, location: str, *, durable: bool = False, shared_folder: bool = False) -> None:
        self._tables = {plural: Table(kind) for plural, kind in RECORDS.items()}
        self._children = [
            (child, child.place[f.name], f.refers, not f.optional)
            for child in self._tables.values()
            for f in child.kind.FIELDS.values()
            if f.refers
        ]
        self._undo: list[Step] | None = None
        """How to go back; None when nothing may be written."""
        self._last_ids: dict[str, int] = {}
        self._in_transaction = False
        if location:
            self._load(Path(location))

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are kept, or none; a write that fails undoes all that came before it."""
        return _Transaction(self)

    def next_ids(self, kind: type[Record], count: int) -> int:
        """Return the first of ``count`` ids above every id that was ever given or used."""
        self._changeable()
        table = self._tables[kind.PLURAL]
        table.last_id += count
        return table.last_id - count + 1

    def insert(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows; those before a refused one are not kept either."""
        undo = self._changeable()
        refusals.fields_of(kind, names)
        table = self._tables[kind.PLURAL]
        null = len(names)
        pick = itemgetter(*[names.index(name) if name in names else null for name in table.names])
        try:
            for given in rows:
                row = pick((*given, None))
                if row[0] in table.rows:
                    raise refusals.taken(kind, {"id": row[0]})
                self._set(table, row, undo)
                table.last_id = max(table.last_id, row[0])
        except BaseException:
            self.rewind()
            raise

    def _set(self, table: Table, row: Row, undo: list[Step]) -> None:
        """Put a new or changed row; raises Conflict or Invalid."""
        for i in table.reals:
            if type(row[i]) is int:
                row = (*row[:i], float(row[i]), *row[i + 1 :])
        row_id = row[0]
        key = table.key(row)
        if key is not None and table.holders.get(key, row_id) != row_id:
            raise refusals.taken(table.kind, dict(zip(table.kind.UNIQUE, key, strict=True)))
        for i, name, parent in table.parents:
            if row[i] is not None and row[i] not in self._tables[parent].rows:
                raise refusals.dangling(table.kind, name, row[i])
        undo.append((table, row_id, table.rows.get(row_id)))
        table.put(row)

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
        """Yield the rows as they are now."""
        refusals.fields_of(kind, (*names, order))
        table = self._tables[kind.PLURAL]
        found = table.matching(where)
        if order != "id" or reverse:
            place = table.place[order]
            found.sort(key=lambda row: (row[place] is not None, row[place]), reverse=reverse)
        page = found[offset : None if limit is None else offset + limit]
        if list(names) == table.names:
            return iter(page)
        places = [table.place[name] for name in names]
        return iter([tuple([row[i] for i in places]) for row in page])

    def count(self, kind: type[Record], where: Where = ()) -> int:
        """Return how many rows match."""
        return len(self._tables[kind.PLURAL].matching(where))

    def tally(self, kind: type[Record], name: str, where: Where = ()) -> dict[Any, int]:
        """Return how many matching rows have each value of the column."""
        refusals.fields_of(kind, (name,))
        table = self._tables[kind.PLURAL]
        place = table.place[name]
        return dict(Counter(row[place] for row in table.matching(where)))

    def update(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Set columns of all rows that match; returns how many."""
        table = self._tables[kind.PLURAL]
        ids = [row[0] for row in table.matching(where)]
        values = tuple(changes.values())
        self.update_each(kind, list(changes), ((*values, row_id) for row_id in ids))
        return len(ids)

    def update_each(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Set the columns ``names`` of single rows; each row is the values and then the id."""
        undo = self._changeable()
        refusals.fields_of(kind, names)
        table = self._tables[kind.PLURAL]
        places = [table.place[name] for name in names]
        try:
            for given in rows:
                old = table.rows.get(given[-1])
                if old is not None:
                    row = list(old)
                    for i, value in zip(places, given[:-1], strict=True):
                        row[i] = value
                    self._set(table, tuple(row), undo)
        except BaseException:
            self.rewind()
            raise

    def delete(self, kind: type[Record], where: Where) -> int:
        """Remove the rows that match and what refers to them with a required field."""
        undo = self._changeable()
        table = self._tables[kind.PLURAL]
        ids = {row[0] for row in table.matching(where)}
        self._remove(table, ids, undo)
        return len(ids)

    def _remove(self, table: Table, ids: set[int], undo: list[Step]) -> None:
        for row_id in ids:
            undo.append((table, row_id, table.drop(row_id)))
        for child, place, parent, required in self._children:
            if parent != table.kind.PLURAL or not ids:
                continue
            hit = [row for row in child.rows.values() if row[place] in ids]
            if required:
                self._remove(child, {row[0] for row in hit}, undo)
                continue
            for row in hit:
                undo.append((child, row[0], row))
                child.put((*row[:place], None, *row[place + 1 :]))

    def backup(self, target: Path) -> None:
        """Write the rows as JSON that a memory storage can begin with."""
        if self._in_transaction:
            raise refusals.nested_transaction()
        content = {
            plural: {"last_id": t.last_id, "names": t.names, "rows": list(t.rows.values())}
            for plural, t in self._tables.items()
        }
        try:
            target.write_text(json.dumps(content), encoding="utf-8")
        except OSError as exc:
            raise StorageError(f"cannot write {target}: {exc.strerror}", hint="Choose another place.") from exc

    def _load(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            with self.transaction():
                for kind in parents_first():
                    plural = kind.PLURAL
                    if plural in content:
                        self.insert(kind, content[plural]["names"], map(tuple, content[plural]["rows"]))
                        self._tables[plural].last_id = content[plural]["last_id"]
        except OSError as exc:
            raise StorageError(f"cannot read {path}: {exc.strerror}", hint="Name a backup, or nothing.") from exc
        except (ValueError, KeyError, TypeError, Invalid) as exc:
            raise StorageError(f"{path} is not a backup of a memory storage: {exc}") from exc

    def close(self) -> None:
        """Forget everything."""
        self._tables = {plural: Table(kind) for plural, kind in RECORDS.items()}

    def begin(self) -> None:
        """Begin to note how to go back."""
        if self._in_transaction:
            raise refusals.nested_transaction()
        self._in_transaction = True
        self._undo = []
        self._last_ids = {plural: table.last_id for plural, table in self._tables.items()}

    def rewind(self) -> None:
        """Go back to where the transaction began; nothing more is taken until the next."""
        for table, row_id, row in reversed(self._undo or ()):
            table.drop(row_id) if row is None else table.put(row)
        for plural, last_id in self._last_ids.items():
            self._tables[plural].last_id = last_id
        self._undo = None

    def end(self) -> None:
        """Keep what was written."""
        self._in_transaction = False
        if self._undo is None:
            raise refusals.undone_transaction()
        self._undo = None

    def _changeable(self) -> list[Step]:
        if self._undo is None:
            raise refusals.outside_transaction()
        return self._undo


class _Transaction:
    """From ``begin`` to ``end``, or ``rewind``."""

    __slots__ = ("_storage",)

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage

    def __enter__(self) -> None:
        self._storage.begin()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._storage.end()
            return
        self._storage.rewind()
        self._storage._in_transaction = False
