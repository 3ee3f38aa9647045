"""Specs in JSON5: JSON with comments, bare keys, trailing commas and single quotes."""

from __future__ import annotations

import json
import math
import re
from typing import Any, ClassVar

from torc_core.contracts.formats import ParsedSpec, SpecFormat
from torc_plugins.formats.json_grammar import JSON5
from torc_plugins.formats.json_reader import read
from torc_plugins.formats.source import Source, reading

_BARE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_WIDTH = 100


class Json5Format(SpecFormat):
    """JSON5, which is also what editors call JSON with comments."""

    name: ClassVar[str] = "json5"
    suffixes: ClassVar[tuple[str, ...]] = (".json5", ".jsonc")
    codes: ClassVar[dict[str, str]] = {"json5-syntax": "the text is not JSON5"}

    def loads(self, text: str) -> ParsedSpec:
        """Read a document; raises FormatError."""
        source = Source(text, self.name)
        with reading(source):
            data, tree = read(source, JSON5)
        return ParsedSpec(data, source.locator(tree))

    def dumps(self, data: Any) -> str:
        """Write ``data`` with bare keys where possible and a comma after every value."""
        lines: list[str] = []
        _put(lines, "", data, "", "")
        return "\n".join(lines) + "\n"


def _put(lines: list[str], head: str, value: Any, indent: str, comma: str) -> None:
    """Write ``value`` after ``head``; lists of scalars stay on one line when they are short."""
    if not isinstance(value, (dict, list)) or not value:
        lines.append(f"{head}{_scalar(value)}{comma}")
        return
    inner = indent + "  "
    if isinstance(value, dict):
        lines.append(head + "{")
        for key, item in value.items():
            _put(lines, f"{inner}{_key(key)}: ", item, inner, ",")
        lines.append(f"{indent}}}{comma}")
        return
    if not any(isinstance(item, (dict, list)) for item in value):
        line = f"{head}[{', '.join(map(_scalar, value))}]{comma}"
        if len(line) <= _WIDTH:
            lines.append(line)
            return
    lines.append(head + "[")
    for item in value:
        _put(lines, inner, item, inner, ",")
    lines.append(f"{indent}]{comma}")


def _scalar(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    # The two separators are legal in strings, but old readers of JavaScript take them for line ends.
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _scalar(key)
