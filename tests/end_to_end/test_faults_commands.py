"""Commands of jobs that fail, flood, fork and refuse to die: each has its result, and nothing of them stays behind."""

from __future__ import annotations

import os
import signal
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


def run_one(folder: Path, command: str, **job: object) -> dict[str, object]:
    """Run a workflow of one job and return its result."""
    write_spec(folder, {"command": command, **job})
    done = torc(folder, "run", "spec.json")
    assert_clear(done.stdout + done.stderr)
    (result,) = results(folder)
    return result


def log(folder: Path, ending: str) -> bytes:
    return (folder / f"torc_output/job_stdio/job_wf1_j1_r1_a1.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("no_such_command_of_ours", 127, b"command not found"),
        ("./plain.txt", 126, b"Permission denied"),
        ("kill -9 $$", 137, b""),
        ("kill -SEGV $$", 139, b""),
        ("exit 300", 44, b""),  # bash keeps eight bits
        ("if then (", 2, b"syntax error"),
        ("exec >&- 2>&-; exit 3", 3, b""),
    ],
)
def test_a_command_that_fails_has_the_code_of_a_shell_and_its_words_in_the_log(command, code, said, tmp_path):
    (tmp_path / "plain.txt").write_text("text")
    result = run_one(tmp_path, command)
    assert (result["status"], result["return_code"]) == ("failed", code)
    assert said in log(tmp_path, "e")
    works_again(tmp_path)


def test_the_signal_that_killed_a_job_is_named(tmp_path):
    assert "SIGKILL" in str(run_one(tmp_path, "kill -9 $$")["reason"])


def test_a_hundred_megabytes_of_output_are_kept(tmp_path):
    assert run_one(tmp_path, "head -c 100000000 /dev/zero")["return_code"] == 0
    size = (tmp_path / "torc_output/job_stdio/job_wf1_j1_r1_a1.o").stat().st_size
    (tmp_path / "torc_output/job_stdio/job_wf1_j1_r1_a1.o").unlink()
    assert size == 100_000_000


def test_a_job_that_reads_standard_input_finds_its_end(tmp_path):
    write_spec(tmp_path, {"command": "cat; echo read $?"})
    done = torc(tmp_path, "run", "spec.json", input="not for the job\n")
    assert done.returncode == 0
    assert log(tmp_path, "o") == b"read 0\n"


def test_output_that_is_no_text_is_kept_byte_by_byte_and_shown_all_the_same(tmp_path):
    run_one(tmp_path, r"printf '\377\376\000bin\n'")
    assert log(tmp_path, "o") == b"\xff\xfe\x00bin\n"
    shown = torc(tmp_path, "jobs", "logs", "1")
    assert shown.returncode == 0 and "bin" in shown.stdout, shown.stderr


def test_names_with_quotes_slashes_and_other_scripts_are_only_names(tmp_path):
    names = ['it\'s "so"', "up/../../../there", "\u00fcni\u2713\u4e2d", "-rf", "$(touch pwned)", "%s {x", "a\tb"]
    write_spec(tmp_path, *({"name": name, "command": "echo $TORC_JOB_NAME"} for name in names))
    done = torc(tmp_path, "run", "spec.json")
    assert done.returncode == 0 and "7 completed" in done.stdout, done.stdout + done.stderr
    assert statuses(tmp_path) == dict.fromkeys(names, "completed")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["spec.json", "torc_output"]


@pytest.mark.parametrize("name", ["a\nb", "", "  ", "a\0b"])
def test_names_that_break_lines_or_are_empty_are_refused(name, tmp_path):
    write_spec(tmp_path, {"name": name, "command": "true"})
    refused(torc(tmp_path, "run", "spec.json"), "spec.json:1:", "name")
    write_spec(tmp_path, {"command": "true\0"})
    refused(torc(tmp_path, "run", "spec.json"), "spec.json:1:", "zero byte")
    works_again(tmp_path)


def test_a_name_cannot_send_commands_to_the_terminal(tmp_path):
    write_spec(tmp_path, {"name": "a\x1b[2Jb", "command": "false"})
    for words in (["run", "spec.json"], ["jobs", "list", "1"], ["results", "list", "1"], ["status", "1"]):
        done = torc(tmp_path, *words)
        assert "\x1b" not in done.stdout + done.stderr, words
        assert_clear(done.stdout + done.stderr)


def test_a_command_longer_than_the_system_takes_says_what_to_do(tmp_path):
    result = run_one(tmp_path, ": " + "x" * 1_000_000)
    assert (result["status"], result["return_code"]) == ("failed", 126)
    assert "1,000,002 bytes" in str(result["reason"]) and "file" in str(result["reason"])
    works_again(tmp_path)


