"""Folders that cannot be written, full disks, damaged databases: clear errors, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults import (
    assert_clear,
    lines,
    refused,
    remove,
    results,
    running,
    start,
    statuses,
    told,
    torc,
    unprivileged,
    wait_for,
    works_again,
    write_spec,
    writes,
)


def test_an_output_folder_that_may_not_be_written_is_named(tmp_path):
    writes(tmp_path)
    output = tmp_path / "torc_output"
    output.mkdir(mode=0o555)
    for words in (["run", "spec.json"], ["create", "spec.json"]):
        refused(torc(tmp_path, *words, before=unprivileged()), "torc_output", "Permission denied", "--db")
    output.chmod(0o755)
    assert torc(tmp_path, "run", "spec.json").returncode == 0
    output.chmod(0o555)
    refused(torc(tmp_path, "run", "1", before=unprivileged()), "torc_output", "Permission denied")
    output.chmod(0o755)
    assert statuses(tmp_path) == dict.fromkeys(["job0", "job1", "job2"], "completed")
    assert len(lines(tmp_path / "ran.txt")) == 3
    works_again(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ["spec", "convert", "spec.json", "-o", "results/out.yaml"],
        ["run", "spec.json", "--dry-run", "--gantt", "results/out.svg"],
        ["workflows", "export", "1", "-o", "results/out.json"],
        ["logs", "bundle", "1", "--bundle-dir", "results"],
    ],
)
def test_a_result_that_cannot_be_written_is_named_as_the_user_knows_it(words, tmp_path):
    writes(tmp_path)
    torc(tmp_path, "run", "spec.json")
    results = tmp_path / "results"
    results.mkdir(mode=0o555)
    said = refused(torc(tmp_path, *words, before=unprivileged()), "results/", "Permission denied", "rights")
    assert ".part" not in said
    assert list(results.iterdir()) == []


def test_the_folder_of_a_result_that_is_not_there_is_to_be_made(tmp_path):
    writes(tmp_path)
    said = refused(torc(tmp_path, "spec", "convert", "spec.json", "-o", "none/x.kdl"), "none/x.kdl", "make its folder")
    assert ".part" not in said


def test_a_database_that_may_not_be_written_is_named(tmp_path):
    writes(tmp_path)
    torc(tmp_path, "create", "spec.json")
    database = tmp_path / "torc_output/torc.db"
    database.chmod(0o444)
    for words in (["run", "1"], ["status", "1"]):
        refused(torc(tmp_path, *words, before=unprivileged()), "torc_output/torc.db cannot be written", "Check that")
    database.chmod(0o644)
    assert torc(tmp_path, "run", "1").returncode == 0
    assert len(lines(tmp_path / "ran.txt")) == 3


def test_an_output_folder_that_is_a_file_is_named(tmp_path):
    writes(tmp_path)
    (tmp_path / "torc_output").write_text("mine")
    for words in (["run", "spec.json"], ["create", "spec.json"]):
        refused(torc(tmp_path, *words), "torc_output", "not a folder")
    assert (tmp_path / "torc_output").read_text() == "mine"
    (tmp_path / "torc_output").unlink()
    for place in ("spec.json", "/dev/null", "/proc/none"):
        refused(torc(tmp_path, "run", "spec.json", "--output-dir", place), place, "--output-dir")
    assert told(tmp_path, "workflows", "list")["items"] == []
    works_again(tmp_path)


def test_a_journal_that_cannot_be_made_is_told_and_leaves_no_active_runner(tmp_path):
    writes(tmp_path)
    (tmp_path / "torc_output").mkdir()
    (tmp_path / "torc_output/journal").write_text("mine")
    refused(torc(tmp_path, "run", "spec.json"), "torc_output/journal", "--output-dir")
    nodes = told(tmp_path, "compute-nodes", "list", "1")["items"]
    assert not any(node["is_active"] for node in nodes)
    (tmp_path / "torc_output/journal").unlink()
    assert torc(tmp_path, "run", "1").returncode == 0
    assert len(lines(tmp_path / "ran.txt")) == 3


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount a file system of so many bytes at ``place``."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "torc-test", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a disk up to ``leave`` bytes; removing the file that is returned makes space."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    if leave:
        os.truncate(filler, max(filler.stat().st_size - leave, 0))
    return filler


def ran_once(folder: Path, count: int) -> None:
    assert Counter(lines(folder / "ran.txt")) == {str(i): 1 for i in range(count)}


def run_short_of_space(folder: Path, *words: str, make_space: Callable[[], object]) -> None:
    """Run until the disk is said to be full, make space, and see the workflow run to its end."""
    process = start(folder, *words, "run", "1", "--max-parallel-jobs", "2")
    said = folder / "err.txt"
    try:
        wait_for(lambda: "no space left" in said.read_text() or process.poll() is not None, "the full disk to be told")
        make_space()
        code = process.wait(60)
    finally:
        process.kill()
    assert_clear(said.read_text())
    assert "no space left to write" in said.read_text() and "torc.db" in said.read_text()
    if code:
        assert "Free some space" in said.read_text()
        done = torc(folder, *words, "run", "1")
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_full_disk_below_the_database_loses_nothing(tmp_path):
    """Logs and journal are on another disk, so every job that ran is known; it must not run again."""
    disk, count = tmp_path / "disk", 400
    write_spec(tmp_path, *({"command": f"echo {i} >> ran.txt; # {'x' * 2000}"} for i in range(count)))
    database = ["--db", str(disk / "torc.db")]
    with small_disk(disk, "8m"):
        assert torc(tmp_path, *database, "create", "spec.json").returncode == 0
        filler = fill(disk, leave=16384)
        run_short_of_space(tmp_path, *database, make_space=filler.unlink)
        ran_once(tmp_path, count)
        assert told(tmp_path, *database, "status", "1")["jobs_by_status"]["completed"] == count


def test_a_full_disk_at_the_start_of_all_is_told(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "1m"):
        writes(disk)
        filler = fill(disk)
        for words in (["create", "spec.json"], ["run", "spec.json"]):
            refused(torc(disk, *words), "torc_output", "No space left on device")
        filler.unlink()
        works_again(disk)


def test_without_room_for_the_journal_nothing_is_started_that_could_not_be_noted(tmp_path):
    count = 60
    write_spec(tmp_path, *({"command": f"echo {i} >> ran.txt"} for i in range(count)))
    journal = tmp_path / "torc_output/journal"
    with small_disk(journal, "16k"):
        filler = fill(journal, leave=4096)
        done = torc(tmp_path, "run", "spec.json", "--max-parallel-jobs", "2")
        refused(done, "torc_output/journal", "No space left on device", "Free some space", "torc run 1")
        assert len(lines(tmp_path / "ran.txt")) < count
        filler.unlink()
        done = torc(tmp_path, "run", "1")
        assert done.returncode == 0, done.stderr
    ran_once(tmp_path, count)
    assert Counter(statuses(tmp_path).values()) == {"completed": count}


def test_a_full_disk_below_the_logs_fails_the_jobs_that_write_and_no_others(tmp_path):
    loud, quiet = {"command": "head -c 100000 /dev/zero"}, {"command": "true"}
    write_spec(tmp_path, loud, quiet, loud, quiet)
    logs = tmp_path / "torc_output/job_stdio"
    with small_disk(logs, "64k"):
        done = torc(tmp_path, "run", "spec.json")
        assert_clear(done.stdout + done.stderr)
        assert statuses(tmp_path) == {"job0": "failed", "job1": "completed", "job2": "failed", "job3": "completed"}
        first = next(log for log in logs.iterdir() if log.name.endswith("j1_r1_a1.e"))
        assert first.exists()
    again = torc(tmp_path, "workflows", "reinit", "1")
    assert again.returncode == 0, again.stderr
    assert torc(tmp_path, "run", "1").returncode == 0
    assert set(statuses(tmp_path).values()) == {"completed"}
    attempts = Counter(result["job_id"] for result in results(tmp_path))
    assert attempts == {1: 2, 2: 1, 3: 2, 4: 1}, "what had succeeded ran again"


def test_everything_on_one_full_disk_runs_no_job_twice(tmp_path):
    disk, count = tmp_path / "disk", 100
    with small_disk(disk, "2m"):
        flood = "head -c 40000 /dev/zero"
        write_spec(disk, *({"command": f"echo {i} >> {tmp_path}/ran.txt; {flood} || true"} for i in range(count)))
        assert torc(disk, "create", "spec.json").returncode == 0

        def make_space() -> None:
            subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)

        run_short_of_space(disk, make_space=make_space)
        twice = [name for name, times in Counter(lines(tmp_path / "ran.txt")).items() if times > 1]
        assert not twice, "jobs that had run ran again"
        known = Counter(statuses(disk).values())
        assert known == {"completed": count}


def test_a_log_folder_that_is_deleted_during_a_run_is_made_again(tmp_path):
    process = running(tmp_path, 60)
    remove(tmp_path / "torc_output/job_stdio")
    assert process.wait(60) == 0
    assert Counter(statuses(tmp_path).values()) == {"completed": 60}
    ran_once(tmp_path, 60)


def test_journals_that_are_none_are_left_alone(tmp_path):
    writes(tmp_path)
    torc(tmp_path, "create", "spec.json")
    journal = tmp_path / "torc_output/journal"
    journal.mkdir()
    spoiled = {
        "empty.jsonl": b"",
        "garbage.jsonl": random.Random(1).randbytes(5000),
        "wf1_r1_n1_host_1.jsonl": b'{"format": 1, "workflow_id": 1}\n',
        "wf1_r1_n2_host_2.jsonl": b'{"format": 99}\n[1, 2]\n',
        "wf1_r1_n3_host_3.jsonl": b"[" * 5000,
    }
    for name, data in spoiled.items():
        (journal / name).write_bytes(data)
    done = torc(tmp_path, "run", "1")
    assert_clear(done.stdout + done.stderr)
    assert done.returncode == 0 and len(lines(tmp_path / "ran.txt")) == 3
    assert {path.name: path.read_bytes() for path in journal.iterdir()} == spoiled
