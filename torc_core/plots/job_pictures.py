"""The pictures of single jobs, and of all jobs over the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torc_core.planning.chart_page import COLOURS
from torc_core.plots.job_lines import line_of, rates_of, sum_of
from torc_core.plots.line_chart import OTHER, Chart, Line, charts, legend
from torc_core.plots.picture import Picture
from torc_core.plots.scales import BYTE_RATE, BYTES, COUNT, PERCENT, Unit
from torc_core.plots.series import JobPoint, JobSeries
from torc_core.plots.words import bytes_text, cpu_text, memory_text, moment_text
from torc_core.units import human_duration

_MOST_LINES = 400  # of single jobs in one chart


def job_picture(job: JobSeries, name: str) -> Picture:
    """Return what one job used: CPU, memory, processes, and bytes where these are known."""
    start, seconds = job.start, job.seconds
    facts = [
        ("Job", f"{job.name} ({job.job_id})"), ("Began", moment_text(start)), ("Seen for", human_duration(seconds)),
        ("Samples", f"{len(job.points):,}"), ("CPU", cpu_text(job.peak_cpu_percent, job.avg_cpu_percent)),
        ("Memory", memory_text(job.peak_memory_bytes, job.avg_memory_bytes)),
    ]  # fmt: skip
    if job.read_bytes is not None or job.write_bytes is not None:
        facts.append(("Read, written", f"{bytes_text(job.read_bytes)}, {bytes_text(job.write_bytes)}"))
    drawn = [
        Chart("CPU", PERCENT, [line_of(job, start, lambda p: p.cpu_percent)]),
        Chart("Memory", BYTES, [line_of(job, start, lambda p: p.memory_bytes, 2)]),
        Chart("Processes", COUNT, [line_of(job, start, lambda p: p.num_processes, 5)]),
    ]
    moved = [
        Line(word, rates_of(job, start, pick), colour)
        for word, colour, pick in (
            ("read", 4, lambda p: p.read_bytes), ("written", 1, lambda p: p.write_bytes)
        )
    ]  # fmt: skip
    if any(line.stretches for line in moved):
        drawn.append(Chart("Bytes read and written", BYTE_RATE, moved))
    data = job.facts() | {"points": [_point(point) for point in job.points]}
    title = f"What {job.name} used"
    return Picture(name, title, facts, lambda y: charts(drawn, seconds, y), data)


def _point(point: JobPoint) -> dict[str, Any]:
    found = {"timestamp": point.moment, **point._asdict()}
    del found["moment"]
    return {name: value for name, value in found.items() if value is not None}


def all_jobs_picture(
    name: str, title: str, jobs: Sequence[JobSeries], unit: Unit, value: Callable[[JobPoint], float]
) -> Picture:
    """Return what all jobs used of one thing, together and each."""
    seen = [job for job in jobs if job.points]
    peaks = sorted(seen, key=lambda job: max(value(p) for p in job.points), reverse=True)
    start = min((job.start for job in jobs), default=0.0)
    seconds = max((job.end for job in jobs), default=0.0) - start
    shown = peaks[:_MOST_LINES]
    lines = [
        line_of(job, start, value, place if place < len(COLOURS) else OTHER)._replace(is_filled=False)
        for place, job in enumerate(shown)
    ]
    together = Line("all jobs together", sum_of(seen, start, value), OTHER, is_filled=True)
    drawn = [Chart("Each job", unit, lines), Chart("All together", unit, [together])]
    names = [(place, job.name) for place, job in enumerate(shown[: len(COLOURS)])]
    if len(shown) > len(COLOURS):
        names.append((OTHER, f"{len(shown) - len(COLOURS):,} others"))
    facts = [("Jobs", f"{len(jobs):,}"), ("Began", moment_text(start)), ("Seen for", human_duration(seconds))]
    if len(seen) < len(jobs):
        facts.append(("Too short to be sampled", f"{len(jobs) - len(seen):,}"))
    if len(seen) > len(shown):
        facts.append(("Not drawn one by one", f"the {len(seen) - len(shown):,} that used least"))

    def draw(y: float) -> tuple[list[str], float]:
        first, y = legend(names, y)
        parts, y = charts(drawn, seconds, y)
        return first + parts, y

    data = {
        "jobs": [
            {"job_id": job.job_id, "job_name": job.name, "timestamps": [p.moment for p in job.points],
             "values": [value(p) for p in job.points]}
            for job in seen
        ]
    }  # fmt: skip
    return Picture(name, title, facts, draw, data)
