"""Rows in plain dictionaries, for dry runs and tests: nothing is kept when the process ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from torc_core.contracts.storage import Condition, Row, Storage, StorageError, Where
from torc_core.errors import Invalid
from torc_core.records.record import RECORDS, Record, stored_type
from torc_plugins.storage import refusals

Test = Callable[[Row], bool]


class _Table:
    """The rows of one kind: by id, each with all fields in declared order."""

    def __init__(self, kind: type[Record]) -> None:
        self.kind = kind
        self.names = list(kind.FIELDS)
        self.place = {name: i for i, name in enumerate(self.names)}
        self.rows: dict[int, Row] = {}
        self.last_id = 0
        self.unique = [self.place[name] for name in kind.UNIQUE]
        self.holders: dict[Row, int] = {}
        self.parents = [(self.place[f.name], f.name, f.refers) for f in kind.FIELDS.values() if f.refers]
        self.reals = [self.place[f.name] for f in kind.FIELDS.values() if stored_type(f) == "REAL"]

    def put(self, row: Row) -> None:
        """Set a row that is known to be possible."""
        self.drop(row[0])
        self.rows[row[0]] = row
        if (key := self.key(row)) is not None:
            self.holders[key] = row[0]

    def drop(self, row_id: int) -> Row | None:
        """Take a row away and return it; None when there is none."""
        row = self.rows.pop(row_id, None)
        if row is not None and (key := self.key(row)) is not None:
            del self.holders[key]
        return row

    def key(self, row: Row) -> Row | None:
        """Return the values that must be unique together; None when that does not apply, as with a null."""
        key = tuple([row[i] for i in self.unique])
        return key if key and None not in key else None


class MemoryStorage(Storage):
    """The same promises as a file's, for as long as the process lives; ``location`` may name a backup to begin with."""

    scheme = "memory"

    def __init__(self, location: str, *, durable: bool = False, shared_folder: bool = False) -> None:
        self._tables = {plural: _Table(kind) for plural, kind in RECORDS.items()}
        self._children = [
            (child, child.place[f.name], f.refers, not f.optional)
            for child in self._tables.values()
            for f in child.kind.FIELDS.values()
            if f.refers
        ]
        self._undo: list[tuple[_Table, int, Row | None]] | None = None
        """How to go back, step by step: the row that was there; None outside transactions."""
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
                if row[0] > table.last_id:
                    table.last_id = row[0]
        except BaseException:
            self.rewind()
            raise

    def _set(self, table: _Table, row: Row, undo: list[tuple[_Table, int, Row | None]]) -> None:
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
        found = self._matching(table, where)
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
        return len(self._matching(self._tables[kind.PLURAL], where))

    def tally(self, kind: type[Record], name: str, where: Where = ()) -> dict[Any, int]:
        """Return how many matching rows have each value of the column."""
        refusals.fields_of(kind, (name,))
        table = self._tables[kind.PLURAL]
        place = table.place[name]
        return dict(Counter(row[place] for row in self._matching(table, where)))

    def update(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Set columns of all rows that match; returns how many."""
        table = self._tables[kind.PLURAL]
        ids = [row[0] for row in self._matching(table, where)]
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
        ids = {row[0] for row in self._matching(table, where)}
        self._remove(table, ids, undo)
        return len(ids)

    def _remove(self, table: _Table, ids: set[int], undo: list[tuple[_Table, int, Row | None]]) -> None:
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
                for plural, kind in RECORDS.items():
                    if plural in content:
                        self.insert(kind, content[plural]["names"], map(tuple, content[plural]["rows"]))
                        self._tables[plural].last_id = content[plural]["last_id"]
        except OSError as exc:
            raise StorageError(f"cannot read {path}: {exc.strerror}", hint="Name a backup, or nothing.") from exc
        except (ValueError, KeyError, TypeError, Invalid) as exc:
            raise StorageError(f"{path} is not a backup of a memory storage: {exc}") from exc

    def close(self) -> None:
        """Forget everything."""
        self._tables = {plural: _Table(kind) for plural, kind in RECORDS.items()}

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

    def _changeable(self) -> list[tuple[_Table, int, Row | None]]:
        if self._undo is None:
            raise refusals.outside_transaction()
        return self._undo

    def _matching(self, table: _Table, where: Where) -> list[Row]:
        """Return the rows for which all conditions hold, by ascending id."""
        tests = [_test(table, condition) for condition in where]
        ids = _named_ids(where)
        rows = table.rows.values() if ids is None else [table.rows[i] for i in ids if i in table.rows]
        found = [row for row in rows if all([test(row) for test in tests])] if tests else list(rows)
        found.sort(key=itemgetter(0))
        return found


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


def _named_ids(where: Where) -> set[int] | None:
    """Return the only ids that can match, when a condition names them."""
    for field, word, value in where:
        if field == "id" and word in ("equal", "one_of"):
            return {value} if word == "equal" else set(value)
    return None


def _test(table: _Table, condition: Condition) -> Test:
    """Return the function that tells whether a row fulfils the condition."""
    name, word, value = condition
    name, _, member = name.partition(".") if word == "inside" else (name, "", "")
    refusals.fields_of(table.kind, (name,))
    i = table.place[name]
    if word == "equal":
        return lambda row: bool(row[i] == value)
    if word == "one_of":
        values = frozenset(value)
        return lambda row: row[i] in values
    if word == "contains":
        part = value.lower()
        return lambda row: row[i] is not None and part in row[i].lower()
    if word == "after":
        return lambda row: row[i] is not None and value is not None and row[i] > value
    if word == "inside":
        return lambda row: _member(row[i], member) == value
    if word == "has":
        return lambda row: row[i] is not None and value in json.loads(row[i])
    raise refusals.no_such_word(word)


def _member(text: str | None, name: str) -> Any:
    """Return what a JSON object has under the name; None where there is no object or no such member."""
    data = None if text is None else json.loads(text)
    return data.get(name) if isinstance(data, dict) else None
