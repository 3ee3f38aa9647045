"""Peaks and averages of many jobs as bars, one job a line, as parts of an SVG document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torc_core.planning.chart_page import LETTER, label, shortened, text
from torc_core.planning.chart_scale import number
from torc_core.plots.line_chart import WIDTH
from torc_core.plots.scales import Scale, Unit, scale_for

_NAMES, _BETWEEN, _RIGHT = 230, 40, 70
_LINE, _TOP = 22, 46

STYLE = ".avg{stroke:#10151c;stroke-width:2}"
DARK_STYLE = ".avg{stroke:#e6edf3}"


class Bars(NamedTuple):
    """One column of bars: the peak as a bar and the average as a mark, for each name; None is not known."""

    title: str
    unit: Unit
    colour: int
    peaks: Sequence[float | None]
    averages: Sequence[float | None]


def bars(names: Sequence[str], columns: Sequence[Bars], y: float) -> tuple[list[str], float]:
    """Return the picture below ``y`` and where it ends."""
    parts: list[str] = []
    width = (WIDTH - _NAMES - len(columns) * (_BETWEEN + _RIGHT)) / max(1, len(columns))
    bottom = y + _TOP + _LINE * len(names)
    for place, name in enumerate(names):
        row = y + _TOP + place * _LINE
        parts.append(label(_NAMES - 10, row + 14, shortened(name, int((_NAMES - 20) / LETTER)), "e"))
    for place, column in enumerate(columns):
        left = _NAMES + place * (width + _BETWEEN + _RIGHT)
        parts += _column(column, names, left, width, y, bottom)
    return parts, bottom + 16


def _column(column: Bars, names: Sequence[str], left: float, width: float, y: float, bottom: float) -> Iterator[str]:
    scale = scale_for(max((peak for peak in column.peaks if peak is not None), default=0.0), column.unit)
    yield label(left, y + 16, column.title, "t")
    for value in scale.ticks()[:: 2 if len(scale.ticks()) > 4 else 1]:
        x = left + value / scale.top * width
        yield f'<path class="grid" d="M{number(x)} {number(y + _TOP - 4)}V{number(bottom)}"/>'
        yield label(x, y + _TOP - 10, column.unit.write(value), "m c")
    for place, (name, peak, average) in enumerate(zip(names, column.peaks, column.averages, strict=True)):
        yield from _bar(column, name, peak, average, (left, y + _TOP + place * _LINE), width, scale)


def _bar(
    column: Bars, name: str, peak: float | None, average: float | None, at: tuple[float, float], width: float,
    scale: Scale,
) -> Iterator[str]:  # fmt: skip
    left, top = at
    if peak is None:
        yield label(left + 4, top + 14, "not known", "m")
        return
    length = max(1.0, peak / scale.top * width)
    words = f"{name}\nat most {column.unit.write(peak)}"
    if average is not None:
        words += f", on average {column.unit.write(average)}"
    yield (
        f'<rect class="f{column.colour}" x="{number(left)}" y="{number(top + 3)}" width="{number(length)}" '
        f'height="{_LINE - 6}" rx="2"><title>{text(words)}</title></rect>'
    )
    if average is not None:
        x = left + average / scale.top * width
        yield f'<path class="avg" d="M{number(x)} {number(top + 1)}v{_LINE - 2}"/>'
    yield label(left + length + 6, top + 14, column.unit.write(peak), "m")
