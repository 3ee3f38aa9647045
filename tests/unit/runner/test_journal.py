"""Journals, and taking over from runners that were killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.loop_kit import job
from torc_core.records.answers import FinishedJob
from torc_core.runner import journal as journals
from torc_core.runner.journal import Journal, Owner, read
from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_core.runner.recovery import recover
from torc_core.service.processes import start_of, this_machine
from torc_core.status import JobStatus
from torc_core.testing.executors import is_running, wait_for, written
from torc_plugins.executors.local import LocalExecutor

HERE = this_machine()
NODE = 5


def owner(**changes):
    gone = Owner(1, "w", "2026-01-01T00:00:00.000Z", 1, NODE, HERE.host, HERE.boot_id, HERE.pid_space, 2**22 + 1, "1")
    return gone._replace(**changes)


def end(job_id, status=JobStatus.COMPLETED, code=0, **more):
    return FinishedJob(
        job_id=job_id, attempt_id=1, status=status, return_code=code, exec_time_minutes=0.5,
        completion_time="2026-01-01T00:00:01.000Z", **more,
    )  # fmt: skip


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def make(tmp_path, complaints):
    folder = tmp_path / "out/journal"
    return lambda **changes: Journal(folder, owner(**changes), complaints.append)


def started(job_id):
    return (job_id, 1, "local", f"{job_id}:1:x")


def test_what_was_written_is_read(make):
    journal = make()
    journal.write([started(1), started(2), started(3)], [])
    journal.write([started(4)], [end(2), end(1, JobStatus.FAILED, 3, reason="ü\n", file_mtimes={"7": 1.5})])
    left = read(journal.path)
    assert left.owner == owner()
    assert {job: handle.id for (job, _), handle in left.running.items()} == {3: "3:1:x", 4: "4:1:x"}
    assert left.finished == [end(2), end(1, JobStatus.FAILED, 3, reason="ü\n", file_mtimes={"7": 1.5})]


def test_results_that_were_taken_are_not_told_again(make):
    journal = make()
    journal.write([], [end(1), end(2), end(3)])
    journal.note_taken(2)
    journal.write([], [end(4)])
    assert [f.job_id for f in read(journal.path).finished] == [3, 4]


def test_a_torn_last_line_is_passed_over(make):
    journal = make()
    journal.write([], [end(1)])
    journal.write([], [end(2)])
    whole = journal.path.read_bytes().rstrip(b"\0")  # what follows is room that is reserved
    for cut in range(len(whole) - 1, whole.rindex(b"\n", 0, -1), -1):
        journal.path.write_bytes(whole[:cut])
        assert [f.job_id for f in read(journal.path).finished] in ([1], [1, 2])
    journal.path.write_bytes(whole[:-10])
    assert [f.job_id for f in read(journal.path).finished] == [1]


@pytest.mark.parametrize("text", ["", "x", "{}", "[1]", '{"format": 99}', '{"format": 1, "pid": 3}'])
def test_what_is_no_journal_is_left_alone(tmp_path, text):
    (tmp_path / "wf1_x.jsonl").write_text(text)
    assert read(tmp_path / "wf1_x.jsonl") is None


def test_a_journal_begins_again_with_what_runs(make):
    journal = make()
    journal.write([started(1), started(2)], [end(1)])
    journal.note_taken(1)
    journal.begin_again([started(2)])
    journal.write([], [end(3)])
    left = read(journal.path)
    assert (list(left.running), [f.job_id for f in left.finished]) == ([(2, 1)], [3])
    journal.note_taken(1)
    journal.close(keep=True)
    assert read(journal.path).finished == []


def test_a_large_journal_begins_again_in_a_run(run, monkeypatch, tmp_path):
    monkeypatch.setattr(journals, "_LARGE", 2000)
    sizes = []

    def watch(_runner, _progress):
        journals_there = (tmp_path / "out/journal").glob("*.jsonl")
        sizes.append(sum(len(path.read_bytes().rstrip(b"\0")) for path in journals_there))

    run(FakeService([{"name": f"j{i}", "command": "true"} for i in range(400)]), watch)
    assert max(sizes) < 100_000 / 4  # all 400 results and starts would take more than 80,000 bytes


def test_a_journal_that_cannot_be_written_is_complained_about_once(make, complaints, monkeypatch):
    journal = make()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    journal.write([], [end(1)])
    journal.write([], [end(2)])
    assert journal.is_stuck
    monkeypatch.undo()
    assert len(complaints) == 1
    assert "No space left" in complaints[0]
    journal.try_again()
    assert not journal.is_stuck
    assert [f.job_id for f in read(journal.path).finished] == [1, 2]


def test_a_disk_that_takes_a_part_of_a_line_spoils_none(make, monkeypatch):
    journal = make()
    journal.write([], [end(1)])
    real, room = os.pwrite, [10, 0, 7]

    def little(fd, data, offset):
        if not room:
            return real(fd, data, offset)
        count = room.pop(0)
        if not count:
            raise OSError(28, "No space left on device")
        return real(fd, data[:count], offset)

    monkeypatch.setattr(os, "pwrite", little)
    journal.write([], [end(2)])
    journal.write([], [end(3)])
    assert [f.job_id for f in read(journal.path).finished] == [1, 2, 3]


# taking over


def service_of_a_dead_runner(*running, **workflow):
    jobs = [{"name": name, "command": f"echo {name} >> ran"} for name in "abc"]
    service = FakeService(jobs, **workflow)
    for name in running:
        job = service.named(name)
        service.ready.remove(job)
        service.status[job], service.holder[job] = "running", NODE
    return service


def test_results_of_a_killed_runner_are_reported_and_its_other_jobs_run_again(run, make, tmp_path):
    service = service_of_a_dead_runner("a", "b")
    journal = make()
    journal.write([started(1), started(2)], [])
    journal.write([], [end(1)])
    summary = run(service)
    assert service.result("a").exec_time_minutes == 0.5  # as the dead runner saw it
    assert sorted((tmp_path / "ran").read_text().split()) == ["b", "c"]
    assert service.adopted == [NODE]
    assert summary.is_complete
    assert not (tmp_path / "out/journal").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"created": "2025-01-01T00:00:00.000Z"},  # of another database
        {"name": "other"},
        {"host": "elsewhere", "boot_id": "0" * 36},
        {"pid_space": "pid:[1]"},
        {"pid": os.getpid(), "start": "alive"},
    ],
)
def test_journals_of_others_are_left_alone(run, make, monkeypatch, changes):
    if changes.get("start") == "alive":
        changes = {**changes, "start": start_of(os.getpid())}
    service = service_of_a_dead_runner()
    journal = make(**changes)
    journal.write([], [end(1)])
    before = journal.path.read_bytes()
    run(service)
    assert service.result("a").exec_time_minutes != 0.5
    assert journal.path.read_bytes() == before
    assert service.adopted == []


def test_a_runner_of_before_a_reboot_is_dead(run, make):
    service = service_of_a_dead_runner("a")
    if HERE.host == "localhost":
        pytest.skip("this machine has no name of its own")
    make(boot_id="0" * 36, pid=os.getpid(), start="1").write([], [end(1)])
    run(service)
    assert service.result("a").exec_time_minutes == 0.5


def test_results_of_an_earlier_run_are_dropped(run, make):
    service = service_of_a_dead_runner()
    make(run_id=1).write([], [end(1)])
    service.workflow = service.workflow.changed(run_id=2)
    run(service)
    assert service.result("a").exec_time_minutes != 0.5
    assert service.adopted == [NODE]


def test_a_journal_whose_heir_was_killed_too_is_inherited(run, make):
    service = service_of_a_dead_runner("a")
    journal = make()
    journal.write([], [end(1)])
    journal.path.rename(f"{journal.path}.{2**22 + 1}-1")
    run(service)
    assert service.result("a").exec_time_minutes == 0.5


def test_what_still_runs_is_ended_before_it_is_run_again(run, make, tmp_path):
    holder = """
