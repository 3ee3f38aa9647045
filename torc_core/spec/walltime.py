"""Walltimes as Slurm schedulers have them in specs: ``MM``, ``HH:MM``, ``HH:MM:SS`` and ``D-HH[:MM[:SS]]``."""

from __future__ import annotations

import re

from torc_core.units import DAY, HOUR, MINUTE, UnitError

_WALLTIME = re.compile(
    r"(?:(?P<minutes>[0-9]{1,9})|(?:(?P<d>[0-9]{1,6})-)?(?P<h>[0-9]{1,6})(?::(?P<m>[0-9]{1,6})(?::(?P<s>[0-9]{1,6}))?)?)"
)


def parse_walltime(text: str) -> int:
    """Return the seconds of a walltime; a bare number means minutes, as in Slurm. Raises UnitError."""
    match = _WALLTIME.fullmatch(text.strip())
    if match is None:
        raise UnitError(text, expected="a walltime like '04:00:00' or '2-00:00:00'")
    if match["minutes"]:
        return int(match["minutes"]) * MINUTE
    days, hours, minutes, seconds = (int(match[part] or 0) for part in "dhms")
    return days * DAY + hours * HOUR + minutes * MINUTE + seconds


def is_bare_number(text: str) -> bool:
    """Whether a walltime is a number alone, which is easily mistaken for hours."""
    return text.strip().isdecimal()
