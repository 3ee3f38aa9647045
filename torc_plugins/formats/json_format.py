"""Specs in JSON: read by the standard library, and again with places when one is needed."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from torc_core.contracts.formats import ParsedSpec, SpecFormat
from torc_core.problems import Locate, Path
from torc_plugins.formats.source import NESTING, NUMBER_LENGTH, Source, Tree, reading

_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class JsonFormat(SpecFormat):
    """Strict JSON."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    codes: ClassVar[dict[str, str]] = {"json-syntax": "the text is not JSON"}

    def loads(self, text: str) -> ParsedSpec:
        """Read a document; raises FormatError. Places are looked up when the first one is asked for."""
        source = Source(text, self.name)
        with reading(source):
            try:
                data = _read_fast(source.text)
            except (ValueError, RecursionError):
                data, tree = _read_with_places(source)
                return ParsedSpec(data, source.locator(tree))
        return ParsedSpec(data, _lazy(source))

    def dumps(self, data: Any) -> str:
        """Write ``data`` with two spaces of indentation; raises ValueError for infinity and not-a-number."""
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _lazy(source: Source) -> Locate:
    """Return a function that finds values and reads the text again, with places, when it is first called."""
    found: Locate | None = None

    def locate(path: Path) -> tuple[int, int]:
        nonlocal found
        if found is None:
            with reading(source):
                found = source.locator(_read_with_places(source)[1])
        return found(path)

    return locate


def _read_with_places(source: Source) -> tuple[Any, Tree]:
    """Read carefully; only here, since most documents are all right and the patterns take long to compile."""
    from torc_plugins.formats.json_grammar import JSON
    from torc_plugins.formats.json_reader import read

    return read(source, JSON)


def _read_fast(text: str) -> Any:
    """Read what is surely all right; raises ValueError or RecursionError when the careful reader must look."""
    if _LONE_SURROGATE.search(text):
        raise ValueError
    data = json.loads(
        text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite, parse_int=_short_integer
    )
    if is_deeper(data, NESTING):
        raise ValueError
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _finite(text: str) -> float:
    value = float(text)
    if len(text) > NUMBER_LENGTH or value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def _short_integer(text: str) -> int:
    if len(text) > NUMBER_LENGTH:
        raise ValueError
    return int(text)


def is_deeper(data: Any, levels: int) -> bool:
    """Say whether containers are nested deeper than ``levels``, looking at one level after the other."""
    level = [data] if isinstance(data, (dict, list)) else []
    for _ in range(levels):
        level = [
            item
            for box in level
            for item in (box.values() if box.__class__ is dict else box)
            if item.__class__ is dict or item.__class__ is list
        ]
        if not level:
            return False
    return bool(level)
