"""Plain data as YAML in block style: one value per line, literal blocks for long commands, quotes where needed."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from torc_core.contracts.formats import Plain
from torc_plugins.formats.yaml_scalars import resolve

_INDENT = 2
_KEY_LENGTH = 500  # YAML lets the short form of a key have 1024 characters; escapes can double what we write

_ESCAPED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UNPRINTABLE = re.compile("[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NEEDS_QUOTES = re.compile(r"[\s?:,\[\]{}#&*!|>'\"%@`]|-(?:\s|--|$)|\.\.\.|.*(?::\s|:$|\s#|[\t\n]| $)", re.DOTALL)


def write(data: Any) -> str:
    """Return ``data`` as a document."""
    lines: list[str] = []
    _put(lines, "", data, 0, inline=True)
    return "\n".join(lines) + "\n"


def _put(lines: list[str], head: str, value: Any, indent: int, *, inline: bool) -> None:
    """Write ``value`` after ``head``; what does not fit on that line is indented by ``indent``.

    ``inline`` says that a container may begin on the line of ``head``, as in ``- name: x``.
    """
    lead = f"{head} " if head else ""
    if not isinstance(value, (dict, list)) or not value:
        lines += _scalar(lead, value, max(indent, _INDENT))
        return
    if not inline:
        lines.append(head)
        lead = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            text = _text(key)
            if len(text) > _KEY_LENGTH:
                lines.append(f"{lead}? {text}")
                _put(lines, " " * indent + ":", item, indent + _INDENT, inline=True)
            else:
                _put(lines, f"{lead}{text}:", item, indent + _INDENT, inline=False)
            lead = " " * indent
    else:
        for item in value:
            _put(lines, f"{lead}-", item, indent + _INDENT, inline=True)
            lead = " " * indent


def _scalar(lead: str, value: Any, indent: int) -> list[str]:
    """Return the lines of a value without parts."""
    if isinstance(value, str):
        if _is_literal(value):
            return _literal(lead, value, indent)
        return [lead + _text(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return [lead + (".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf")]
    return [lead + json.dumps(value)]


def _text(text: str) -> str:
    """Return ``text`` on one line, in quotes when it would be read as something else without them."""
    if text and not _NEEDS_QUOTES.match(text) and not _ESCAPED.search(text) and not isinstance(resolve(text), Plain):
        return text if text != "<<" else '"<<"'
    return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_literal(text: str) -> bool:
    """Say whether ``text`` can be a literal block: several lines, the first of which shows the indentation."""
    return "\n" in text and text.lstrip("\n")[:1] not in ("", " ", "\t") and not _UNPRINTABLE.search(text)


def _literal(lead: str, text: str, indent: int) -> list[str]:
    """Return ``text`` as a literal block; the sign after ``|`` tells how many line ends it has at its end."""
    keep = "" if text.endswith("\n") and not text.endswith("\n\n") else "+" if text.endswith("\n") else "-"
    rows = text.removesuffix("\n").split("\n")
    return [f"{lead}|{keep}", *(" " * indent + row if row else "" for row in rows)]
