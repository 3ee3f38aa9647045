"""Reads time series from files, those of other programs with the published tables too, and writes pictures of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from torc_core.errors import Invalid, NotFound, StorageError
from torc_core.plots.series import JobPoint, JobSeries, Metrics, SystemPoint, SystemSeries

MOST_SINGLE_JOBS = 100
"""So many jobs get a picture of their own unless some are named: those with the highest memory."""
_FACTS = ("start_moment", "end_moment", "peak_cpu_percent", "avg_cpu_percent", "peak_memory_bytes", "avg_memory_bytes",
          "read_bytes", "write_bytes")  # fmt: skip


def read_metrics(paths: Sequence[Path]) -> Metrics:
    """Read files; jobs with the same id and name are one. Raises NotFound, Invalid or StorageError."""
    jobs: dict[tuple[int, str], JobSeries] = {}
    systems: list[SystemSeries] = []
    for path in paths:
        try:
            with closing(_opened(path)) as db:
                for job in _jobs(db):
                    key = job.job_id, job.name
                    jobs[key] = job if key not in jobs else _joined(jobs[key], job)
                points = _system(db)
                if points:
                    systems.append(SystemSeries(path.stem.removeprefix("resource_metrics_"), points))
        except sqlite3.Error as exc:
            raise StorageError(f"{path} cannot be read as a file of time series: {exc}") from exc
    return Metrics(list(jobs.values()), systems)


def _opened(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise NotFound(f"there is no file {path}", hint="Time series are below torc_output/resource_utilization.")
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    if not _columns(db, "job_resource_samples") and not _columns(db, "system_resource_samples"):
        db.close()
        raise Invalid(f"{path} holds no time series", hint="They are kept with the granularity time_series.")
    return db


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def _select(db: sqlite3.Connection, table: str, wanted: Sequence[str], order: str) -> list[tuple[Any, ...]]:
    """Return the columns of all rows, null for a column that the table does not have."""
    there = _columns(db, table)
    if not there:
        return []
    names = ", ".join(name if name in there else f"NULL AS {name}" for name in wanted)
    return db.execute(f"SELECT {names} FROM {table} ORDER BY {order}").fetchall()  # noqa: S608


def _jobs(db: sqlite3.Connection) -> list[JobSeries]:
    points: dict[int, list[JobPoint]] = {}
    columns = ("job_id", "timestamp", "moment", "cpu_percent", "memory_bytes", "num_processes", "read_bytes",
               "write_bytes", "attempt_id")  # fmt: skip
    for job_id, second, moment, cpu, memory, *rest in _select(db, "job_resource_samples", columns, "timestamp, rowid"):
        processes, read, written, attempt = rest
        points.setdefault(job_id, []).append(
            JobPoint(
                float(second if moment is None else moment), cpu or 0.0, memory or 0, processes or 0, read, written,
                attempt or 1,
            )
        )  # fmt: skip
    found = []
    for job_id, name, *facts in _select(db, "job_metadata", ("job_id", "job_name", *_FACTS), "job_id"):
        seen = points.pop(job_id, [])
        if seen or facts[0] is not None:
            found.append(JobSeries(job_id, name or f"job {job_id}", seen, *facts))
    return found + [JobSeries(job_id, f"job {job_id}", seen) for job_id, seen in points.items()]


def _joined(one: JobSeries, other: JobSeries) -> JobSeries:
    """Return a job that was measured in two files: its later attempt gives the figures."""
    first, last = sorted((one, other), key=lambda job: job.end)
    points = sorted([*first.points, *last.points], key=lambda point: point.moment)
    start = first.start if first.start_moment is not None else None
    return last._replace(points=points, start_moment=start)


def _system(db: sqlite3.Connection) -> list[SystemPoint]:
    columns = ("timestamp", "moment", "cpu_percent", "memory_bytes", "total_memory_bytes")
    return [
        SystemPoint(float(second if moment is None else moment), cpu or 0.0, memory or 0, total or 0)
        for second, moment, cpu, memory, total in _select(db, "system_resource_samples", columns, "timestamp, rowid")
    ]


def single_jobs(metrics: Metrics, job_ids: Collection[int] | None) -> list[JobSeries]:
    """Return the jobs that get a picture of their own; raises NotFound for an id that is not there."""
    if job_ids is None:
        seen = [job for job in metrics.jobs if job.points]
        return sorted(seen, key=lambda job: job.peak_memory_bytes or 0, reverse=True)[:MOST_SINGLE_JOBS]
    missing = sorted(set(job_ids) - {job.job_id for job in metrics.jobs})
    if missing:
        raise NotFound(f"no time series of job {', '.join(map(str, missing))}")
    return [job for job in metrics.jobs if job.job_id in job_ids]


def write_pictures(
    metrics: Metrics, folder: Path, prefix: str = "", kind: str = "html", job_ids: Collection[int] | None = None
) -> list[Path]:
    """Write all pictures, as ``html``, ``svg`` or ``json``, and return where they are; raises StorageError."""
    from torc_core.plots.pictures import pictures

    chosen = single_jobs(metrics, job_ids)
    if job_ids is not None:
        metrics = metrics._replace(jobs=chosen)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures(metrics, chosen):
            path = folder / f"{f'{prefix}_' if prefix else ''}{picture.name}.{kind}"
            path.write_text(picture.written(kind), encoding="utf-8", errors="replace")
            written.append(path)
    except OSError as exc:
        raise StorageError(f"pictures cannot be written to {folder}: {exc.strerror or exc}") from exc
    return written
