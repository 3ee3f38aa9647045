"""A schedule as a picture: one line for each job that runs beside others, and below what is in use. No I/O.

The SVG and the page stand for themselves: no script, no font, no address. They follow light and dark surroundings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torc_core.planning.chart_bars import OTHER, Bar, colour_groups, lines
from torc_core.planning.chart_page import (
    COLOURS,
    LETTER,
    OTHER_COLOUR,
    facts_list,
    html_page,
    label,
    shortened,
    svg_document,
    text,
)
from torc_core.planning.chart_scale import highest_per_column, number, stair_points, time_label, time_ticks
from torc_core.planning.schedule import Entry, Peak, Schedule
from torc_core.units import counted, human_memory

_WIDTH, _LEFT, _RIGHT = 1200, 80, 24
_PLOT = _WIDTH - _LEFT - _RIGHT
_MOST_LINES, _LINES_HEIGHT, _MOST_LINE_HEIGHT = 200, 800, 22
_STRIP, _STRIP_GAP = 56, 34
_SHOWN_REASONS = 6

_STYLE = (
    ".n{font-size:11px;fill:#10151c;pointer-events:none}.r{fill:#b42318}.cap{stroke:#b42318;stroke-dasharray:4 3}"
    ".b{stroke:#fff;stroke-width:.5}.p{stroke:#10151c;stroke-width:2}.use{fill:#6b9bd1;fill-opacity:.75}"
    + "".join(f".g{i}{{fill:{colour}}}" for i, colour in enumerate(COLOURS))
    + f".g-1{{fill:{OTHER_COLOUR}}}"
)
_DARK_STYLE = ".n{fill:#10151c}.r{fill:#ff8f87}.cap{stroke:#ff8f87}.b{stroke:#0d1117}.p{stroke:#fff}"


class _Strip(NamedTuple):
    """One chart of what is in use."""

    label: str
    amount: Callable[[Entry], int]
    capacity: int
    peak: Peak
    text: Callable[[float], str]


def svg(schedule: Schedule, title: str) -> str:
    """Return the picture as an SVG document."""
    return _picture(schedule, title, stands_alone=True)


def html(schedule: Schedule, title: str) -> str:
    """Return a page with the picture, the figures, what never starts and the critical path."""
    unstarted = "".join(f"<li>{text(_some(group.names))}: {text(group.reason)}</li>" for group in schedule.unstarted)
    never = f"<h2>Jobs that never start</h2><ul>{unstarted}</ul>" if unstarted else ""
    return html_page(title, f"{facts_list(schedule.summary())}{never}{_picture(schedule, title, stands_alone=False)}")


def _picture(schedule: Schedule, title: str, *, stands_alone: bool) -> str:
    seconds = schedule.makespan_seconds
    px_per_second = _PLOT / seconds if seconds else 0.0
    groups = colour_groups(schedule.entries, len(COLOURS))
    drawn = lines(schedule.entries, groups, px_per_second, _MOST_LINES)
    parts: list[str] = []
    y = 16.0
    if stands_alone:
        parts.append(label(16, 30, title, "h"))
        parts.append(label(16, 52, _facts(schedule), "m"))
        y = 68.0
    legend, y = _legend(groups, schedule, y)
    parts += legend
    height = _line_height(len(drawn.bars))
    top, bottom = y + 22, y + 22 + height * len(drawn.bars)
    strips = _strips(schedule)
    end = bottom + len(strips) * (_STRIP + _STRIP_GAP)
    parts += _time_axis(seconds, px_per_second, top, end)
    parts += _line_labels(len(drawn.bars), drawn.rows_per_line, top, height)
    critical = {step.name for step in schedule.critical_path}
    for place, bars in enumerate(drawn.bars):
        parts += _bars(bars, top + place * height, height, critical)
    for place, strip in enumerate(strips):
        parts += _strip(strip, schedule, bottom + _STRIP_GAP + place * (_STRIP + _STRIP_GAP))
    end += 12
    if stands_alone:
        reasons, end = _reasons(schedule, end + 16)
        parts += reasons
    return svg_document(
        parts, width=_WIDTH, height=end, title=title, description=_description(schedule), name="gantt", style=_STYLE,
        dark_style=_DARK_STYLE,
    )  # fmt: skip


def _facts(schedule: Schedule) -> str:
    facts = [f"{counted(len(schedule.entries), 'job')} in {time_label(schedule.makespan_seconds)}"]
    if schedule.cpu_utilisation is not None:
        facts.append(f"{schedule.cpu_utilisation:.0%} of the CPU time in use")
    facts.append(f"critical path {time_label(schedule.critical_seconds)}")
    return " · ".join(facts)


def _description(schedule: Schedule) -> str:
    facts = ". ".join(f"{label}: {value}" for label, value in schedule.summary())
    never = f" Jobs that never start: {schedule.unstarted_count:,}." if schedule.unstarted else ""
    return f"Jobs over time, one line for each that runs beside others. {facts}.{never}"


def _line_height(count: int) -> float:
    return min(float(_MOST_LINE_HEIGHT), max(4.0, _LINES_HEIGHT / max(1, count)))


def _legend(groups: dict[str, int], schedule: Schedule, y: float) -> tuple[list[str], float]:
    """Return the legend and where it ends."""
    shown = [(colour, group) for group, colour in groups.items() if colour != OTHER]
    others = sum(colour == OTHER for colour in groups.values())
    if others:
        shown.append((OTHER, counted(others, "other group")))
    parts, x = [], 16.0
    for colour, group in shown:
        name = shortened(group, 40)
        width = 18 + LETTER * 1.1 * len(name) + 18
        if x + width > _WIDTH - 16 and x > 16:
            x, y = 16.0, y + 20
        parts.append(f'<rect class="g{colour}" x="{number(x)}" y="{number(y)}" width="12" height="12" rx="2"/>')
        parts.append(label(x + 18, y + 10.5, name))
        x += width
    if schedule.critical_path:
        parts.append(f'<rect class="bg p" x="{number(x + 1)}" y="{number(y + 1)}" width="10" height="10" rx="2"/>')
        parts.append(label(x + 18, y + 10.5, "critical path"))
    return parts, y + 20


def _time_axis(seconds: float, px_per_second: float, top: float, end: float) -> Iterator[str]:
    for moment in time_ticks(seconds):
        x = _LEFT + moment * px_per_second
        yield f'<path class="grid" d="M{number(x)} {number(top - 4)}V{number(end)}"/>'
        yield label(x, top - 8, time_label(moment), "m c")


def _line_labels(count: int, rows_per_line: int, top: float, height: float) -> Iterator[str]:
    """Number the lines by the slots they stand for, not closer than text is high."""
    step = next((n for n in (1, 2, 5, 10, 20, 50, 100) if n * height >= 14), 200)
    for line in range(count):
        if line == 0 or (line + 1) % step == 0:
            first = line * rows_per_line + 1
            name = str(first) if rows_per_line == 1 else f"{first}-{first + rows_per_line - 1}"
            yield label(_LEFT - 8, top + line * height + height / 2 + 4, name, "m e")


def _bars(bars: list[Bar], y: float, height: float, critical: set[str]) -> Iterator[str]:
    gap = 1 if height >= 8 else 0
    for bar in sorted(bars, key=lambda bar: bar.name in critical):  # their frames are not to be covered
        is_critical = bar.name in critical
        x, width = _LEFT + bar.left, bar.width
        style = f' fill-opacity="{bar.filled:g}"' if bar.filled < 1 else ""
        yield (
            f'<rect class="{"p" if is_critical else "b"} g{bar.group}" x="{number(x)}" y="{number(y + gap)}" '
            f'width="{number(width)}" height="{number(height - 2 * gap)}"{style}>'
            f"<title>{text(bar.tooltip)}</title></rect>"
        )
        letters = int((width - 8) / LETTER)
        if height >= 14 and bar.name and letters >= 4:
            yield label(x + 5, y + height / 2 + 4, shortened(bar.name, letters), "n")


def _strips(schedule: Schedule) -> list[_Strip]:
    capacity, peaks = schedule.capacity, schedule.peaks
    memory = _Strip(
        "Memory", lambda entry: entry.needs.memory_bytes, capacity.memory_bytes, peaks.memory_bytes, human_memory
    )
    strips = [_Strip("CPUs", lambda entry: entry.needs.cpus, capacity.cpus, peaks.cpus, _whole), memory]
    if peaks.gpus.amount:
        strips.append(_Strip("GPUs", lambda entry: entry.needs.gpus, len(capacity.gpus), peaks.gpus, _whole))
    return strips


def _whole(amount: float) -> str:
    return f"{amount:,.0f}"


def _strip(strip: _Strip, schedule: Schedule, top: float) -> Iterator[str]:
    seconds, bottom = schedule.makespan_seconds, top + _STRIP
    spans = ((entry.start_s, entry.end_s, strip.amount(entry)) for entry in schedule.entries)
    used = highest_per_column(spans, seconds, _PLOT) if seconds else [0] * _PLOT
    scale = _STRIP / max(*used, strip.capacity, 1)
    said = f"{strip.label} in use: at most {strip.text(strip.peak.amount)} of {strip.text(strip.capacity)}"
    yield label(_LEFT, top - 6, said, "m")
    yield (
        f'<path class="use" d="{stair_points([amount * scale for amount in used], _LEFT, bottom, 1)}">'
        f"<title>{text(said)}</title></path>"
    )
    yield f'<path class="grid" d="M{_LEFT} {number(bottom)}h{_PLOT}"/>'
    yield f'<path class="grid cap" d="M{_LEFT} {number(bottom - strip.capacity * scale)}h{_PLOT}"/>'
    yield label(_LEFT - 8, bottom - strip.capacity * scale + 4, strip.text(strip.capacity), "m e")


def _reasons(schedule: Schedule, y: float) -> tuple[list[str], float]:
    """Return what never starts and where the picture ends."""
    parts = []
    for group in schedule.unstarted[:_SHOWN_REASONS]:
        parts.append(label(16, y, f"Never start: {_some(group.names)}: {group.reason}", "r"))
        y += 18
    if len(schedule.unstarted) > _SHOWN_REASONS:
        parts.append(label(16, y, f"and {counted(len(schedule.unstarted) - _SHOWN_REASONS, 'more reason')}", "r"))
        y += 18
    return parts, y


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2:,} more"
