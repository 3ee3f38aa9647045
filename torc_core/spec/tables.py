"""Parameter tables: CSV, JSON and JSON Lines files in which each row is one combination."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, NamedTuple

from torc_core.spec.findings import BadText
from torc_core.spec.parameters import ReadFile, Scalar, native, scalar, text_of
from torc_core.units import counted


class Missing(str):
    """What a table has where a row lacks a column: the token stays as it is."""

    __slots__ = ()


MISSING = Missing()


class Table(NamedTuple):
    """Columns by name, all equally long."""

    columns: dict[str, list[Scalar]]
    row_count: int


def read_table(name: str, read_file: ReadFile | None) -> Table:
    """Return the table in a file, whose kind follows from the ending of its name; raises BadText."""
    suffix = PurePath(name).suffix.lower()
    read = {".csv": _csv, ".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines}.get(suffix)
    if read is None:
        hint = "Use .csv, .json (a list of objects), .jsonl or .ndjson."
        raise BadText(f"{name!r} is no kind of table that is known here", hint=hint, code="table")
    text = text_of(name, read_file, "table")
    try:
        table = read(text)
    except BadText as exc:
        raise BadText(f"{name!r}: {exc}", hint=exc.hint, code="table") from exc
    if not table.row_count:
        raise BadText(f"{name!r} has no rows", hint="Each row is one combination.", code="table")
    return table


def _csv(text: str) -> Table:
    import csv

    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except csv.Error as exc:
        raise BadText(f"line {reader.line_num}: {exc}") from exc
    if not lines:
        return Table({}, 0)
    (_, names), *lines = lines
    if len(names) == 1 and (other := next((mark for mark in ";\t" if mark in names[0]), "")):
        what = "a tab" if other == "\t" else f"{other!r}"
        raise BadText(f"its columns are separated by {what}", hint="Separate them by commas.")
    for position, name in enumerate(names, 1):
        if not name:
            raise BadText(f"column {position} has no name")
        if names.count(name) > 1:
            raise BadText(f"two columns are called {name!r}")
    for line, row in lines:
        if len(row) != len(names):
            raise BadText(f"line {line} has {counted(len(row), 'cell')}, but there are {counted(len(names), 'column')}")
    rows = [row for _, row in lines]
    columns: dict[str, list[Scalar]] = {
        name: [scalar(cell) for cell in cells] for name, cells in zip(names, zip(*rows, strict=True), strict=False)
    }
    return Table(columns, len(rows))


def _json(text: str) -> Table:
    rows = _decoded(text)
    if not isinstance(rows, list):
        raise BadText("expected a list of objects")
    return _table_of(rows, "element")


def _json_lines(text: str) -> Table:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            rows.append(_decoded(line, number))
            if not isinstance(rows[-1], dict):
                raise BadText(f"line {number}: expected an object")
    return _table_of(rows, "element")


def _decoded(text: str, first_line: int = 1) -> Any:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise BadText(f"line {first_line + exc.lineno - 1}, column {exc.colno}: {exc.msg}") from exc
    except (ValueError, RecursionError) as exc:
        raise BadText(f"line {first_line}: {exc}") from exc


def _table_of(rows: list[Any], word: str) -> Table:
    columns: dict[str, list[Scalar]] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise BadText(f"{word} {number}: expected an object")
        for name, value in row.items():
            if not name.strip():
                raise BadText(f"{word} {number}: a key is empty")
            columns.setdefault(name, [MISSING] * len(rows))[number - 1] = native(value)
    return Table(columns, len(rows))
