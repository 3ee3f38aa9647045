"""Peaks and averages of all jobs."""

from __future__ import annotations

from collections.abc import Sequence

from torc_core.planning.chart_page import text
from torc_core.plots.bar_chart import Bars, bars
from torc_core.plots.picture import Picture
from torc_core.plots.scales import BYTES, PERCENT, count
from torc_core.plots.series import JobSeries
from torc_core.plots.words import bytes_text, moment_text, percent_text
from torc_core.units import human_duration

_MOST_BARS = 40
_MOST_ROWS = 1000


def summary_picture(jobs: Sequence[JobSeries]) -> Picture:
    """Return the picture; the jobs with the highest memory come first."""
    most = sorted(jobs, key=lambda job: (job.peak_memory_bytes or 0, job.peak_cpu_percent or 0), reverse=True)
    shown = most[:_MOST_BARS]
    names = [job.name for job in shown]
    columns = [
        Bars(
            "Memory: peak, average marked",
            BYTES,
            2,
            [j.peak_memory_bytes for j in shown],
            [j.avg_memory_bytes for j in shown],
        ),
        Bars(
            "CPU: peak, average marked",
            PERCENT,
            0,
            [j.peak_cpu_percent for j in shown],
            [j.avg_cpu_percent for j in shown],
        ),
    ]
    facts = [("Jobs", f"{len(jobs):,}")]
    if jobs:
        start, end = min(job.start for job in jobs), max(job.end for job in jobs)
        facts += [("Began", moment_text(start)), ("Seen for", human_duration(end - start))]
    if len(jobs) > len(shown):
        facts.append(("Drawn", f"the {len(shown)} with the highest memory; the table has more"))
    return Picture(
        "summary", "What jobs used", facts, lambda y: bars(names, columns, y),
        {"jobs": [job.facts() for job in jobs]}, lambda: _job_table(most),
    )  # fmt: skip


def _job_table(jobs: Sequence[JobSeries]) -> str:
    titles = ("ID", "Job", "Samples", "Seen for", "Peak CPU", "Avg CPU", "Peak memory", "Avg memory", "Read", "Written")
    rows = []
    for job in jobs[:_MOST_ROWS]:
        cells = (
            str(job.job_id), job.name, count(len(job.points)), human_duration(job.seconds),
            percent_text(job.peak_cpu_percent), percent_text(job.avg_cpu_percent), bytes_text(job.peak_memory_bytes),
            bytes_text(job.avg_memory_bytes), bytes_text(job.read_bytes), bytes_text(job.write_bytes),
        )  # fmt: skip
        rows.append(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in cells)}</tr>")
    more = f"<p>and {len(jobs) - _MOST_ROWS:,} more</p>" if len(jobs) > _MOST_ROWS else ""
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"