import os, sys
from torc_core.contracts.executor import LaunchRequest
from torc_plugins.executors.local import LocalExecutor
[handle] = LocalExecutor().submit([LaunchRequest("k", "n", sys.argv[1], dict(os.environ), None, None)])
print(handle.id, flush=True)
os.kill(os.getpid(), 9)
"""
    command = f"trap '' TERM; (sleep 300; true) & echo $$ $! > {tmp_path}/pids; wait"
    done = subprocess.run([sys.executable, "-c", holder, command], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in written(tmp_path / "pids").split()]
    service = service_of_a_dead_runner("a")
    service.launches[1] = service.launches[1].changed(
        command=f"for p in {' '.join(map(str, pids))}; do ! test -d /proc/$p || grep -q zombie /proc/$p/status; done"
    )
    make().write([(1, 1, "local", done.stdout.strip())], [])
    run(service)
    assert service.result("a").status == "completed"
    wait_for(lambda: not any(map(is_running, pids)), "the end of what was left")


VICTIM = """
import os, sys
from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.loop_kit import job
from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_plugins.executors.local import LocalExecutor

command = "echo {0} >> ran; [ {0} != b ] || sleep 300"
service = FakeService([{"name": name, "command": command.format(name)} for name in "abc"])
service._ids = iter([5])
tick = service.tick

