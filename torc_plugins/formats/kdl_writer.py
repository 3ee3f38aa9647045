"""The data of a spec as KDL 2, by the table in ``kdl_fields``; all of it can be read back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from torc_plugins.formats.kdl_fields import DOCUMENT, ITEM, LIST, SECTION, TEXT_JSON, Field, node_for
from torc_plugins.formats.kdl_lexer import FORBIDDEN, NEWLINES, SPACES
from torc_plugins.formats.kdl_mapping import ELEMENT, NAME

_WIDTH = 100
_INDENT = "    "
_BARE = re.compile(r"(?!(?:true|false|null|inf|nan)$)[A-Za-z_][A-Za-z0-9_.-]*")
_ESCAPED = re.compile(rf'[\\"{NEWLINES}]|{FORBIDDEN.pattern}')
_NOT_RAW = re.compile(rf"[{NEWLINES}]|{FORBIDDEN.pattern}")
_NOT_MULTI = re.compile(rf"(?!\n)[{NEWLINES}]|{FORBIDDEN.pattern}|^[{SPACES}]+$", re.MULTILINE)
_SIMPLE = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\\": "\\\\", '"': '\\"'}


def write(data: Any) -> str:
    """Return ``data`` as a document; raises ValueError when it is not a mapping."""
    if not isinstance(data, dict):
        raise ValueError(f"a KDL document is a mapping, not {type(data).__name__}")
    lines: list[str] = []
    for key, value in data.items():
        _field(lines, key, value, DOCUMENT.fields, "")
    # A document without nodes is an empty file; the list of jobs is implied anyway.
    return "\n".join(lines or ["jobs"]) + "\n"


def _field(lines: list[str], key: str, value: Any, fields: Mapping[str, Field], indent: str) -> None:
    """Write one field of a block whose nodes mean ``fields``."""
    name, field = node_for(key, fields)
    if field is None:
        _plain(lines, key, value, indent, marked=key in fields)
    elif field.shape == LIST and isinstance(value, list) and not any(map(_is_box, value)):
        _list(lines, indent + name, value)
    elif field.shape == SECTION and isinstance(value, dict):
        _block(lines, indent + name, value, field.fields, indent)
    elif field.shape == ITEM and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        if not value:
            lines.append(indent + key)
        for item in value:
            _item(lines, name, item, field.fields, indent)
    elif field.shape == TEXT_JSON and _is_json(value):
        lines.append(f"{indent}{name} {_quoted(json.dumps(value, ensure_ascii=False))}")
    else:
        _plain(lines, key, value, indent, marked=True)


def _item(lines: list[str], node: str, item: dict[str, Any], fields: Mapping[str, Field], indent: str) -> None:
    """Write an element of a list: its name, then one short field on the same line or all fields in a block."""
    rest = dict(item)
    head = indent + node
    if NAME in rest and not _is_box(rest[NAME]):
        head += f" {_scalar(rest.pop(NAME))}"
        if len(rest) == 1:
            [(key, value)] = rest.items()
            line = f"{head} {_name(key)}={_scalar(value)}" if not _is_box(value) else ""
            if line and key not in fields and len(line) <= _WIDTH:
                lines.append(line)
                return
    if rest or head == indent + node:
        _block(lines, head, rest, fields, indent)
    else:
        lines.append(head)


def _block(lines: list[str], head: str, data: dict[str, Any], fields: Mapping[str, Field], indent: str) -> None:
    if not data:
        lines.append(f"{head} {{}}")
        return
    lines.append(f"{head} {{")
    for key, value in data.items():
        _field(lines, key, value, fields, indent + _INDENT)
    lines.append(indent + "}")


def _list(lines: list[str], head: str, values: list[Any]) -> None:
    """Write a list of scalars on as many lines as it takes."""
    line = head
    for value in values:
        text = _scalar(value)
        if line != head and len(line) + len(text) >= _WIDTH:
            lines.append(line)
            line = head
        line += f" {text}"
    lines.append(line)


def _plain(lines: list[str], key: str, value: Any, indent: str, *, marked: bool = False) -> None:
    """Write a value as plain data; ``marked`` when its name alone would mean something else."""
    name = _name(key)
    if isinstance(value, dict):
        is_marked = marked or (bool(value) and all(inner == ELEMENT for inner in value))
        head = f"{indent}{'(object)' * is_marked}{name}"
        if not value:
            lines.append(f"{head} {{}}")
            return
        lines.append(f"{head} {{")
        for inner, item in value.items():
            _plain(lines, inner, item, indent + _INDENT)
        lines.append(indent + "}")
    elif isinstance(value, list):
        if any(map(_is_box, value)):
            lines.append(f"{indent}{'(array)' * marked}{name} {{")
            for item in value:
                _plain(lines, ELEMENT, item, indent + _INDENT)
            lines.append(indent + "}")
        else:
            head = f"{indent}{'(array)' * (marked or len(value) < 2)}{name}"
            lines.append(" ".join([head, *map(_scalar, value)]))
    else:
        head = f"{indent}{'(value)' * marked}{name}"
        if isinstance(value, str) and "\n" in value and not _NOT_MULTI.search(value):
            lines.extend(_multi_line(head, value, indent + _INDENT))
        else:
            lines.append(f"{head} {_scalar(value)}")


def _is_box(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _is_json(value: Any) -> bool:
    """Say whether JSON text can hold the value."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _name(text: str) -> str:
    return text if _BARE.fullmatch(text) or text == ELEMENT else _quoted(text)


def _scalar(value: Any) -> str:
    """Return a value without parts on one line."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "#nan" if math.isnan(value) else "#inf" if value > 0 else "#-inf"
    if value is None or isinstance(value, bool):
        return f"#{json.dumps(value)}"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Return ``text`` in quotes: raw when that saves escapes."""
    if ('"' in text or "\\" in text) and not text.startswith('"') and not _NOT_RAW.search(text):
        hashes = _hashes(text, '"')
        return f'{hashes}"{text}"{hashes}'
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SIMPLE.get(character) or f"\\u{{{ord(character):x}}}"


def _hashes(text: str, quotes: str) -> str:
    """Return as many ``#`` as a raw string needs so that nothing in it ends it."""
    hashes = "#"
    while quotes + hashes in text:
        hashes += "#"
    return hashes


def _multi_line(head: str, text: str, indent: str) -> list[str]:
    """Return text of several lines between three quotes, which stand where its indentation begins."""
    hashes = _hashes(text, '"""') if "\\" in text or '"""' in text else ""
    rows = [indent + row if row else "" for row in text.split("\n")]
    return [f'{head} {hashes}"""', *rows, f'{indent}"""{hashes}']
