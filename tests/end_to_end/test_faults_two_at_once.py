"""Two terminals in one folder: nothing is lost, nothing is done twice, and everybody is answered."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.faults import (
    assert_clear,
    lines,
    refused,
    results,
    start,
    statuses,
    told,
    torc,
    wait_for,
    works_again,
    write_spec,
)

ROUNDS = 20


def both(folder: Path, *words: str, count: int = 2) -> list[str]:
    """Start the same command several times at once; return what each said."""
    names = [f"said{i}" for i in range(count)]
    processes = [start(folder, *words, name=name) for name in names]
    try:
        codes = [process.wait(60) for process in processes]
    finally:
        for process in processes:
            process.kill()
    said = [(folder / f"{name}.txt").read_text() for name in names]
    for text in said:
        assert_clear(text)
    assert codes == [0] * count, said
    return said


def nothing_left(folder: Path) -> None:
    """Check that no owner file, claim, socket or journal stays behind."""
    names = {path.name for path in (folder / "torc_output").iterdir()}
    assert {n for n in names if not n.endswith((".log", "job_stdio"))} <= {"torc.db", "torc.db.lock"}


def test_two_creates_at_the_same_moment_in_a_new_folder_make_two_workflows(tmp_path):
    for round_ in range(ROUNDS):
        folder = tmp_path / str(round_)
        folder.mkdir()
        write_spec(folder, {"command": "true"}, {"command": "true"})
        both(folder, "create", "spec.json")
        nothing_left(folder)
        with contextlib.closing(sqlite3.connect(folder / "torc_output/torc.db")) as db:
            assert db.execute("SELECT workflow_id, count(*) FROM jobs GROUP BY 1").fetchall() == [(1, 2), (2, 2)]
            assert db.execute("SELECT id FROM workflows").fetchall() == [(1,), (2,)]


def test_eight_creates_at_the_same_moment_make_eight_workflows(tmp_path):
    write_spec(tmp_path, {"command": "true"})
    said = both(tmp_path, "create", "spec.json", count=8)
    assert len(set(said)) == 8
    assert told(tmp_path, "workflows", "list")["total_count"] == 8


def test_two_runs_of_one_spec_are_two_workflows(tmp_path):
    for round_ in range(3):
        folder = tmp_path / str(round_)
        folder.mkdir()
        write_spec(folder, *({"command": f"echo {i} >> ran.txt"} for i in range(20)))
        both(folder, "run", "spec.json")
        nothing_left(folder)
        for workflow_id in (1, 2):
            assert Counter(statuses(folder, workflow_id).values()) == {"completed": 20}
        assert Counter(lines(folder / "ran.txt")) == {str(i): 2 for i in range(20)}


def test_one_workflow_run_in_two_terminals_runs_no_job_twice(tmp_path):
    for round_ in range(3):
        folder = tmp_path / str(round_)
        folder.mkdir()
        write_spec(folder, *({"command": f"echo {i} >> ran.txt"} for i in range(40)))
        torc(folder, "create", "spec.json")
        both(folder, "run", "1")
        nothing_left(folder)
        assert Counter(lines(folder / "ran.txt")) == {str(i): 1 for i in range(40)}
        assert Counter(result["job_id"] for result in results(folder)) == {i + 1: 1 for i in range(40)}


@pytest.fixture
def busy(tmp_path: Path):
    """A run whose two jobs that have begun would go on for minutes, with more behind them."""
    command = "echo {i} >> ran.txt; exec sleep 300"
    write_spec(tmp_path, {"name": "job{i}", "command": command, "parameters": {"i": "1:10"}})
    process = start(tmp_path, "run", "spec.json", "--max-parallel-jobs", "2")
    try:
        wait_for(lambda: len(lines(tmp_path / "ran.txt")) == 2, "two running jobs")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_cancel_ends_a_run_within_seconds_and_begins_no_other_job(busy: subprocess.Popen[bytes], tmp_path):
    done = torc(tmp_path, "cancel", "1", "--no-prompts")
    assert done.returncode == 0, done.stderr
    busy.wait(20)  # jobs of 300 s
    assert Counter(statuses(tmp_path).values()) == {"canceled": 2, "ready": 8}  # what had not begun stays as it was
    assert len(lines(tmp_path / "ran.txt")) == 2
    assert_clear((tmp_path / "err.txt").read_text())
    works_again(tmp_path)


def test_a_run_that_was_canceled_did_not_succeed(tmp_path):
    write_spec(tmp_path, {"command": "echo x >> ran.txt; exec sleep 300"})
    process = start(tmp_path, "run", "spec.json", "--fail-on-job-failure")
    wait_for(lambda: lines(tmp_path / "ran.txt"), "a running job")
    assert torc(tmp_path, "cancel", "1", "--no-prompts").returncode == 0
    assert process.wait(20) == 1


def test_a_workflow_that_runs_is_deleted_only_on_insistence(busy: subprocess.Popen[bytes], tmp_path):
    refused(torc(tmp_path, "delete", "1"), "workflow 1 has 1 active runner", "torc cancel 1")
    assert set(statuses(tmp_path).values()) >= {"running"}
    assert torc(tmp_path, "delete", "1", "--no-prompts").returncode == 0
    assert busy.wait(20) == 1
    said = (tmp_path / "err.txt").read_text()
    assert_clear(said)
    assert "no workflow with id 1" in said
    assert len(lines(tmp_path / "ran.txt")) == 2
    works_again(tmp_path)


def test_a_workflow_that_runs_cannot_begin_again(busy: subprocess.Popen[bytes], tmp_path):
    refused(torc(tmp_path, "workflows", "reinit", "1"), "workflow 1", "are running", "cancel the workflow")
    refused(torc(tmp_path, "workflows", "reset-status", "1", "--no-prompts"), "workflow 1", "are running")
    assert Counter(statuses(tmp_path).values()) == {"running": 2, "ready": 8}


def test_a_run_answers_fifty_questions_meanwhile(busy: subprocess.Popen[bytes], tmp_path):
    for _ in range(25):
        status = told(tmp_path, "status", "1")
        assert status["jobs_by_status"]["running"] == 2 and status["active_compute_nodes"] == 1
        assert told(tmp_path, "jobs", "list", "1")["total_count"] == 10
    assert busy.poll() is None


def test_another_spec_is_created_while_a_workflow_runs(busy: subprocess.Popen[bytes], tmp_path):
    works_again(tmp_path)
    assert Counter(statuses(tmp_path).values()) == {"running": 2, "ready": 8}
