"""What a runner does with jobs: order, results, how much runs at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.loop_kit import job
from torc_core.errors import TorcError
from torc_core.runner import journal
from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_core.testing.executors import wait_for
from torc_plugins.executors.local import LocalExecutor

GIB = 2**30


def test_jobs_run_in_the_order_of_their_dependencies_and_the_run_signs_off(run, tmp_path):
    service = FakeService(
        [job("c", "echo c >> log", after=["b"]), job("b", "echo b >> log", after=["a"]), job("a", "echo a >> log")]
    )
    summary = run(service, poll_seconds=60.0, idle_seconds=60.0)
    assert (tmp_path / "log").read_text() == "a\nb\nc\n"
    assert (summary.exit_code, summary.is_complete, summary.counts.completed) == (0, True, 3)
    [node] = service.nodes.values()
    assert (node.is_active, node.pid, node.hostname) == (False, os.getpid(), os.uname().nodename)
    assert node.duration_seconds >= 0
    assert not (tmp_path / "out/journal").exists()
    assert (tmp_path / f"out/job_runner_{node.hostname}_wf1_r1.log").exists()


def test_every_job_is_reported_as_started_by_its_runner_before_it_is_finished(run):
    service = FakeService([job(f"j{i}") for i in range(300)])
    run(service)
    started = [(s.job_id, n) for n, turn in enumerate(service.ticks) for s in turn.started or ()]
    finished = {f.job_id: n for n, turn in enumerate(service.ticks) for f in turn.finished or ()}
    assert sorted(id for id, _ in started) == sorted(finished) == list(range(1, 301))
    assert all(n <= finished[id] for id, n in started)


class Silent(LocalExecutor):
    """Answers nothing, against its contract, once something has ended that was not reported yet."""

    def submit(self, requests):
        [path] = Path("out/journal").iterdir()
        return [] if journal.read(path).finished else super().submit(requests)


def test_an_executor_that_breaks_its_contract_is_named_and_what_has_ended_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = FakeService([job(f"j{i}", "exit 7") for i in range(50)])
    runner = Runner(service, Silent(), 1, RunnerOptions(output_dir="out", max_parallel_jobs=1))
    with pytest.raises(TorcError, match="executor 'local' has answered 0 times to 1 start"):
        runner.run()
    [left] = (tmp_path / "out/journal").iterdir()
    untold = journal.read(left).finished
    assert {end.return_code for end in untold} == {7}
    assert {(end.job_id, 1) for end in untold}.isdisjoint(service.results)


@pytest.mark.parametrize(
    ("command", "status", "code", "reason"),
    [
        ("true", "completed", 0, None),
        ("exit 3", "failed", 3, None),
        ("kill -9 $$", "failed", 137, "killed by SIGKILL"),
        ("kill -15 $$", "failed", 143, "killed by SIGTERM"),
        ("no-such-program-here", "failed", 127, "a command was not found"),
        ("echo $((6*7)) > made; test -s made", "completed", 0, None),
    ],
)
def test_how_a_job_ends_is_reported(run, command, status, code, reason):
    service = FakeService([job("a", command)])
    summary = run(service)
    end = service.result("a")
    assert (end.status, end.return_code, end.reason) == (status, code, reason)
    assert end.completion_time.endswith("Z")
    assert 0 < end.exec_time_minutes < 1
    assert summary.exit_code == 0
    assert summary.failed_jobs == (() if code == 0 else ("a",))


def test_failures_are_an_exit_code_only_when_asked_for(run):
    assert run(FakeService([job("a", "exit 3")]), fail_on_job_failure=True).exit_code == 1
    assert run(FakeService([job("a")]), fail_on_job_failure=True).exit_code == 0


def test_a_declared_output_that_is_missing_fails_the_job_and_the_others_mtimes_are_told(run, tmp_path):
    outputs = {"output_files": ["here", "not/there"], "output_file_ids": [7, 8]}
    service = FakeService([job("a", "touch -d @1000000000 here", **outputs), job("b", "exit 4", **outputs)])
    run(service)
    end = service.result("a")
    assert (end.status, end.return_code, end.reason) == ("failed", 1, "did not write not/there")
    assert end.file_mtimes == {"7": 1_000_000_000.0}
    assert service.result("b").return_code == 4


def test_jobs_see_the_documented_variables(run, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TORC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TORC_JOB_ID", "of somebody else")
    env = {"OWN": "x y", "TORC_RUN_ID": "not this"}
    command = "env | grep -e ^TORC_ -e ^OWN= | grep -v ^TORC_RUNNER_ID= | sort"
    service = FakeService([job("a b", command, env=env)], submission_directory="/sub")
    run(service, api_url="http://h:1/torc-service/v1")
    assert (tmp_path / "out/job_stdio/job_wf1_j1_r1_a1.o").read_text().splitlines() == [
        "OWN=x y",
        "TORC_API_URL=http://h:1/torc-service/v1",
        "TORC_ATTEMPT_ID=1",
        "TORC_JOB_ID=1",
        "TORC_JOB_NAME=a b",
        "TORC_OUTPUT_DIR=out",
        "TORC_RUN_ID=1",
        "TORC_WORKFLOW_ID=1",
        "TORC_WORKFLOW_SUBMISSION_DIR=/sub",
    ]


def test_an_invocation_script_goes_before_the_command(run, tmp_path):
    two_lines = "#!/bin/bash\nprefix=two"
    service = FakeService(
        [job("a", "hello", invocation_script="echo one"), job("b", "echo $prefix lines", invocation_script=two_lines)]
    )
    run(service)
    logs = [(tmp_path / f"out/job_stdio/job_wf1_j{i}_r1_a1.o").read_text() for i in (1, 2)]
    assert logs == ["one hello\n", "two lines\n"]


def test_log_files_of_a_success_can_be_deleted(run, tmp_path):
    stdio = {"mode": "combined", "delete_on_success": True}
    run(FakeService([job("a", "echo x"), job("b", "echo y; exit 1")], execution_config={"stdio": stdio}))
    assert [path.name for path in (tmp_path / "out/job_stdio").iterdir()] == ["job_wf1_j2_r1_a1.log"]


def test_a_job_that_cannot_be_started_fails_with_the_reason_and_others_run(run):
    service = FakeService([job("a", "echo \0"), job("b"), job("c", stdio={"mode": "loud"})])
    run(service, max_parallel_jobs=1)
    assert (service.result("a").status, service.result("a").return_code) == ("failed", 126)
    assert "null" in service.result("a").reason
    assert service.result("b").status == "completed"
    assert "loud" in service.result("c").reason


class Overlap:
    """Adds up what runs at a time."""

    def __init__(self, service, need):
        self.service, self.need = service, need
        self.running = {}
        self.most = 0

    def __call__(self, runner, progress):
        for launch, _ in progress.finished:
            del self.running[launch.id]
        for launch in progress.started:
            self.running[launch.id] = getattr(launch, self.need)
        self.most = max(self.most, sum(self.running.values()))


# how much runs at once


@pytest.mark.parametrize("claim_ahead", [0, 64])
@pytest.mark.parametrize(
    ("need", "sizes", "options", "most"),
    [
        ("num_cpus", (1, 2, 3), {"num_cpus": 4}, 4),
        ("memory_bytes", (GIB, 3 * GIB), {"num_cpus": 100, "memory_bytes": 5 * GIB}, 5 * GIB),
        ("num_gpus", (0, 1, 2), {"num_cpus": 100, "num_gpus": 3}, 3),
    ],
)
def test_jobs_never_take_more_than_there_is(run, need, sizes, options, most, claim_ahead):
    service = FakeService([job(f"j{i}", **{need: sizes[i % len(sizes)]}) for i in range(150)])
    overlap = Overlap(service, need)
    summary = run(service, overlap, max_parallel_jobs=None, claim_ahead=claim_ahead, **options)
    assert summary.counts.completed == 150
    assert 0 < overlap.most <= most


def test_slots_ignore_needs_and_are_all_used(run, tmp_path):
    for name in "ab":
        os.mkfifo(tmp_path / name)
    # each lets the other one go on, so both have to run at a time
    service = FakeService(
        [job("a", "echo > a; read x < b", num_cpus=500), job("b", "read x < a; echo > b", memory_bytes=2**50)]
    )
    assert run(service, max_parallel_jobs=2).counts.completed == 2


def test_gpus_are_handed_out_one_by_one_and_come_back(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    command = "echo $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES >> seen; mkdir gpu$CUDA_VISIBLE_DEVICES && sleep 0.02"
    service = FakeService([job(f"j{i}", f"{command}; rmdir gpu$CUDA_VISIBLE_DEVICES", num_gpus=1) for i in range(8)])
    summary = run(service, max_parallel_jobs=None, num_cpus=8)
    assert summary.counts.completed == 8
    assert set((tmp_path / "seen").read_text().splitlines()) == {"4 4", "6 6"}


def test_short_jobs_are_claimed_ahead_and_long_ones_are_not(run):
    service = FakeService([job(f"j{i}") for i in range(400)])
    run(service)
    assert len(service.ticks) < 200
    assert max(turn.limit for turn in service.ticks) > 2
    service = FakeService([job(f"j{i}", "sleep 0.15") for i in range(8)])
    run(service)
    assert max(turn.limit for turn in service.ticks) == 2


def test_jobs_claimed_ahead_are_given_back_when_the_running_ones_turn_out_long(run, tmp_path):
    held = "until [ -e gate ]; do sleep 0.02; done"
    jobs = [job(f"short{i}") for i in range(200)] + [job(f"long{i}", held) for i in range(40)]
    service = FakeService(jobs)

    def open_gate():
        wait_for(lambda: service.status[service.named("long0")] == "running", "a long job")
        wait_for(lambda: "pending" not in service.status.values(), "that nothing is claimed in vain")
        (tmp_path / "gate").touch()

    helper = threading.Thread(target=open_gate, daemon=True)
    helper.start()
    summary = run(service)
    assert summary.counts.completed == 240
    assert any(turn.released for turn in service.ticks)
