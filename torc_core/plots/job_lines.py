"""From the samples of a job to lines of a chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torc_core.plots.line_chart import Line
from torc_core.plots.series import JobPoint, JobSeries

_PAUSES = 5  # times the usual distance of samples that make a pause between stretches


def line_of(job: JobSeries, start: float, value: Callable[[JobPoint], float], colour: int = 0) -> Line:
    """Return what a job used over the seconds since ``start``."""
    drawn = [[(p.moment - start, float(value(p))) for p in stretch] for stretch in stretches(job.points)]
    return Line(job.name, drawn, colour, is_filled=True)


def stretches(points: Sequence[JobPoint]) -> list[list[JobPoint]]:
    """Return the points between pauses: other attempts, and times in which nobody looked."""
    if not points:
        return []
    gaps = sorted(b.moment - a.moment for a, b in pairwise(points))
    pause = _PAUSES * gaps[len(gaps) // 2] if gaps else 0.0
    found = [[points[0]]]
    for before, point in pairwise(points):
        if point.attempt_id != before.attempt_id or point.moment - before.moment > max(pause, 1.0):
            found.append([])
        found[-1].append(point)
    return found


def rates_of(job: JobSeries, start: float, value: Callable[[JobPoint], int | None]) -> list[list[tuple[float, float]]]:
    """Return bytes in a second, from one sample to the next."""
    found = []
    for stretch in stretches(job.points):
        rates = []
        for before, point in pairwise(stretch):
            one, other, seconds = value(before), value(point), point.moment - before.moment
            if one is not None and other is not None and seconds > 0:
                rates.append((point.moment - start, max(0, other - one) / seconds))
        if rates:
            found.append(rates)
    return found


def sum_of(
    jobs: Sequence[JobSeries], start: float, value: Callable[[JobPoint], float]
) -> list[list[tuple[float, float]]]:
    """Return what all jobs use together: of each the latest sample counts until its next one, or its end."""
    changes: list[tuple[float, float]] = []
    for job in jobs:
        for stretch in stretches(job.points):
            last = 0.0
            for point in stretch:
                changes.append((point.moment, value(point) - last))
                last = value(point)
            is_latest = stretch[-1] is job.points[-1]
            changes.append((job.end if is_latest else stretch[-1].moment, -last))
    found: list[tuple[float, float]] = []
    total = 0.0
    for moment, change in sorted(changes):
        if found and found[-1][0] == moment - start:
            found.pop()
        elif found:
            found.append((moment - start, total))  # it stays as it was up to here: a step
        total += change
        found.append((moment - start, max(0.0, total)))
    return [found] if found else []
