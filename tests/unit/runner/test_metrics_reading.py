"""Reading time series, our own and those of other programs, and writing pictures of them."""

import sqlite3
from contextlib import closing

import pytest

from torc_core.errors import Invalid, NotFound, StorageError
from torc_core.plots.series import JobPoint, SystemPoint
from torc_core.runner.metrics_file import JobFacts, JobSample, MetricsFile, SystemSample
from torc_core.runner.metrics_reading import MOST_SINGLE_JOBS, read_metrics, write_pictures

PUBLISHED = """
CREATE TABLE job_resource_samples(job_id INTEGER, timestamp INTEGER, cpu_percent REAL, memory_bytes INTEGER,
    num_processes INTEGER, PRIMARY KEY(job_id, timestamp));
CREATE TABLE job_metadata(job_id INTEGER PRIMARY KEY, job_name TEXT);
INSERT INTO job_metadata VALUES (4, 'four'), (5, 'never seen');
INSERT INTO job_resource_samples VALUES (4, 100, 50.0, 1000, 2), (4, 110, 70.0, 3000, 1), (9, 105, 1.0, 5, 1);
"""


def ours(path, job_id=4, name="four", moment=100.25, **facts):
    series = MetricsFile(path)
    series.add_sample(JobSample(job_id, int(moment), 50.0, 1000, 2, 1, moment, 7, 8))
    series.add_job(JobFacts(job_id, name, 1, moment - 1, **facts))
    series.add_system(SystemSample(int(moment), 12.5, 300, 1000, moment))
    series.close()
    return path


def test_what_was_written_is_read(tmp_path):
    path = ours(tmp_path / "resource_metrics_wf1.db", end_moment=105.0, peak_cpu_percent=90.0)
    [job], [system] = read_metrics([path])
    assert (job.job_id, job.name, job.start, job.end, job.peak_cpu_percent) == (4, "four", 99.25, 105.0, 90.0)
    assert job.points == [JobPoint(100.25, 50.0, 1000, 2, 7, 8, 1)]
    assert (system.label, system.points) == ("wf1", [SystemPoint(100.25, 12.5, 300, 1000)])


def test_files_with_the_published_tables_only_are_read(tmp_path):
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(PUBLISHED)
    metrics = read_metrics([path])
    four, nine = metrics.jobs
    assert (four.name, [p.cpu_percent for p in four.points], four.peak_memory_bytes) == ("four", [50.0, 70.0], 3000)
    assert (nine.name, len(nine.points), four.read_bytes) == ("job 9", 1, None)
    assert metrics.systems == []


def test_a_job_in_two_files_is_one_and_another_workflows_job_is_not(tmp_path):
    one = ours(tmp_path / "a.db", moment=100.0, end_moment=110.0, peak_cpu_percent=40.0)
    other = ours(tmp_path / "b.db", moment=200.0, end_moment=210.0, peak_cpu_percent=20.0)
    stranger = ours(tmp_path / "c.db", name="another", moment=150.0)
    metrics = read_metrics([other, one, stranger])
    four, another = metrics.jobs
    assert ([p.moment for p in four.points], four.start, four.end) == ([100.0, 200.0], 99.0, 210.0)
    assert four.known_peak_cpu == 20.0  # of the later attempt
    assert (another.name, len(metrics.systems)) == ("another", 3)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, NotFound, "there is no file"),
        ("not a database " * 100, StorageError, "cannot be read as a file of time series"),
        ("", Invalid, "holds no time series"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path, content, error, said):
    path = tmp_path / "x.db"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=said):
        read_metrics([path])


def test_reading_changes_nothing_and_works_on_a_file_that_may_not_be_written(tmp_path):
    path = ours(tmp_path / "x.db")
    before = path.read_bytes()
    tmp_path.chmod(0o500)
    try:
        assert len(read_metrics([path]).jobs) == 1
    finally:
        tmp_path.chmod(0o700)
    assert path.read_bytes() == before


def test_pictures_are_written_with_prefix_and_ending(tmp_path):
    metrics = read_metrics([ours(tmp_path / "x.db")])
    files = write_pictures(metrics, tmp_path / "new" / "folder", "p", "json")
    assert sorted(file.name for file in files) == [
        "p_job_4.json", "p_summary.json", "p_system_summary.json", "p_system_timeline.json",
    ]  # fmt: skip
    assert all(file.is_file() for file in files)


def test_only_chosen_jobs_are_drawn(tmp_path):
    ours(tmp_path / "x.db")
    metrics = read_metrics([ours(tmp_path / "x.db", 5, "five")])
    names = {file.name for file in write_pictures(metrics, tmp_path, job_ids=[5])}
    assert names == {"job_5.html", "summary.html", "system_timeline.html", "system_summary.html"}
    with pytest.raises(NotFound, match="no time series of job 8, 9"):
        write_pictures(metrics, tmp_path, job_ids=[5, 9, 8])


def test_of_very_many_jobs_those_with_the_highest_memory_get_a_picture(tmp_path):
    series = MetricsFile(tmp_path / "x.db")
    for number in range(MOST_SINGLE_JOBS + 20):
        series.add_sample(JobSample(number, 1, 1.0, number, 1, 1, 1.0, None, None))
    series.close()
    files = {file.name for file in write_pictures(read_metrics([tmp_path / "x.db"]), tmp_path)}
    assert "job_20.html" in files
    assert "job_19.html" not in files
    assert sum(name.startswith("job_") for name in files) == MOST_SINGLE_JOBS


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="pictures cannot be written"):
        write_pictures(read_metrics([ours(tmp_path / "x.db")]), tmp_path / "file" / "below")