def test_a_command_as_long_as_the_system_takes_runs(tmp_path):
    assert run_one(tmp_path, ": " + "x" * 100_000)["return_code"] == 0


def test_thousands_of_variables_reach_the_job_and_too_many_are_told(tmp_path):
    write_spec(
        tmp_path,
        {"command": "env | grep -c ^MANY_", "env": {f"MANY_{i}": "x" * 50 for i in range(5000)}},
        {"command": "true", "env": {f"MANY_{i}": "x" * 1000 for i in range(5000)}},
    )
    torc(tmp_path, "run", "spec.json")
    assert log(tmp_path, "o") == b"5000\n"
    by_job = {result["job_id"]: result for result in results(tmp_path)}
    assert by_job[2]["return_code"] == 126
    assert "longer than the system takes" in by_job[2]["reason"]
    works_again(tmp_path)


def test_a_working_folder_that_the_job_removes_harms_nobody(tmp_path):
    write_spec(tmp_path, {"command": "mkdir gone; cd gone; rmdir ../gone; echo fine"}, {"command": "echo fine"})
    assert torc(tmp_path, "run", "spec.json").returncode == 0


STUBBORN = """
trap '' TERM INT HUP
echo $$ >> pids.txt
(trap '' TERM; echo $BASHPID >> pids.txt; while :; do sleep 300; done) &
bash -c 'trap "" TERM; echo $$ >> pids.txt; sleep 300; sleep 300' &
while :; do sleep 300; done
"""


def alive(pid: str) -> bool:
    """Whether a process runs; one that has ended and is only not yet taken away does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def none_left(folder: Path) -> None:
    pids = lines(folder / "pids.txt")
    assert len(pids) >= 3
    wait_for(lambda: not any(map(alive, pids)), "the end of every process of the job")


def stubborn(folder: Path, **fields: object) -> None:
    (folder / "stubborn.sh").write_text(STUBBORN)
    write_spec(folder, {"command": "bash stubborn.sh", **fields}, resource_requirements=[
        {"name": "short", "num_cpus": 1, "memory": "1g", "runtime": "PT1S"}
    ])  # fmt: skip


def test_the_time_limit_ends_all_children_also_those_that_ignore_sigterm(tmp_path):
    stubborn(tmp_path, resource_requirements="short")
    torc(tmp_path, "run", "spec.json")
    (result,) = results(tmp_path)
    assert (result["status"], result["return_code"]) == ("terminated", 152)
    none_left(tmp_path)


@pytest.mark.parametrize("end", ["cancel", "time limit of the runner", "SIGTERM", "delete"])
def test_all_children_are_gone_after(end, tmp_path):
    stubborn(tmp_path)
    limit = ["--time-limit", "PT3S"] if end.startswith("time") else []
    running = start(tmp_path, "run", "spec.json", *limit)
    try:
        wait_for(lambda: len(lines(tmp_path / "pids.txt")) == 3, "the children of the job")
        if end == "SIGTERM":
            running.send_signal(signal.SIGTERM)
        elif not limit:
            assert torc(tmp_path, end, "1", "--no-prompts").returncode == 0
        running.wait(60)
    finally:
        running.kill()
    none_left(tmp_path)
    assert_clear((tmp_path / "err.txt").read_text())
    if end != "delete":
        assert [result["status"] for result in results(tmp_path)] == ["canceled" if end == "cancel" else "terminated"]
        assert statuses(tmp_path) == {"job0": "canceled" if end == "cancel" else "ready"}
    works_again(tmp_path)


@pytest.mark.parametrize(
    "leave",
    [
        "sleep 300 & echo $! > pid.txt",
        "setsid sh -c 'echo $$ > pid.txt; exec sleep 300' & until test -s pid.txt; do :; done",
    ],
    ids=["in the background", "in a session of its own"],
)
def test_what_a_job_leaves_behind_outlives_it_but_does_not_hold_the_runner_up(leave, tmp_path):
    write_spec(tmp_path, {"command": leave})
    done = torc(tmp_path, "run", "spec.json")
    pid = (tmp_path / "pid.txt").read_text().strip()
    try:
        assert "1 completed" in done.stdout
        assert alive(pid)
    finally:
        os.kill(int(pid), signal.SIGKILL)


def test_children_without_a_parent_that_waits_for_them_do_no_harm(tmp_path):
    write_spec(tmp_path, *({"command": "(sleep 0.01 & exec sleep 0.05)"} for _ in range(10)))
    assert torc(tmp_path, "run", "spec.json").returncode == 0
    assert told(tmp_path, "status", "1")["jobs_by_status"]["completed"] == 10
