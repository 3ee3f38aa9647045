"""Conditions and statements as SQL text, per table; values are always bound, names come from the declared records."""

# ruff: noqa: S608  (names are checked against the declared fields before they become text)

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from torc_core.contracts.storage import Where
from torc_core.records.record import RECORDS
from torc_plugins.storage.refusals import fields_of, no_such_word

_TEXT_OF = {
    "equal": "{field} IS ?",
    "one_of": "{field} IN (SELECT value FROM json_each(?))",  # a list of any length is one bound value
    "one_of or null": "({field} IN (SELECT value FROM json_each(?)) OR {field} IS NULL)",
    "contains": "torc_contains({field}, ?)",
    "after": "{field} > ?",
    "inside": "json_extract({field}, ?) IS ?",
    "has": "EXISTS (SELECT 1 FROM json_each({field}) WHERE value = ?)",
}
Shape = tuple[tuple[str, str], ...]
"""What decides the text of a WHERE clause: field and form of each condition."""


def contains(text: str | None, part: str) -> bool:
    """Return whether the text has the part, whatever the case; SQLite's LIKE knows the case of ASCII letters only."""
    return text is not None and part.lower() in text.lower()


def shape_and_values(where: Where) -> tuple[Shape, list[Any]]:
    """Return the shape of the conditions and the values to bind to its text."""
    shape: list[tuple[str, str]] = []
    values: list[Any] = []
    for field, word, value in where:
        form = word
        if word == "one_of":
            members = list(value)
            if None in members:
                form = "one_of or null"
            values.append(json.dumps(members))
        elif word == "inside":
            field, _, member = field.partition(".")
            values += (f'$."{member}"', value)
        else:
            values.append(value)
        shape.append((field, form))
    return tuple(shape), values


@lru_cache(maxsize=512)
def select(table: str, names: tuple[str, ...], shape: Shape, order: str, reverse: bool) -> str:
    """Return the text that reads a page of rows; limit and offset are bound last."""
    fields_of(RECORDS[table], (*names, order))
    direction = " DESC" if reverse else ""
    ties = "" if order == "id" else ', "id"'
    return (
        f'SELECT {_quoted(names)} FROM "{table}"{_where(table, shape)}'
        f' ORDER BY "{order}"{direction}{ties} LIMIT ? OFFSET ?'
    )


@lru_cache(maxsize=512)
def count(table: str, shape: Shape) -> str:
    """Return the text that counts rows."""
    return f'SELECT count(*) FROM "{table}"{_where(table, shape)}'


@lru_cache(maxsize=512)
def tally(table: str, name: str, shape: Shape) -> str:
    """Return the text that counts rows by the value of a column."""
    fields_of(RECORDS[table], (name,))
    return f'SELECT "{name}", count(*) FROM "{table}"{_where(table, shape)} GROUP BY "{name}"'


@lru_cache(maxsize=512)
def insert(table: str, names: tuple[str, ...]) -> str:
    """Return the text that adds a row."""
    fields_of(RECORDS[table], names)
    return f'INSERT INTO "{table}"({_quoted(names)}) VALUES ({", ".join("?" * len(names))})'


@lru_cache(maxsize=512)
def update(table: str, names: tuple[str, ...], shape: Shape) -> str:
    """Return the text that sets columns; their values are bound before those of the conditions."""
    fields_of(RECORDS[table], names)
    changes = ", ".join(f'"{name}" = ?' for name in names)
    return f'UPDATE "{table}" SET {changes}{_where(table, shape)}'


@lru_cache(maxsize=512)
def delete(table: str, shape: Shape) -> str:
    """Return the text that removes rows."""
    return f'DELETE FROM "{table}"{_where(table, shape)}'


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _where(table: str, shape: Shape) -> str:
    fields_of(RECORDS[table], (field for field, _ in shape))
    for _, form in shape:
        if form not in _TEXT_OF:
            raise no_such_word(form)
    return " WHERE " * bool(shape) + " AND ".join(_TEXT_OF[form].format(field=f'"{field}"') for field, form in shape)
