"""Scales of values: round steps for numbers and for bytes, and points that are close together as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

from torc_core.units import human_memory

_MOST_TICKS = 5


class Scale(NamedTuple):
    """From 0 to ``top``, marked every ``step``."""

    top: float
    step: float

    def ticks(self) -> list[float]:
        """Return the values to mark."""
        return [self.step * n for n in range(round(self.top / self.step) + 1)]


class Unit(NamedTuple):
    """What values are, for people."""

    write: Callable[[float], str]
    is_binary: bool = False
    least: float = 1.0  # the scale reaches so far at least


def percent(value: float) -> str:
    """Write a share."""
    return f"{value:,.0f}%" if value >= 10 or value == int(value) else f"{value:.1f}%"


def count(value: float) -> str:
    """Write a number of things."""
    return f"{value:,.0f}"


def byte_rate(value: float) -> str:
    """Write bytes in a second."""
    return f"{_short(value)}/s"


def _short(size: float) -> str:
    """Write bytes without a fraction that is nothing: ``64 MiB``."""
    return human_memory(size).replace(".0 ", " ")


PERCENT = Unit(percent, least=100.0)
COUNT = Unit(count, least=2.0)
BYTES = Unit(_short, is_binary=True, least=1024.0)
BYTE_RATE = Unit(byte_rate, is_binary=True, least=1024.0)


def scale_for(highest: float, unit: Unit) -> Scale:
    """Return a scale on which ``highest`` has room: at most six marks at round values."""
    highest = max(highest, unit.least)
    power = 1
    while True:
        for factor in (1, 2, 4, 8) if unit.is_binary else (1, 2, 5):
            step = power * factor
            if highest <= step * _MOST_TICKS:
                return Scale(float(step * ceil(highest / step)), float(step))
        power *= 16 if unit.is_binary else 10


def thinned(points: Sequence[tuple[float, float]], column: float) -> list[tuple[float, float]]:
    """Return at most the lowest and the highest point of each column of that width, in the order of time."""
    if len(points) < 3 or column <= 0:
        return list(points)
    kept: list[tuple[float, float]] = []
    group: list[tuple[float, float]] = []
    place = None
    for point in points:
        here = int(point[0] / column)
        if here != place and group:
            kept += _extremes(group)
            group = []
        place = here
        group.append(point)
    return kept + _extremes(group)


def _extremes(group: list[tuple[float, float]]) -> list[tuple[float, float]]:
    low, high = min(group, key=lambda p: p[1]), max(group, key=lambda p: p[1])
    return [low] if low == high else sorted({low, high})