def deaf(id, turn):
    if turn.finished:
        os.kill(os.getpid(), 9)  # what ended is written down, but never told
    return tick(id, turn)

service.tick = deaf
Runner(service, LocalExecutor(), 1, RunnerOptions(output_dir="out", max_parallel_jobs=2)).run()
"""


def test_a_runner_killed_in_the_middle_loses_nothing_and_runs_nothing_twice_at_a_time(run, tmp_path):
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", VICTIM], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    [journal] = (tmp_path / "out/journal").glob("*.jsonl")
    lines = [json.loads(line) for line in journal.read_text().rstrip("\0").splitlines()]
    [pid] = [int(handle.split(":")[0]) for line in lines for job, _, _, handle in line.get("started", ()) if job == 2]
    assert is_running(pid)
    service = service_of_a_dead_runner("a", "b")
    run(service)
    assert not is_running(pid)
    ran = (tmp_path / "ran").read_text().split()
    assert (ran.count("a"), ran.count("b"), ran.count("c")) == (1, 2, 1)
    assert service.unfinished == 0


class Looking(LocalExecutor):
    """Reads the journal whenever jobs start."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def submit(self, requests):
        [path] = Path("out/journal").glob("*.jsonl")
        lines = [json.loads(line) for line in path.read_bytes().rstrip(b"\0").split(b"\n")[1:] if line]
        self.seen.append([end["job_id"] for line in lines for end in line.get("finished", ())])
        return super().submit(requests)


def test_an_end_is_written_down_before_its_place_is_taken_and_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = Looking()
    service = FakeService([job(name) for name in "abcd"])
    summary = Runner(service, executor, 1, RunnerOptions(output_dir="out", max_parallel_jobs=1)).run()
    assert summary.counts.completed == 4
    assert executor.seen == [[], [1], [1, 2], [1, 2, 3]]


def test_two_heirs_do_not_take_over_twice(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = service_of_a_dead_runner("a")
    journal = make()
    journal.write([], [end(1)])
    barrier = threading.Barrier(2)

    def inherit():
        executor = LocalExecutor()
        barrier.wait()
        recover(service, executor, service.workflow, "out", HERE, lambda _: None)
        executor.close()

    threads = [threading.Thread(target=inherit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.adopted == [NODE]
    assert not list((tmp_path / "out/journal").iterdir())
