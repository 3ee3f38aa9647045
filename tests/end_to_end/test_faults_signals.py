"""Signals to a runner: jobs end as far as asked, all that ended is recorded, and another run goes on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.faults import (
    TORC,
    assert_clear,
    lines,
    results,
    start,
    statuses,
    told,
    torc,
    wait_for,
    works_again,
    write_spec,
)

COUNT = 6


def write(folder: Path, command: str = "until test -e go; do sleep 0.02; done", **fields: object) -> None:
    """Jobs that say that they begin, wait until a file ``go`` appears, and say that they end."""
    command = f"echo start {{i}} >> ran.txt; {command}; echo end {{i}} >> ran.txt"
    write_spec(folder, {"name": "job{i}", "command": command, "parameters": {"i": f"1:{COUNT}"}, **fields})


def begun(folder: Path, **options: object) -> subprocess.Popen[bytes]:
    """Start a runner of two jobs at a time, and wait until two have begun."""
    process = start(folder, "run", "spec.json", "--max-parallel-jobs", "2", **options)
    wait_for(lambda: len(lines(folder / "ran.txt")) == 2, "two running jobs")
    return process


def said(folder: Path) -> str:
    text = (folder / "err.txt").read_text()
    assert_clear(text)
    return text


def ended_by_the_runner(folder: Path) -> int:
    """Return how many attempts are recorded as terminated; their jobs have to be ready again."""
    assert Counter(statuses(folder).values()) == {"ready": COUNT}
    results = told(folder, "results", "list", "1", "--all-runs")["items"]
    return sum(result["status"] == "terminated" for result in results)


def goes_on(folder: Path, *, again: int = 0) -> None:
    """Check that another run brings the workflow to its end; ``again`` jobs were ended, and are run once more."""
    (folder / "go").touch()
    done = torc(folder, "run", "1")
    assert_clear(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    states = Counter(statuses(folder).values())
    assert states == {"completed": COUNT}
    often = sorted(Counter(lines(folder / "ran.txt")).values(), reverse=True)
    assert often[:again] == [2] * again, "what was ended is not run again"
    assert set(often[again:]) == {1}, "a job ran twice"
    assert told(folder, "status", "1")["is_complete"]
    works_again(folder)


def test_one_interrupt_lets_running_jobs_end_and_begins_no_other(tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "once more to end them now" in said(tmp_path), "the answer to the signal")
    assert process.poll() is None
    (tmp_path / "go").touch()
    assert process.wait(60) == 130
    assert Counter(statuses(tmp_path).values()) == {"completed": 2, "ready": COUNT - 2}
    assert len(lines(tmp_path / "ran.txt")) == 4
    assert "Stopped by SIGINT. Go on with: torc run 1" in said(tmp_path)
    goes_on(tmp_path)


def test_two_interrupts_end_running_jobs(tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "once more to end them now" in said(tmp_path), "the answer to the first signal")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert ended_by_the_runner(tmp_path) == 2
    assert [line for line in lines(tmp_path / "ran.txt") if line.startswith("end")] == []
    goes_on(tmp_path, again=2)


def test_three_interrupts_kill_jobs_that_will_not_end(tmp_path):
    write(tmp_path, "trap '' TERM INT; while :; do sleep 0.02; test -e go && break; done", supports_termination=True)
    process = begun(tmp_path)
    for answer in ("once more to end them now", "once more to kill them", "killing 2 running jobs"):
        process.send_signal(signal.SIGINT)
        wait_for(lambda answer=answer: answer in said(tmp_path), answer)
    assert process.wait(20) == 130  # and not after the 30 s that such jobs have
    assert ended_by_the_runner(tmp_path) == 2
    goes_on(tmp_path, again=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_whose_sender_will_not_wait_ends_running_jobs(number, tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert ended_by_the_runner(tmp_path) == 2
    assert f"Stopped by {number.name}" in said(tmp_path)
    goes_on(tmp_path, again=2)


def test_a_storm_of_signals_ends_the_run_once(tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    for _ in range(20):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if process.poll() is None:
                process.send_signal(number)
    assert process.wait(60) > 128
    said(tmp_path)
    assert ended_by_the_runner(tmp_path) == 2
    assert Counter(result["job_id"] for result in results(tmp_path)) == {1: 1, 2: 1}
    goes_on(tmp_path, again=2)


def test_signals_before_the_first_job_leave_a_folder_that_works(tmp_path):
    """At whatever moment of its start: the program ends without a defect, and what it stored is whole."""
    write(tmp_path)
    (tmp_path / "go").touch()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for turns in (0, 20, 200, 2000, 20_000):
            process = start(tmp_path, "run", "spec.json")
            for _ in range(turns):
                os.sched_yield()
            process.send_signal(number)
            process.wait(60)
            text = (tmp_path / "err.txt").read_text()
            assert "internal error" not in text
    is_stored = (tmp_path / "torc_output/torc.db").exists()
    for workflow in told(tmp_path, "workflows", "list")["items"] if is_stored else []:
        assert told(tmp_path, "jobs", "list", str(workflow["id"]))["total_count"] == COUNT
    works_again(tmp_path)


def test_a_neighbour_asks_while_the_owner_is_stopped(tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    process.send_signal(signal.SIGSTOP)
    asking = start(tmp_path, "status", "1", name="asked")
    try:
        wait_for(lambda: (tmp_path / "asked.txt").read_text() or asking.poll() is not None, "a word from the neighbour")
        answer = (tmp_path / "asked.txt").read_text()
    finally:
        process.send_signal(signal.SIGCONT)
    assert asking.wait(60) in (0, 1)
    assert str(process.pid) in answer and "stopped" in answer and "continue it" in answer, answer
    assert_clear(answer)
    assert torc(tmp_path, "status", "1").returncode == 0
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert Counter(statuses(tmp_path).values()) == {"completed": COUNT}
    assert set(Counter(lines(tmp_path / "ran.txt")).values()) == {1}


def test_jobs_that_end_while_their_runner_is_stopped_are_recorded_afterwards(tmp_path):
    write(tmp_path)
    process = begun(tmp_path)
    process.send_signal(signal.SIGSTOP)
    (tmp_path / "go").touch()
    wait_for(lambda: len(lines(tmp_path / "ran.txt")) == 4, "the end of both jobs")
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0
    assert Counter(statuses(tmp_path).values()) == {"completed": COUNT}


def test_a_terminal_that_is_closed_ends_the_run(tmp_path):
    """The kernel sends SIGHUP, and what is written afterwards goes nowhere."""
    write(tmp_path)
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover
        os.chdir(tmp_path)
        os.execv(TORC[0], [*TORC, "run", "spec.json", "--max-parallel-jobs", "2"])
    wait_for(lambda: len(lines(tmp_path / "ran.txt")) == 2, "two running jobs")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (1, 128 + signal.SIGHUP)  # its last words cannot be written
    assert ended_by_the_runner(tmp_path) == 2
    goes_on(tmp_path, again=2)


def test_ctrl_c_on_a_terminal_reaches_the_runner_and_not_its_jobs(tmp_path):
    write(tmp_path)
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover
        os.chdir(tmp_path)
        os.execv(TORC[0], [*TORC, "run", "spec.json", "--max-parallel-jobs", "2"])
    shown = b""
    try:
        wait_for(lambda: len(lines(tmp_path / "ran.txt")) == 2, "two running jobs")
        os.write(terminal, b"\x03")
        while b"once more to end them now" not in shown:
            shown += os.read(terminal, 4096)
        (tmp_path / "go").touch()
        try:
            while chunk := os.read(terminal, 4096):
                shown += chunk
        except OSError:  # how a terminal says that the other side has gone
            assert shown
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert_clear(shown.decode(errors="replace"))
    assert Counter(statuses(tmp_path).values()) == {"completed": 2, "ready": COUNT - 2}
    goes_on(tmp_path)


def test_a_reader_that_goes_away_does_not_stop_a_run(tmp_path):
    write(tmp_path, "true")
    script = f"{' '.join(TORC)} run spec.json 2>&1 | head -n 1"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert_clear(done.stdout + done.stderr)
    assert Counter(statuses(tmp_path).values()) == {"completed": COUNT}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_without_standard_streams_runs(closed, tmp_path):
    write(tmp_path, "true")
    subprocess.run(["bash", "-c", f"{' '.join(TORC)} run spec.json {closed}"], cwd=tmp_path, timeout=60, check=False)
    assert Counter(statuses(tmp_path).values()) == {"completed": COUNT}
    assert set(Counter(lines(tmp_path / "ran.txt")).values()) == {1}
