"""Charts of values over time, one below the other with the same time axis, as parts of an SVG document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torc_core.planning.chart_page import COLOURS, LETTER, OTHER_COLOUR, label, shortened, text
from torc_core.planning.chart_scale import number, time_label, time_ticks
from torc_core.plots.scales import Scale, Unit, scale_for, thinned

WIDTH = 1200
_LEFT, _RIGHT = 96, 24
_PLOT = WIDTH - _LEFT - _RIGHT
_HEIGHT, _GAP = 150, 52
_MOST_DOTS = 150  # samples of one line that are marked, with their figures to be read
_FEW = 3  # lines whose names are beside the title, and whose samples are marked
OTHER = -1
"""The colour of lines that have none of their own."""

STYLE = (
    "path.l{fill:none;stroke-width:1.6;stroke-linejoin:round}path.l-1{stroke-width:1;stroke-opacity:.55}"
    "path.a{stroke:none;fill-opacity:.22}.cap{stroke:#b42318;stroke-dasharray:4 3;fill:none}"
    ".t{font-size:13px;font-weight:600}"
    + "".join(f".l{i}{{stroke:{c}}}.f{i}{{fill:{c}}}" for i, c in enumerate(COLOURS))
    + f".l-1{{stroke:{OTHER_COLOUR}}}.f-1{{fill:{OTHER_COLOUR}}}"
)
DARK_STYLE = ".cap{stroke:#ff8f87}"


class Line(NamedTuple):
    """Points are seconds since the beginning of the chart, and values; a new stretch begins after a pause."""

    name: str
    stretches: Sequence[Sequence[tuple[float, float]]]
    colour: int = 0
    is_filled: bool = False


class Chart(NamedTuple):
    """One chart; ``limit`` is a value to be marked, what there is at most say."""

    title: str
    unit: Unit
    lines: Sequence[Line]
    limit: float | None = None


def charts(drawn: Sequence[Chart], seconds: float, y: float) -> tuple[list[str], float]:
    """Return the charts below ``y`` and where they end."""
    parts: list[str] = []
    px_per_second = _PLOT / seconds if seconds > 0 else 0.0
    for chart in drawn:
        top, bottom = y + _GAP - 12, y + _GAP - 12 + _HEIGHT
        parts += _frame(chart, seconds, px_per_second, y, top, bottom)
        y = bottom + 26
    return parts, y


def _frame(chart: Chart, seconds: float, px_per_second: float, y: float, top: float, bottom: float) -> Iterator[str]:
    values = [value for line in chart.lines for stretch in line.stretches for _, value in stretch]
    scale = scale_for(max([*values, chart.limit or 0.0], default=0.0), chart.unit)
    peak = f", at most {chart.unit.write(max(values))}" if values else ": nothing was seen"
    yield label(_LEFT, y + 18, f"{chart.title}{peak}", "t")
    if 1 < len(chart.lines) <= _FEW:
        x = float(WIDTH - _RIGHT)
        for line in reversed(chart.lines):
            x -= LETTER * 1.1 * len(line.name) + 34
            yield f'<rect class="f{line.colour}" x="{number(x)}" y="{number(y + 7)}" width="12" height="12" rx="2"/>'
            yield label(x + 18, y + 17.5, line.name)
    for value in scale.ticks():
        height = bottom - value / scale.top * _HEIGHT
        yield f'<path class="grid" d="M{_LEFT} {number(height)}h{_PLOT}"/>'
        yield label(_LEFT - 8, height + 4, chart.unit.write(value), "m e")
    for moment in time_ticks(seconds):
        x = _LEFT + moment * px_per_second
        yield f'<path class="grid" d="M{number(x)} {number(top)}V{number(bottom)}"/>'
        yield label(x, bottom + 16, time_label(moment), "m c")
    if chart.limit is not None:
        yield f'<path class="cap" d="M{_LEFT} {number(bottom - chart.limit / scale.top * _HEIGHT)}h{_PLOT}"/>'
    for line in sorted(chart.lines, key=lambda line: line.colour != OTHER):  # those without a colour lie below
        yield from _line(line, chart, scale, px_per_second, bottom)


def _line(line: Line, chart: Chart, scale: Scale, px_per_second: float, bottom: float) -> Iterator[str]:
    column = 1 / px_per_second if px_per_second else 0.0
    shown = [thinned(stretch, column) for stretch in line.stretches if stretch]
    places = [[(_LEFT + t * px_per_second, bottom - v / scale.top * _HEIGHT) for t, v in stretch] for stretch in shown]
    if line.is_filled:
        for stretch in places:
            yield f'<path class="a f{line.colour}" d="{_path(stretch)}V{number(bottom)}H{number(stretch[0][0])}Z"/>'
    drawn = "".join(_path(stretch) for stretch in places)
    if drawn:
        yield f'<path class="l l{line.colour}" d="{drawn}"><title>{text(line.name)}</title></path>'
    has_dots = sum(map(len, shown)) <= _MOST_DOTS and len(chart.lines) <= _FEW
    for stretch, at in zip(shown, places, strict=True):
        if not has_dots and len(stretch) > 1:  # one sample alone is no line
            continue
        for (moment, value), (x, y) in zip(stretch, at, strict=True):
            words = f"{line.name}\n{chart.unit.write(value)} after {time_label(moment)}"
            yield (
                f'<circle class="f{line.colour}" cx="{number(x)}" cy="{number(y)}" r="2.5">'
                f"<title>{text(words)}</title></circle>"
            )


def _path(stretch: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in stretch)


def legend(names: Sequence[tuple[int, str]], y: float) -> tuple[list[str], float]:
    """Return the names of lines beside their colours, below ``y``, and where they end."""
    parts, x = [], 16.0
    for colour, name in names:
        name = shortened(name, 40)
        width = 18 + LETTER * 1.1 * len(name) + 18
        if x + width > WIDTH - 16 and x > 16:
            x, y = 16.0, y + 20
        parts.append(f'<rect class="f{colour}" x="{number(x)}" y="{number(y)}" width="12" height="12" rx="2"/>')
        parts.append(label(x + 18, y + 10.5, name))
        x += width
    return parts, y + 20 if names else y
