"""From the jobs of a schedule to bars: what is too narrow to be seen becomes one bar with its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from torc_core.planning.chart_scale import time_label
from torc_core.planning.schedule import Entry

OTHER = -1
"""The group of all groups that have no colour of their own."""
_NARROW = 1.0  # px
_MERGED = 3.0  # px; narrow bars of several groups become a bar of about this width
_CELL = 3.0  # px; the width of cells where several rows share a line
_SHADES = 4


class Bar(NamedTuple):
    """A bar on one line; ``left`` and ``width`` in px. ``filled`` is the part of it that is in use, in (0, 1]."""

    left: float
    width: float
    group: int
    tooltip: str
    name: str = ""  # of the job, when it is one
    filled: float = 1.0


class Lines(NamedTuple):
    """Bars by line, and how many rows of the schedule each line stands for."""

    bars: list[list[Bar]]
    rows_per_line: int


def colour_groups(entries: Iterable[Entry], colours: int) -> dict[str, int]:
    """Return a colour for each group, in the order of first starts; those that take least time share OTHER."""
    busy: dict[str, float] = {}
    for entry in entries:
        busy[entry.group] = busy.get(entry.group, 0.0) + entry.end_s - entry.start_s
    own = set(busy) if len(busy) <= colours else set(sorted(busy, key=busy.__getitem__, reverse=True)[:colours])
    numbers = iter(range(colours))
    return {group: next(numbers) if group in own else OTHER for group in busy}


def lines(entries: Sequence[Entry], groups: dict[str, int], px_per_second: float, most_lines: int) -> Lines:
    """Return the bars; with more rows than ``most_lines`` several rows share a line."""
    count = max((entry.row for entry in entries), default=-1) + 1
    rows_per_line = max(1, ceil(count / most_lines))
    by_line: list[list[Entry]] = [[] for _ in range(ceil(count / rows_per_line))]
    for entry in sorted(entries, key=lambda entry: entry.start_s):
        by_line[entry.row // rows_per_line].append(entry)
    if rows_per_line == 1:
        return Lines([_merged(row, groups, px_per_second) for row in by_line], 1)
    return Lines([_cells(some, groups, px_per_second, rows_per_line) for some in by_line], rows_per_line)


def _merged(row: Sequence[Entry], groups: dict[str, int], px_per_second: float) -> list[Bar]:
    """Return the bars of one row, in which no two jobs run at once."""
    bars: list[Bar] = []
    narrow: list[Entry] = []
    for entry in row:
        is_narrow = (entry.end_s - entry.start_s) * px_per_second < _NARROW
        if narrow and not (is_narrow and _joins(narrow, entry, px_per_second)):
            bars.append(_bar_of(narrow, groups, px_per_second))
            narrow = []
        if is_narrow:
            narrow.append(entry)
        else:
            bars.append(_bar_of([entry], groups, px_per_second))
    if narrow:
        bars.append(_bar_of(narrow, groups, px_per_second))
    return bars


def _joins(narrow: Sequence[Entry], entry: Entry, px_per_second: float) -> bool:
    if (entry.start_s - narrow[-1].end_s) * px_per_second >= _NARROW:
        return False
    width = (narrow[-1].end_s - narrow[0].start_s) * px_per_second
    return width < _MERGED or entry.group == narrow[-1].group


def _bar_of(entries: Sequence[Entry], groups: dict[str, int], px_per_second: float) -> Bar:
    first, last = entries[0], entries[-1]
    left, right = first.start_s * px_per_second, last.end_s * px_per_second
    if len(entries) == 1:
        return Bar(left, max(right - left, _NARROW), groups[first.group], _job_text(first), first.name)
    seconds: dict[int, float] = {}
    for entry in entries:
        group = groups[entry.group]
        seconds[group] = seconds.get(group, 0.0) + entry.end_s - entry.start_s
    most = max(seconds, key=seconds.__getitem__)
    filled = sum(seconds.values()) / (last.end_s - first.start_s) if last.end_s > first.start_s else 1.0
    text = f"{len(entries):,} jobs, {first.name} to {last.name}\n{_times(first.start_s, last.end_s)}"
    return Bar(left, max(right - left, _NARROW), most, text, filled=_shade(filled))


def _job_text(entry: Entry) -> str:
    lines = [entry.name, _times(entry.start_s, entry.end_s), f"needs {entry.needs}"]
    if entry.gpu_ids:
        lines.append(f"GPU {', '.join(entry.gpu_ids)}")
    return "\n".join(lines)


def _times(start_s: float, end_s: float) -> str:
    return f"start {time_label(start_s)}, end {time_label(end_s)}, lasts {time_label(end_s - start_s)}"


def _cells(entries: Sequence[Entry], groups: dict[str, int], px_per_second: float, rows: int) -> list[Bar]:
    """Return the bars of a line that stands for several rows: what takes most of it, and how much is in use."""
    cells: dict[int, dict[int, float]] = {}
    for entry in entries:
        group = groups[entry.group]
        left, right = entry.start_s * px_per_second / _CELL, entry.end_s * px_per_second / _CELL
        for cell in range(int(left), ceil(right)):
            used = cells.setdefault(cell, {})
            used[group] = used.get(group, 0.0) + min(right, cell + 1) - max(left, cell)
    bars: list[Bar] = []
    for cell in sorted(cells):
        used = cells[cell]
        group = max(used, key=used.__getitem__)
        filled = _shade(sum(used.values()) / rows)
        before = bars[-1] if bars else None
        if before and (before.group, before.filled) == (group, filled) and before.left + before.width == cell * _CELL:
            bars[-1] = before._replace(width=before.width + _CELL)
        else:
            bars.append(Bar(cell * _CELL, _CELL, group, f"{rows} slots, about {filled:.0%} in use", filled=filled))
    return bars


def _shade(filled: float) -> float:
    return max(1, round(filled * _SHADES)) / _SHADES if filled < 1 else 1.0
