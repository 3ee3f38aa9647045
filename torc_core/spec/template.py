"""Texts with parameter tokens: ``{name}`` and ``{name:spec}``, replaced in one pass from left to right.

Names count exactly as written; there is no escape for braces, and what is no token of a parameter stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from torc_core.spec.findings import BadText
from torc_core.spec.parameters import Scalar, number_text

_ZERO_PADDED = re.compile(r"0\+?([0-9]+)d")
_DECIMALS = re.compile(r"\.\+?([0-9]+)f")
_WIDEST = 1000
TOKEN = re.compile(r"(?<!\$)(?<!\\[pPx])\{([A-Za-z_][A-Za-z0-9_]*)(:[^}]*)?\}")
"""What looks like a token; not after $, which is the shell's, nor in the classes \\p{L} and \\x{41} of patterns."""
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
IDENTIFIER_HINT = "Use letters, digits and underscores, not a digit first."


class Template(NamedTuple):
    """A text that was taken apart once: ``pattern % texts`` is the result, one text for each of ``tokens``."""

    pattern: str
    tokens: tuple[tuple[str, str], ...]
    """Parameter and format spec, empty when there is none."""


def compile_template(text: str, names: tuple[str, ...]) -> Template | None:
    """Take ``text`` apart at the tokens of ``names``, or return None when it has none. Raises BadText."""
    if "{" not in text:
        return None
    parts = _tokens_of(names).split(text)
    if len(parts) == 1:
        return None
    pattern = [parts[0].replace("%", "%%")]
    tokens = []
    for name, spec, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        tokens.append((name, checked_spec(spec or "")))
        pattern.append(literal.replace("%", "%%"))
    return Template("%s".join(pattern), tuple(tokens))


@lru_cache(maxsize=256)
def _tokens_of(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(r"\{(" + "|".join(map(re.escape, longest_first)) + r")(?::([^}]*))?\}")


def checked_spec(spec: str) -> str:
    """Return a format spec unless it asks for an absurd width; raises BadText."""
    match = _ZERO_PADDED.fullmatch(spec) or _DECIMALS.fullmatch(spec)
    digits = match[1].lstrip("0") if match else ""
    if len(digits) > 4 or int(digits or 0) > _WIDEST:
        raise BadText(f"the format {spec!r} asks for more than {_WIDEST} digits", code="token-format")
    return spec


def format_value(value: Scalar, spec: str = "") -> str:
    """Write a parameter value: ``0Nd`` pads integers, ``.Nf`` rounds floats, other specs are ignored."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        match = _ZERO_PADDED.fullmatch(spec) if spec else None
        return str(value) if match is None else format(value, f"0{int(match[1])}d")
    match = _DECIMALS.fullmatch(spec) if spec else None
    if match is None or value - value != 0:  # not for inf and nan
        return number_text(value)
    return format(value, f".{int(match[1])}f")


def render(text: str, values: dict[str, Scalar]) -> str:
    """Replace the tokens of ``values`` in one text. Raises BadText."""
    template = compile_template(text, tuple(values)) if values else None
    if template is None:
        return text
    return template.pattern % tuple(format_value(values[name], spec) for name, spec in template.tokens)


def left_over(text: str, known: Collection[str]) -> list[tuple[str, str]]:
    """Return ``(token, name)`` of what looks like a token, but is none of the ``known`` parameters."""
    if "{" not in text:
        return []
    return [(match[0], match[1]) for match in TOKEN.finditer(text) if match[1] not in known]
