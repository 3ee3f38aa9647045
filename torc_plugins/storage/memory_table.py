"""The rows of one kind in memory, and what conditions on them mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from torc_core.contracts.storage import Condition, Row, Where
from torc_core.records.record import Record, stored_type
from torc_plugins.storage import refusals

Test = Callable[[Row], bool]


class Table:
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

    def matching(self, where: Where) -> list[Row]:
        """Return the rows for which all conditions hold, by ascending id."""
        tests = [_test(self, condition) for condition in where]
        ids = _named_ids(where)
        rows = self.rows.values() if ids is None else [self.rows[i] for i in ids if i in self.rows]
        found = [row for row in rows if all(test(row) for test in tests)] if tests else list(rows)
        found.sort(key=itemgetter(0))
        return found


def _named_ids(where: Where) -> set[int] | None:
    """Return the only ids that can match, when a condition names them."""
    for field, word, value in where:
        if field == "id" and word in ("equal", "one_of"):
            return {value} if word == "equal" else set(value)
    return None


def _test(table: Table, condition: Condition) -> Test:
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
