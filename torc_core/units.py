"""Memory sizes and durations, as specs and the API write them and as people read them."""

from __future__ import annotations

import re
from functools import lru_cache

KIB = 1024
_FACTOR = {"": 1, "k": KIB, "m": KIB**2, "g": KIB**3, "t": KIB**4}
_MEMORY = re.compile(r"\+?([0-9]+)([kmgt]?)", re.IGNORECASE)
_LARGEST = 2**63 - 1

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
YEAR, MONTH = 31_557_600, 2_629_800
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:[.,][0-9]+)?S)?)?"
)
_DURATION_UNITS = (YEAR, MONTH, WEEK, DAY, HOUR, MINUTE, 1)


class UnitError(ValueError):
    """A quantity that cannot be read; carries the text as it was written."""

    def __init__(self, text: str, *, expected: str) -> None:
        super().__init__(f"cannot read {text!r}: expected {expected}")
        self.text = text
        self.expected = expected


@lru_cache(maxsize=4096)
def parse_memory(text: str) -> int:
    """Return the number of bytes that ``text`` stands for.

    Units are binary: ``"2g"`` is 2 * 1024**3 bytes; no unit means bytes. Raises UnitError when it is not a size.
    """
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise UnitError(text, expected="a whole number and k, m, g or t, like '512m'")
    size = _number(match[1]) * _FACTOR[match[2].lower()]
    if size > _LARGEST:
        raise UnitError(text, expected="fewer bytes than 64 bits count")
    return size


def _number(digits: str) -> int:
    """Return the number that digits are; of one beyond 64 bits, one that is beyond them too, however long it is."""
    return int(digits.lstrip("0")[:20] or "0")


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> int:
    """Return the whole seconds that an ISO 8601 duration stands for; fractions of a second are dropped.

    A year counts 31,557,600 s and a month 2,629,800 s. Text that the original reads as zero by accident (``PT1.5H``,
    ``PT2h``, trailing words) is refused with UnitError.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise UnitError(text, expected="an ISO 8601 duration like 'PT30M', 'PT2H' or 'P1DT12H'")
    seconds = sum(_number(count or "0") * unit for count, unit in zip(match.groups(), _DURATION_UNITS, strict=True))
    if seconds > _LARGEST:
        raise UnitError(text, expected="a duration that fits 64 bits of seconds")
    return seconds


def format_memory(size: int) -> str:
    """Write bytes in the notation of specs, with the largest unit that divides them: ``2147483648`` is ``2g``."""
    for unit in "tgmk":
        if size and size % _FACTOR[unit] == 0:
            return f"{size // _FACTOR[unit]}{unit}"
    return str(size)


def human_memory(size: float) -> str:
    """Write bytes for people, three digits: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"


def format_duration(seconds: int) -> str:
    """Write whole seconds as an ISO 8601 duration in days, hours, minutes and seconds."""
    days, rest = divmod(seconds, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, secs = divmod(rest, MINUTE)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (secs, "S")) if count)
    day = f"{days}D" if days else ""
    return f"P{day}T{time}" if time else f"P{day}" if day else "PT0S"


def counted(count: int, word: str) -> str:
    """Write a count with its word, whose plural ends in s: ``1 job``, ``1,000 jobs``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def human_duration(seconds: float) -> str:
    """Write seconds for people: ``3h 2m 1s``, ``2m 1s`` or, below a minute, ``1.5s``."""
    if seconds < MINUTE:
        return f"{seconds:.1f}s"
    hours, rest = divmod(int(seconds), HOUR)
    minutes, secs = divmod(rest, MINUTE)
    return f"{hours}h {minutes}m {secs}s" if hours else f"{minutes}m {secs}s"
