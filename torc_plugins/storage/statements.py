"""Statements as SQL text, per table; values are always bound, names come from the declared records."""

# ruff: noqa: S608  (names are checked against the declared fields before they become text)

from __future__ import annotations

from functools import lru_cache

from torc_core.records.record import RECORDS
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.refusals import fields_of, no_such_word

Shape = tuple[tuple[str, str], ...]
"""What decides the text of a WHERE clause: field and form of each condition."""
_SIZE = 512


@lru_cache(_SIZE)
def select(dialect: Dialect, table: str, names: tuple[str, ...], shape: Shape, order: str, reverse: bool) -> str:
    """Return the text that reads a page of rows; limit and offset are bound last."""
    fields_of(RECORDS[table], (*names, order))
    direction = " DESC" if reverse else ""
    ties = "" if order == "id" else f'{dialect.nulls[reverse]}, "id"'
    return (
        f'SELECT {quoted(names)} FROM "{table}"{_where(dialect, table, shape)}'
        f' ORDER BY "{order}"{direction}{ties} LIMIT {dialect.mark} OFFSET {dialect.mark}'
    )


@lru_cache(_SIZE)
def count(dialect: Dialect, table: str, shape: Shape) -> str:
    """Return the text that counts rows."""
    return f'SELECT count(*) FROM "{table}"{_where(dialect, table, shape)}'


@lru_cache(_SIZE)
def tally(dialect: Dialect, table: str, name: str, shape: Shape) -> str:
    """Return the text that counts rows by the value of a column."""
    fields_of(RECORDS[table], (name,))
    return f'SELECT "{name}", count(*) FROM "{table}"{_where(dialect, table, shape)} GROUP BY "{name}"'


@lru_cache(_SIZE)
def insert(dialect: Dialect, table: str, names: tuple[str, ...]) -> str:
    """Return the text that adds a row."""
    fields_of(RECORDS[table], names)
    return f'INSERT INTO "{table}"({quoted(names)}) VALUES ({", ".join([dialect.mark] * len(names))})'


@lru_cache(_SIZE)
def update(dialect: Dialect, table: str, names: tuple[str, ...], shape: Shape) -> str:
    """Return the text that sets columns; their values are bound before those of the conditions."""
    fields_of(RECORDS[table], names)
    changes = ", ".join(f'"{name}" = {dialect.mark}' for name in names)
    return f'UPDATE "{table}" SET {changes}{_where(dialect, table, shape)}'


@lru_cache(_SIZE)
def delete(dialect: Dialect, table: str, shape: Shape) -> str:
    """Return the text that removes rows."""
    return f'DELETE FROM "{table}"{_where(dialect, table, shape)}'


def quoted(names: tuple[str, ...]) -> str:
    """Return names of columns as a list."""
    return ", ".join(f'"{name}"' for name in names)


def _where(dialect: Dialect, table: str, shape: Shape) -> str:
    fields_of(RECORDS[table], (field for field, _ in shape))
    for _, form in shape:
        if form not in dialect.conditions:
            raise no_such_word(form)
    texts = [dialect.conditions[form].format(field=f'"{field}"') for field, form in shape]
    return " WHERE " * bool(shape) + " AND ".join(texts)
