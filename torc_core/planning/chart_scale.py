"""Scales of a chart in time: where ticks go and what they say, and how much is in use along the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from torc_core.units import DAY, HOUR, MINUTE

_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 5)),
)
_MOST_TICKS = 10


def time_ticks(seconds: float) -> list[float]:
    """Return the moments to mark from 0 to ``seconds``: at most eleven, at round distances."""
    step = next((step for step in _STEPS if seconds <= step * _MOST_TICKS), None)
    if step is None:
        power = 10 * DAY
        while step is None:
            step = next((power * n for n in (1, 2, 5) if seconds <= power * n * _MOST_TICKS), None)
            power *= 10
    return [float(step * n) for n in range(int(seconds // step) + 1)]


def time_label(seconds: float) -> str:
    """Write a moment with its units that are not zero: ``1h 30m``, ``2d``, ``45s``."""
    rest, parts = int(seconds), []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,}{unit}")
    return " ".join(parts) or "0s"


def highest_per_column(spans: Iterable[tuple[float, float, int]], seconds: float, columns: int) -> list[int]:
    """Return how much is in use at most in each of ``columns`` equal parts of ``seconds``.

    Each span is start, end and an amount. A span without length counts in the column where it lies.
    """
    changes: dict[float, int] = {}
    highest = [0] * columns
    width = seconds / columns if seconds else 1.0
    moments: dict[float, int] = {}
    for start, end, amount in spans:
        changes[start] = changes.get(start, 0) + amount
        changes[end] = changes.get(end, 0) - amount
        if start == end:
            moments[start] = moments.get(start, 0) + amount
    used = 0
    times = sorted(changes)
    for time, after in zip(times, [*times[1:], seconds], strict=False):
        used += changes[time]
        first = min(int(time / width), columns - 1)
        _raise(highest, first, first + 1, used + moments.get(time, 0))
        _raise(highest, first, min(ceil(after / width), columns), used)
    return highest


def _raise(highest: list[int], first: int, last: int, amount: int) -> None:
    for column in range(first, last):
        highest[column] = max(highest[column], amount)


def stair_points(heights: Sequence[float], left: float, bottom: float, column: float) -> str:
    """Return the path of a filled stair line: one step a column, equal neighbours drawn as one."""
    path = [f"M{number(left)} {number(bottom)}"]
    last: float | None = None
    for place, height in enumerate(heights):
        if height != last:
            path.append(f"H{number(left + place * column)}V{number(bottom - height)}")
            last = height
    return "".join([*path, f"H{number(left + len(heights) * column)}V{number(bottom)}Z"])


def number(value: float) -> str:
    """Write a coordinate with as many digits as can be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
