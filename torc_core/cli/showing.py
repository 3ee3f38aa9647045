"""Records and lists as tables for people or JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.records.record import ENCODER, Page
from torc_core.records.values import Value

if TYPE_CHECKING:
    from torc_core.cli.app import App

_PREVIEW = 60


def bare_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a value that are set; absent ones are left out, not null."""
    return {name: found for name, found in value.wire().items() if found is not None}


def echo_record(app: App, record: Value, headline: str) -> None:
    """Print one record: JSON, or a headline and a line for each field that is set."""
    if app.wants_json:
        echo_json(_plain(record))
        return
    echo(f"{headline[0].upper()}{headline[1:]}")
    fields = bare_fields(record)
    width = max((len(name) for name in fields), default=0) + 1
    for name, value in fields.items():
        text = value if isinstance(value, str) else short_json(value, limit=0)
        echo(f"  {name + ':':{width}} {text}")


def echo_records(app: App, page: Page[Any], columns: Mapping[str, str | Callable[[Any], Any]], plural: str) -> None:
    """Print a list: a table with ``columns``, or the API's JSON shape with one record a line."""
    if app.wants_json:
        echo_page(app, page, plural)
        return
    words = plural.replace("_", " ")
    if not page.items:
        echo(f"No {words}.")
        return
    cells = [_getter(source) for source in columns.values()]
    echo_table(list(columns), ([cell(item) for cell in cells] for item in page.items), total=words)


def echo_page(app: App, page: Page[Any], plural: str) -> None:
    """Print a list as JSON: the API's shape, or only the records under their name where that is configured."""
    body = {name: value for name, value in page.wire().items() if name != "items"}
    key = "items"
    if app.config["client.json_lists"] == "named":
        body, key = {}, plural
    encode = ENCODER.encode
    lines = ",\n    ".join(encode(bare_fields(item)) for item in page.items)
    parts = [f'  "{key}": [\n    {lines}\n  ]' if lines else f'  "{key}": []']
    parts += [f'  "{name}": {json.dumps(value)}' for name, value in body.items()]
    echo("{\n" + ",\n".join(parts) + "\n}")


def echo_lines(app: App, body: dict[str, Any], lines: Sequence[Any], nothing: str) -> None:
    """Print a short list, one entry a line, or ``body`` as JSON."""
    if app.wants_json:
        echo_json(body)
    else:
        echo("\n".join(map(str, lines)) if lines else nothing)


def _getter(source: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    if callable(source):
        return source
    return lambda item: getattr(item, source)


def _plain(value: Any) -> Any:
    """Return what JSON is made from, without absent fields, at any depth."""
    if isinstance(value, Value):
        return {name: _plain(found) for name, found in bare_fields(value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def short_json(value: Any, limit: int = _PREVIEW) -> str:
    """Return a value as JSON on one line, cut at ``limit`` characters (0: never)."""
    text = "" if value is None else ENCODER.encode(value)
    return text if not limit or len(text) <= limit else f"{text[: limit - 3]}..."


def moment(seconds: float | None) -> str:
    """Write seconds since 1970 as local time."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def table(app: App, columns: Sequence[str], rows: Iterable[Sequence[Any]], body: Any, total: str = "") -> None:
    """Print rows as a table, or ``body`` as JSON."""
    if app.wants_json:
        echo_json(body)
    else:
        echo_table(columns, rows, total=total)
