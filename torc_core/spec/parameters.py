"""Parameter values: ranges, lists, files and single values, as text or as native lists and numbers.

The first rule that fits decides: ``@file``, one pair of braces without a comma is dropped, ``[list]``, anything with a
colon is a range, everything else is one value. Integers have 64 bits; a longer one is a float.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from torc_core.errors import TorcError
from torc_core.records.values import Json
from torc_core.spec.findings import BadText

Scalar = int | float | str
ReadFile = Callable[[str], str]
"""Returns the text of a file, relative to the spec's folder; raises OSError, ValueError or TorcError."""

LIMIT = 1_000_000
"""Combinations of one item, and values of one parameter; a whole spec may have twice as many."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:inf|infinity|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.IGNORECASE | re.ASCII
)
_INT64 = 2**63
_INT64_DIGITS = 19
_SLACK = 1e-10  # float ranges include an end that was missed by rounding


def scalar(text: str) -> Scalar:
    """Read one value: an integer, else a float, else the text itself."""
    if _INTEGER.fullmatch(text):
        number = _integer(text)
        return float(text) if number is None else number
    return float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str) -> int | None:
    """Return the 64-bit integer that ``text`` is, or None."""
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-0")) > _INT64_DIGITS:
        return None
    digits = text.lstrip("+-").lstrip("0") or "0"
    number = -int(digits) if text[0] == "-" else int(digits)
    return number if -_INT64 <= number < _INT64 else None


def _float(text: str) -> float | None:
    return float(text) if _FLOAT.fullmatch(text) else None


def number_text(number: float) -> str:
    """Write a float with the shortest digits that read back the same, never with an exponent or a forced ``.0``."""
    text = repr(number)
    if "e" in text:
        from decimal import Decimal  # rare

        return format(Decimal(text), "f")
    return "NaN" if text == "nan" else text.removesuffix(".0")


def values_of(value: Json, read_file: ReadFile | None = None, limit: int = LIMIT) -> Sequence[Scalar]:
    """Return the values that a parameter stands for; none is possible. Raises BadText.

    Native lists are taken item by item, native numbers as they are; everything else that is not text counts as its
    compact JSON text.
    """
    if isinstance(value, list):
        values: Sequence[Scalar] = [native(item) for item in value]
    elif isinstance(value, str):
        values = _values_of_text(value.strip(), read_file, limit)
    elif isinstance(value, dict):
        values = _values_of_text(str(native(value)), read_file, limit)
    else:
        values = [native(value)]
    if len(values) > limit:
        raise _too_many(limit)
    return values


def native(value: Json) -> Scalar:
    """Return a JSON value as one parameter value: numbers and text as they are, the rest as compact JSON text."""
    if isinstance(value, str | float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if -_INT64 <= value < _INT64:
            return value
        try:
            return float(value)
        except OverflowError:  # the same digits as text are infinity too
            return math.inf if value > 0 else -math.inf
    import json

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _values_of_text(text: str, read_file: ReadFile | None, limit: int) -> Sequence[Scalar]:
    if text.startswith("@"):
        return lines_of(text[1:].strip(), read_file)
    if text.startswith("{") and text.endswith("}") and "," not in text:
        text = text[1:-1].strip()
    if text.startswith("[") and text.endswith("]"):
        return _list_items(text)
    if ":" in text:
        return _range(text, limit)
    return [scalar(text)]


def _list_items(text: str) -> list[Scalar]:
    inner = text.lstrip("[").rstrip("]").strip()
    return [_list_item(part.strip()) for part in inner.split(",")] if inner else []


def _list_item(text: str) -> Scalar:
    value = scalar(text)
    return value.strip("'").strip('"') if isinstance(value, str) else value


def _range(text: str, limit: int) -> Sequence[Scalar]:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3):
        raise _not_a_range(text, "it has more than three parts")
    start, end = parts[:2]
    step = parts[2] if len(parts) == 3 else ""
    first, last = _integer(start), _integer(end)
    if first is not None and last is not None:
        return _integer_range(text, first, last, step, limit)
    low, high = _float(start), _float(end)
    if low is None or high is None:
        raise _not_a_range(text, f"{(start if low is None else end)!r} is not a number")
    return _float_range(text, low, high, step, limit)


def _integer_range(text: str, first: int, last: int, step: str, limit: int) -> range:
    by = _integer(step) if step else 1
    if by is None:
        hint = f"Write {first}.0 for the start to count in fractions." if _float(step) is not None else ""
        raise _not_a_range(text, f"the step {step!r} is not a whole number, but both ends are", hint)
    if by == 0:
        raise _not_a_range(text, "the step is zero")
    if (last - first) // by >= limit:
        raise _too_many(limit)
    return range(first, last + (1 if by > 0 else -1), by)


def _float_range(text: str, low: float, high: float, step: str, limit: int) -> list[Scalar]:
    by = _float(step) if step else 1.0
    if by is None or math.isnan(by):
        raise _not_a_range(text, f"the step {step!r} is not a number")
    if by == 0:
        raise _not_a_range(text, "the step is zero")
    values: list[Scalar] = []
    value = low
    while (value <= high + _SLACK) if by > 0 else (value >= high - _SLACK):
        if len(values) >= limit:
            raise _too_many(limit)
        values.append(value)
        value += by
    return values


def _not_a_range(text: str, why: str, hint: str = "") -> BadText:
    hint = hint or f"A colon means start:end or start:end:step; write [{text}] for a text with a colon."
    return BadText(f"cannot read {text!r} as a range: {why}", hint=hint)


def _too_many(limit: int) -> BadText:
    return BadText(
        f"more than {limit:,} values", hint="Use a larger step, or several workflows.", code="expansion-too-large"
    )


def lines_of(name: str, read_file: ReadFile | None) -> list[Scalar]:
    """Return the values in a file, one on each line; blank lines and lines that start with # do not count."""
    if not name:
        raise BadText("@ without the name of a file", hint="Write @values.txt.", code="param-file")
    lines = (line.strip() for line in text_of(name, read_file, "param-file").splitlines())
    return [scalar(line) for line in lines if line and not line.startswith("#")]


def text_of(name: str, read_file: ReadFile | None, code: str) -> str:
    """Return the text of a file that a spec names; raises BadText with ``code`` when it cannot be had."""
    if read_file is None:
        raise BadText(f"{name!r} cannot be read: files are not available here", code=code)
    try:
        return read_file(name).removeprefix("\ufeff")
    except OSError as exc:
        raise BadText(f"{name!r} cannot be read: {exc.strerror or exc}", code=code) from exc
    except (TorcError, ValueError) as exc:
        raise BadText(f"{name!r} cannot be read: {exc}", code=code) from exc
