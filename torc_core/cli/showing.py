"""Records and lists as tables for people, JSON for programs or CSV for spreadsheets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torc_core.cli.output import echo, echo_json, echo_table, write
from torc_core.errors import UsageError
from torc_core.records.record import ENCODER, Page
from torc_core.records.values import Value

if TYPE_CHECKING:
    from torc_core.cli.app import App

Columns = Mapping[str, str | Callable[[Any], Any]]
"""Titles of a table, each with the field or the function that gives the cell of a record."""
Extra = Sequence[Mapping[str, Any]]
"""What is shown of each record beside its own fields."""
_PREVIEW = 60


def bare_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a value that are set; absent ones are left out, not null."""
    return {name: found for name, found in value.wire().items() if found is not None}


def plain(value: Any) -> Any:
    """Return what JSON is made from, without absent fields, at any depth."""
    if isinstance(value, Value):
        return {name: plain(found) for name, found in bare_fields(value).items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def echo_record(app: App, record: Value, headline: str, extra: Mapping[str, Any] | None = None) -> None:
    """Print one record: JSON, or a headline and a line for each field that is set."""
    fields = {**bare_fields(record), **(extra or {})}
    if app.wants_json:
        echo_json(plain_fields(fields))
        return
    echo(f"{headline[0].upper()}{headline[1:]}")
    width = max((len(name) for name in fields), default=0) + 1
    for name, value in fields.items():
        text = value if isinstance(value, str) else short_json(value, limit=0)
        echo(f"  {name + ':':{width}} {text}")


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON is made from."""
    return {name: plain(value) for name, value in fields.items()}


def echo_records(app: App, page: Page[Any], columns: Columns, plural: str, extra: Extra | None = None) -> None:
    """Print a list: a table with ``columns``, or the API's JSON shape with one record a line."""
    if app.wants_json:
        _echo_page(app, page, plural, extra)
        return
    added = extra or [{}] * len(page.items)
    rows = (
        [_cell(source, item, more) for source in columns.values()]
        for item, more in zip(page.items, added, strict=True)
    )  # fmt: skip
    echo_rows(app, list(columns), rows, plural.replace("_", " "), of=page.total_count)


def _cell(source: str | Callable[[Any], Any], item: Any, more: Mapping[str, Any]) -> Any:
    if callable(source):
        return source(item)
    return more[source] if source in more else getattr(item, source, None)


def _echo_page(app: App, page: Page[Any], plural: str, extra: Extra | None) -> None:
    """Print a list as JSON: the API's shape, or only the records under their name where that is configured."""
    body = {name: value for name, value in page.wire().items() if name != "items"}
    key = "items"
    if app.config["client.json_lists"] == "named":
        body, key = {}, plural
    bodies: Iterable[dict[str, Any]] = map(bare_fields, page.items)
    if extra is not None:
        bodies = ({**fields, **more} for fields, more in zip(bodies, extra, strict=True))
    lines = ",\n    ".join(map(ENCODER.encode, bodies))
    parts = [f'  "{key}": [\n    {lines}\n  ]' if lines else f'  "{key}": []']
    parts += [f'  "{name}": {json.dumps(value)}' for name, value in body.items()]
    write("{\n" + ",\n".join(parts) + "\n}\n")


def table(app: App, columns: Sequence[str], rows: Iterable[Sequence[Any]], body: Any, things: str) -> None:
    """Print rows, or ``body`` as JSON; ``things`` is what they are called."""
    if app.wants_json:
        echo_json(body)
    else:
        echo_rows(app, columns, rows, things)


def echo_rows(app: App, columns: Sequence[str], rows: Iterable[Sequence[Any]], things: str, *, of: int = 0) -> None:
    """Print rows as a table or CSV, without the columns that are not wanted; ``of`` is how many there are in all."""
    kept = _kept(app, columns)
    names = [columns[place] for place in kept]
    cells = [[row[place] for place in kept] for row in rows]
    if app.format == "csv":
        _echo_csv(names, cells)
    elif cells:
        echo_table(names, cells, total=things, of=of)
    else:
        echo(f"No {things}.")


def _kept(app: App, columns: Sequence[str]) -> list[int]:
    """Return the places of the columns that are left; raises UsageError for a name that is none."""
    unwanted = {word.strip().casefold() for text in app.options.get("exclude", ()) for word in text.split(",")}
    names = [name.casefold() for name in columns]
    unknown = unwanted.difference(names)
    if unknown:
        raise UsageError(
            f"--exclude: there is no column {', '.join(sorted(unknown))}", hint=f"Columns: {', '.join(columns)}"
        )
    return [place for place, name in enumerate(names) if name not in unwanted]


def _echo_csv(names: Sequence[str], cells: Iterable[Sequence[Any]]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(cells)
    write(text.getvalue())


def echo_lines(app: App, body: dict[str, Any], lines: Sequence[Any], nothing: str) -> None:
    """Print a short list, one entry a line, or ``body`` as JSON."""
    if app.wants_json:
        echo_json(body)
    else:
        echo("\n".join(map(str, lines)) if lines else nothing)


def echo_message(app: App, message: str, **body: Any) -> None:
    """Say that something was done: a sentence, or as JSON with ``body``."""
    if app.wants_json:
        echo_json({"status": "success", "message": message, **body})
    else:
        echo(message)


def short_json(value: Any, limit: int = _PREVIEW) -> str:
    """Return a value as JSON on one line, cut at ``limit`` characters (0: never)."""
    return cut("" if value is None else ENCODER.encode(value), limit)


def cut(text: str | None, limit: int = _PREVIEW) -> str:
    """Return the first line of a text, with dots in place of what is beyond ``limit`` characters (0: no limit)."""
    line, _, rest = (text or "").partition("\n")
    if not rest and (not limit or len(line) <= limit):
        return line
    return f"{line[: limit - 3] if limit else line}..."


def without_fraction(moment: str | None) -> str:
    """Write a moment of a record in whole seconds: ``2026-01-31T18:00:00Z``."""
    return f"{moment[:19]}Z" if moment else ""


def moment(seconds: float | None) -> str:
    """Write seconds since 1970 as records write moments, in UTC; those that no calendar has as a number."""
    try:
        return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
