"""The file of time series: published tables, nothing lost, readable whatever happens to the runner."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from torc_core.errors import StorageError
from torc_core.runner.metrics_file import (
    JobFacts,
    JobSample,
    MetricsFile,
    SystemSample,
    joined,
    metrics_path,
    runner_label,
)
from torc_core.runner.usage import MachineSummary


def sample(job_id=1, moment=1000.5, **changes):
    return JobSample(job_id, int(moment), 50.0, 100, 2, 1, moment, 10, 20)._replace(**changes)


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sub" / "metrics.db"


def test_the_published_tables_come_first(path):
    MetricsFile(path).close()
    columns = {
        table: [(name, kind) for _, name, kind, *_ in rows(path, f"PRAGMA table_info({table})")]
        for table in ("job_resource_samples", "job_metadata", "system_resource_samples", "system_resource_summary")
    }
    assert columns["job_resource_samples"][:5] == [
        ("job_id", "INTEGER"), ("timestamp", "INTEGER"), ("cpu_percent", "REAL"), ("memory_bytes", "INTEGER"),
        ("num_processes", "INTEGER"),
    ]  # fmt: skip
    assert columns["job_metadata"][:2] == [("job_id", "INTEGER"), ("job_name", "TEXT")]
    assert columns["system_resource_samples"][:5] == [
        ("id", "INTEGER"), ("timestamp", "INTEGER"), ("cpu_percent", "REAL"), ("memory_bytes", "INTEGER"),
        ("total_memory_bytes", "INTEGER"),
    ]  # fmt: skip
    assert columns["system_resource_summary"] == [
        ("id", "INTEGER"), ("sample_count", "INTEGER"), ("peak_cpu_percent", "REAL"), ("avg_cpu_percent", "REAL"),
        ("peak_memory_bytes", "INTEGER"), ("avg_memory_bytes", "INTEGER"),
    ]  # fmt: skip


def test_two_samples_of_one_second_are_both_kept(path):
    series = MetricsFile(path)
    for moment in (1000.2, 1000.7, 1000.7):
        series.add_sample(sample(moment=moment))
    series.close()
    assert rows(path, "SELECT timestamp, moment FROM job_resource_samples") == [
        (1000, 1000.2), (1000, 1000.7), (1000, 1000.7),
    ]  # fmt: skip


def test_of_a_job_the_last_word_counts(path):
    series = MetricsFile(path)
    series.add_job(JobFacts(4, "four", 1, 5.0))
    series.flush()
    series.add_job(JobFacts(4, "four", 2, 7.0))
    series.add_job(JobFacts(4, "four", 2, 7.0, 9.0, 80.0, 40.0, 1000, 500, 1, 2))
    series.close()
    assert rows(path, "SELECT * FROM job_metadata") == [(4, "four", 2, 7.0, 9.0, 80.0, 40.0, 1000, 500, 1, 2)]


def test_rows_are_written_when_told_and_not_before(path):
    series = MetricsFile(path)
    series.add_sample(sample())
    series.add_system(SystemSample(1, 2.0, 3, 4, 1.5))
    assert rows(path, "SELECT count(*) FROM job_resource_samples") == [(0,)]
    series.flush()
    series.flush()
    assert rows(path, "SELECT count(*) FROM job_resource_samples") == [(1,)]
    assert rows(
        path, "SELECT timestamp, cpu_percent, memory_bytes, total_memory_bytes FROM system_resource_samples"
    ) == [(1, 2.0, 3, 4)]
    series.close()


def test_a_file_gets_full_after_some_thousand_rows(path):
    series = MetricsFile(path)
    for number in range(4999):
        series.add_sample(sample(number))
    assert not series.is_full
    series.add_sample(sample())
    assert series.is_full
    series.flush()
    assert not series.is_full
    series.close()


WRITER = """
import os, sys
from pathlib import Path
from torc_core.runner.metrics_file import JobSample, MetricsFile
series = MetricsFile(Path(sys.argv[1]))
for number in range(3):
    series.add_sample(JobSample(number, 1, 1.0, 1, 1, 1, 1.0, None, None))
series.flush()
series.add_sample(JobSample(99, 1, 1.0, 1, 1, 1, 1.0, None, None))
os.kill(os.getpid(), 9)
"""


def test_what_was_written_before_a_kill_is_readable(path):
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False)
    assert done.returncode == -9
    assert rows(path, "SELECT job_id FROM job_resource_samples") == [(0,), (1,), (2,)]
    MetricsFile(path).close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_second_runner_adds_to_the_same_file(path):
    one, other = MetricsFile(path), MetricsFile(path)
    one.add_sample(sample(1))
    other.add_sample(sample(2))
    one.add_summary(MachineSummary(1, 50.0, 50.0, 100, 100))
    other.add_summary(MachineSummary(3, 90.0, 10.0, 80, 60))
    one.close()
    other.close()
    assert rows(path, "SELECT job_id FROM job_resource_samples ORDER BY 1") == [(1,), (2,)]
    assert rows(path, "SELECT * FROM system_resource_summary") == [(1, 4, 90.0, 20.0, 100, 70)]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (
            (1, 50.0, 50.0, 100, 100),
            (3, 90.0, 10.0, 80, 60),
            (4, 90.0, 20.0, 100, 70),
        ),  # (50 + 30) / 4, (100 + 180) / 4
        ((2, None, None, 100, 100), (2, 80.0, 40.0, None, None), (4, 80.0, 40.0, 100, 100)),
        ((0, None, None, None, None), (0, None, None, None, None), (0, None, None, None, None)),
    ],
)
def test_summaries_are_joined_by_the_number_of_samples(one, other, both):
    assert joined(MachineSummary(*one), MachineSummary(*other)) == both


def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(path):
    path.parent.mkdir()
    path.write_text("not a database, and longer than its header would be" * 20)
    with pytest.raises(StorageError, match=r"metrics\.db cannot be written: file is not a database"):
        MetricsFile(path)
    assert path.read_text().startswith("not a database")


def test_labels_and_places_are_the_published_ones():
    assert str(metrics_path("out", "x")) == "out/resource_utilization/resource_metrics_x.db"
    assert runner_label(3, 2, "node1", {}, is_slurm=False) == "wf3_hnode1_r2"
    slurm = {"SLURM_JOB_ID": "77", "SLURM_NODEID": "4"}
    assert runner_label(3, 2, "node1", slurm, is_slurm=False) == "wf3_hnode1_r2"
    label = runner_label(3, 2, "node1", slurm, is_slurm=True)
    assert label.rpartition("_")[0] == "77_4"
    assert label.rpartition("_")[2].isdecimal()
