"""Which pictures are made of measured series."""

from __future__ import annotations

from collections.abc import Sequence

from torc_core.plots.job_pictures import all_jobs_picture, job_picture
from torc_core.plots.picture import Picture
from torc_core.plots.scales import BYTES, PERCENT
from torc_core.plots.series import JobSeries, Metrics
from torc_core.plots.summary_picture import summary_picture
from torc_core.plots.system_pictures import system_summary, system_timeline


def pictures(metrics: Metrics, single_jobs: Sequence[JobSeries]) -> list[Picture]:
    """Return all pictures; ``single_jobs`` are those that get one of their own."""
    jobs, systems = metrics
    made = [job_picture(job, name) for job, name in zip(single_jobs, _names(single_jobs), strict=True)]
    if len(jobs) > 1:
        made.append(all_jobs_picture("cpu_all_jobs", "CPU of all jobs", jobs, PERCENT, lambda p: p.cpu_percent))
        made.append(all_jobs_picture("memory_all_jobs", "Memory of all jobs", jobs, BYTES, lambda p: p.memory_bytes))
    if jobs or not systems:
        made.append(summary_picture(jobs))
    for place, system in enumerate(systems):
        ending = "" if len(systems) == 1 else f"_{place + 1}"
        made.append(system_timeline(system, f"system_timeline{ending}"))
        made.append(system_summary(system, f"system_summary{ending}"))
    return made


def _names(jobs: Sequence[JobSeries]) -> list[str]:
    """Return a name for the picture of each job; jobs of different workflows can have the same id."""
    taken: dict[str, int] = {}
    names = []
    for job in jobs:
        name = f"job_{job.job_id}"
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names
