"""The file in which time series are kept: a SQLite database with published tables, which other programs read too.

Ours are the columns after the published ones. Two samples of one second are both kept, so job and time are no key.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torc_core.errors import StorageError
from torc_core.runner.usage import MachineSummary, most

FOLDER = "resource_utilization"
_PREFIX = "resource_metrics_"
_WAIT_SECONDS = 20.0  # for other runners that write into the same file
_MOST_ROWS = 5000  # kept in memory at most

_TABLES = {
    "job_resource_samples": "job_id INTEGER, timestamp INTEGER, cpu_percent REAL, memory_bytes INTEGER, "
    "num_processes INTEGER, attempt_id INTEGER, moment REAL, read_bytes INTEGER, write_bytes INTEGER",
    "job_metadata": "job_id INTEGER PRIMARY KEY, job_name TEXT, attempt_id INTEGER, start_moment REAL, "
    "end_moment REAL, peak_cpu_percent REAL, avg_cpu_percent REAL, peak_memory_bytes INTEGER, "
    "avg_memory_bytes INTEGER, read_bytes INTEGER, write_bytes INTEGER",
    "system_resource_samples": "id INTEGER PRIMARY KEY, timestamp INTEGER, cpu_percent REAL, memory_bytes INTEGER, "
    "total_memory_bytes INTEGER, moment REAL",
    "system_resource_summary": "id INTEGER PRIMARY KEY CHECK (id = 1), sample_count INTEGER, peak_cpu_percent REAL, "
    "avg_cpu_percent REAL, peak_memory_bytes INTEGER, avg_memory_bytes INTEGER",
}
_INDEXES = {"job_resource_samples_job_id": "job_resource_samples(job_id)"}
_SUMMARY = "sample_count, peak_cpu_percent, avg_cpu_percent, peak_memory_bytes, avg_memory_bytes"


class JobSample(NamedTuple):
    """What one job used at a moment (seconds since 1970); bytes read and written so far, since its start."""

    job_id: int
    timestamp: int
    cpu_percent: float
    memory_bytes: int
    num_processes: int
    attempt_id: int
    moment: float
    read_bytes: int | None
    write_bytes: int | None


class JobFacts(NamedTuple):
    """A job's name and, when its latest attempt has ended, what that used; None is not known."""

    job_id: int
    job_name: str
    attempt_id: int
    start_moment: float
    end_moment: float | None = None
    peak_cpu_percent: float | None = None
    avg_cpu_percent: float | None = None
    peak_memory_bytes: int | None = None
    avg_memory_bytes: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None


class SystemSample(NamedTuple):
    """What the machine used at a moment."""

    timestamp: int
    cpu_percent: float
    memory_bytes: int
    total_memory_bytes: int
    moment: float


def metrics_path(output_dir: str, label: str) -> Path:
    """Return where the time series with a label are kept."""
    return Path(output_dir) / FOLDER / f"{_PREFIX}{label}.db"


def runner_label(workflow_id: int, run_id: int, host: str, environ: Mapping[str, str], *, is_slurm: bool) -> str:
    """Return what tells the file of one runner from those of others."""
    if is_slurm and environ.get("SLURM_JOB_ID"):
        return f"{environ['SLURM_JOB_ID']}_{environ.get('SLURM_NODEID', '0')}_{os.getpid()}"
    return f"wf{workflow_id}_h{host}_r{run_id}"


class MetricsFile:
    """Collects rows and writes them when it is told to, all or none; what prevents that is sqlite3's error."""

    def __init__(self, path: Path) -> None:
        """Make the file, or add to it; raises StorageError."""
        self.path = path
        self._jobs: list[JobSample] = []
        self._facts: dict[int, JobFacts] = {}
        self._system: list[SystemSample] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            self._make_tables()
        except (OSError, sqlite3.Error) as exc:
            raise StorageError(f"{path} cannot be written: {exc}") from exc

    def _make_tables(self) -> None:
        # No write-ahead log: the file may be on a network file system, and is to be copied as one.
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for name, columns in _TABLES.items():
                self._db.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
            for name, columns in _INDEXES.items():
                self._db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")

    def add_job(self, facts: JobFacts) -> None:
        """Note a job; what is said last counts."""
        self._facts[facts.job_id] = facts

    def add_sample(self, sample: JobSample) -> None:
        """Note what a job used."""
        self._jobs.append(sample)

    def add_system(self, sample: SystemSample) -> None:
        """Note what the machine used."""
        self._system.append(sample)

    @property
    def is_full(self) -> bool:
        """Whether to write before it is time."""
        return len(self._jobs) + len(self._facts) + len(self._system) >= _MOST_ROWS

    def flush(self) -> None:
        """Write everything that is not written yet."""
        if not (self._jobs or self._facts or self._system):
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._insert("job_resource_samples", JobSample._fields, self._jobs)
            self._insert("job_metadata", JobFacts._fields, list(self._facts.values()))
            self._insert("system_resource_samples", SystemSample._fields, self._system)
        self._jobs, self._facts, self._system = [], {}, []

    def _insert(self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608

    def add_summary(self, new: MachineSummary) -> None:
        """Write what the machine used, together with what earlier runners have written here."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self._db.execute(f"SELECT {_SUMMARY} FROM system_resource_summary").fetchone()  # noqa: S608
            total = new if row is None else joined(MachineSummary(*row), new)
            columns = f"system_resource_summary (id, {_SUMMARY})"
            self._db.execute(f"INSERT OR REPLACE INTO {columns} VALUES (1, ?, ?, ?, ?, ?)", total)  # noqa: S608

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self.flush()
        finally:
            self._db.close()


def joined(one: MachineSummary, other: MachineSummary) -> MachineSummary:
    """Return the summary of all samples of two."""
    count = one.sample_count + other.sample_count

    def average(name: str) -> float | None:
        known = [(s.sample_count, getattr(s, name)) for s in (one, other) if getattr(s, name) is not None]
        counted = sum(samples for samples, _ in known)
        return sum(samples * value for samples, value in known) / counted if counted else None

    cpu, memory = average("avg_cpu_percent"), average("avg_memory_bytes")
    return MachineSummary(
        count,
        most(one.peak_cpu_percent, other.peak_cpu_percent),
        None if cpu is None else round(cpu, 1),
        most(one.peak_memory_bytes, other.peak_memory_bytes),
        None if memory is None else round(memory),
    )


def now_moment() -> float:
    """Return the time in seconds since 1970, with milliseconds."""
    return round(time.time(), 3)
