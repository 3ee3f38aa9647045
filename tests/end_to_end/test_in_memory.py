"""``--in-memory``: the database is in memory, and its file has the latest snapshot."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults import assert_clear, lines, refused, start, statuses, told, torc, wait_for, write_spec
from tests.end_to_end.test_faults_places import fill, small_disk

FIRST = {"name": "first", "command": "echo first >> ran.txt"}
SECOND = {
    "name": "second", "command": "until test -e go; do sleep 0.05; done; echo second >> ran.txt",
    "depends_on": ["first"],
}  # fmt: skip
"""The second job ends when there is a file ``go``."""


@pytest.fixture
def begin(tmp_path) -> Iterator:
    """Start a run in memory and wait until the first job is over and the second one runs."""
    began: list[subprocess.Popen[bytes]] = []

    def begin_run(*words: str, database: Path | None = None) -> subprocess.Popen[bytes]:
        write_spec(tmp_path, FIRST, SECOND)
        place = ["--db", str(database)] if database else []
        began.append(start(tmp_path, "run", "spec.json", "--in-memory", *place, *words))
        wait_for(lambda: "Running" in said(tmp_path), "the run to begin")
        running = {"completed": 1, "running": 1}
        wait_for(lambda: told(tmp_path, "status", *place)["jobs_by_status"].items() >= running.items(), "both jobs")
        return began[-1]

    yield begin_run
    (tmp_path / "go").touch()
    for process in began:
        process.kill()
        process.wait()


def said(folder: Path) -> str:
    return (folder / "err.txt").read_text()


def kept(database: Path) -> int:
    """Return how many results the file has; nobody holds it, so it can be read."""
    reader = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(reader.execute("SELECT count(*) FROM results").fetchone()[0])
    finally:
        reader.close()


def finish(folder: Path, process: subprocess.Popen[bytes], code: int = 0) -> str:
    """Let the second job end, and the run with it; return what the run said."""
    (folder / "go").touch()
    assert process.wait(45) == code, said(folder)
    assert_clear(said(folder))
    return said(folder)


def test_results_are_in_memory_until_the_end_and_in_the_file_afterwards(begin, tmp_path):
    process, database = begin(), tmp_path / "torc_output/torc.db"
    assert kept(database) == 0  # while the status that a second process was told has one completed job
    assert not list(database.parent.glob("torc.db-*"))
    finish(tmp_path, process)
    assert kept(database) == 2
    assert statuses(tmp_path) == {"first": "completed", "second": "completed"}
    assert sorted(path.name for path in database.parent.glob("*torc.db*")) == ["torc.db", "torc.db.lock"]


def test_snapshots_are_written_every_so_often(begin, tmp_path):
    process = begin("--snapshot-interval-seconds", "1")
    wait_for(lambda: kept(tmp_path / "torc_output/torc.db") == 1, "a snapshot with the first result")
    assert process.poll() is None
    finish(tmp_path, process)


def test_what_was_in_a_snapshot_is_not_run_again_after_kill_9(begin, tmp_path):
    process, database = begin(), tmp_path / "torc_output/torc.db"
    process.send_signal(signal.SIGUSR1)
    wait_for(lambda: "Snapshot written" in said(tmp_path), "the snapshot to be told")
    assert kept(database) == 1
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    done = torc(tmp_path, "run", "spec.json", "--resume", "--in-memory")
    assert done.returncode == 0, done.stderr
    assert_clear(done.stderr)
    assert lines(tmp_path / "ran.txt").count("first") == 1
    assert statuses(tmp_path) == {"first": "completed", "second": "completed"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_signals_that_end_the_run_leave_the_last_snapshot(begin, tmp_path, number, code):
    process = begin()
    process.send_signal(number)
    if number == signal.SIGINT:  # lets the running job end
        wait_for(lambda: "stopping when" in said(tmp_path), "the signal to be heard")
    finish(tmp_path, process, code)
    assert kept(tmp_path / "torc_output/torc.db") == 2


def test_a_full_disk_is_told_and_the_last_snapshot_is_written_when_there_is_room(begin, tmp_path):
    disk = tmp_path / "disk"
    database = disk / "torc.db"
    with small_disk(disk, "2m"):
        process = begin("--snapshot-interval-seconds", "1", database=database)
        filler = fill(disk)
        wait_for(lambda: "no space left" in said(tmp_path), "the full disk to be told")
        (tmp_path / "go").touch()
        wait_for(lambda: len(lines(tmp_path / "ran.txt")) == 2, "the run to go on")
        filler.unlink()
        text = finish(tmp_path, process)
        assert "Trying again" in text and "Free some space" in text
        assert kept(database) == 2


def test_ctrl_c_gives_up_a_last_snapshot_for_which_there_is_no_room(begin, tmp_path):
    disk = tmp_path / "disk"
    database = disk / "torc.db"
    with small_disk(disk, "2m"):
        process = begin(database=database)
        filler = fill(disk)
        (tmp_path / "go").touch()
        wait_for(lambda: "no space left" in said(tmp_path), "the full disk to be told")
        process.send_signal(signal.SIGINT)
        text = finish(tmp_path, process, 1)
        assert "the last snapshot was not written" in text and "is lost" in text
        filler.unlink()
        assert kept(database) == 0
        assert torc(tmp_path, "run", "1", "--db", str(database)).returncode == 0


def test_a_second_runner_goes_on_with_the_file_when_the_first_has_ended(begin, tmp_path):
    process = begin()
    second = start(tmp_path, "run", "1", name="second")
    try:
        wait_for(lambda: told(tmp_path, "status")["active_compute_nodes"] == 2, "the second runner to be there")
        process.send_signal(signal.SIGTERM)  # its job is ready again
        assert process.wait(45) == 143
        (tmp_path / "go").touch()
        assert second.wait(45) == 0, (tmp_path / "second.txt").read_text()
    finally:
        second.kill()
    assert_clear((tmp_path / "second.txt").read_text())
    assert statuses(tmp_path) == {"first": "completed", "second": "completed"}


def test_a_database_that_is_in_use_is_not_loaded(begin, tmp_path):
    process = begin()
    refused(torc(tmp_path, "exec", "--in-memory", "-c", "true"), "in use by another process", "--db")
    finish(tmp_path, process)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("status", "--in-memory"), "--in-memory goes with torc run and torc exec only"),
        (("--in-memory", "create", "spec.json"), "--in-memory goes with torc run and torc exec only"),
        (("run", "spec.json", "--snapshot-interval-seconds", "5"), "needs --in-memory"),
        (("run", "spec.json", "--in-memory", "--snapshot-interval-seconds", "0"), "0 is not in the range"),
        (("run", "spec.json", "--in-memory", "--url", "http://localhost:1"), "Give one of them"),
        (("run", "spec.json", "--in-memory", "--db", "postgresql://localhost/x"), "Name a file with --db"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(tmp_path, words, part):
    write_spec(tmp_path, FIRST)
    done = torc(tmp_path, *words)
    refused(done, part)
    assert done.returncode == 2
    assert not (tmp_path / "torc_output/torc.db").exists()
