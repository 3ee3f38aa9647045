"""Whole runs: jobs of a service in memory, real processes."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.unit.runner.fake_service import FakeService
from torc_core.errors import Forbidden, Invalid, Unavailable
from torc_core.records.resources import Workflow
from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_core.runner.stopping import DRAIN, END, KILL
from torc_core.testing.executors import wait_for
from torc_plugins.executors.local import LocalExecutor

GIB = 2**30


def job(name, command="true", **fields):
    return {"name": name, "command": command, **fields}


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


# how much runs at once


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


# waiting, leaving


def test_a_runner_without_work_leaves_after_the_idle_time_and_says_what_does_not_fit(run):
    service = FakeService([job("small"), job("big", num_cpus=64), job("huge", num_cpus=64)])
    messages = []
    summary = run(service, lambda _, p: messages.append(p.message), max_parallel_jobs=None, num_cpus=2)
    assert (summary.exit_code, summary.is_complete, summary.counts.completed) == (1, False, 1)
    assert summary.stuck == "job 'big' and 1 more: needs 64 CPUs, but this runner has 2"
    assert any("64 CPUs" in text for text in messages)


def test_work_that_appears_while_a_runner_is_idle_is_taken_at_once(run):
    service = FakeService([job("a"), job("b")])
    held = service.ready.pop()

    def bring():
        wait_for(lambda: service.status[1] == "completed", "the first job")
        service.ready.append(held)
        service._changed()

    threading.Thread(target=bring, daemon=True).start()
    summary = run(service, idle_seconds=20.0, poll_seconds=20.0)
    assert summary.is_complete
    assert summary.wall_seconds < 15


def test_the_workflow_says_how_long_to_stay_when_nobody_else_does(run):
    service = FakeService([job("a")], compute_node_wait_for_new_jobs_seconds=1)
    service.ready.clear()
    summary = run(service, idle_seconds=None)
    assert 1 <= summary.wall_seconds < 20
    assert (summary.exit_code, summary.stuck) == (0, None)


def test_a_persistent_runner_stays_while_jobs_have_not_ended(run):
    service = FakeService([job("a")])
    held = service.ready.pop()
    idle = [0]

    def after_some_turns(id, turn, tick=service.tick):
        idle[0] += 1
        if idle[0] == 8:  # turns of 0.1 s: far beyond the idle time
            service.ready.append(held)
        return tick(id, turn)

    service.tick = after_some_turns
    assert run(service, idle_seconds=0.1, poll_seconds=0.1, persistent=True).is_complete


def test_a_complete_workflow_ends_the_run_at_once(run):
    service = FakeService([])
    assert run(service, idle_seconds=30.0, poll_seconds=30.0).wall_seconds < 10


# stopping


def once(action):
    done = []

    def tell(runner, progress):
        if progress.started and not done:
            done.append(True)
            action(runner)

    return tell


def test_a_first_stop_lets_running_jobs_end_and_gives_the_others_back(run, tmp_path):
    service = FakeService([job("a", "sleep 0.2; echo done > a"), job("b")])
    summary = run(service, once(lambda runner: runner.request_stop(DRAIN)), max_parallel_jobs=1)
    assert service.result("a").status == "completed"
    assert service.status[service.named("b")] == "ready"
    assert (summary.interrupted, summary.is_complete) == ("stop", False)


@pytest.mark.parametrize(
    ("trap", "supports", "status", "code"),
    [
        ("", False, "terminated", 152),  # killed
        ("", True, "terminated", 143),  # ended by SIGTERM
        ("trap 'exit 0' TERM;", True, "completed", 0),
        ("trap 'exit 7' TERM;", True, "terminated", 7),
        ("trap '' TERM;", True, "terminated", 152),  # killed after the lead
    ],
)
def test_a_second_stop_ends_running_jobs(run, tmp_path, trap, supports, status, code):
    service = FakeService(
        [job("a", f"{trap} echo > up; while :; do sleep 0.02; done", supports_termination=supports)],
        execution_config={"sigterm_lead_seconds": 1},
    )

    def stop(runner):
        wait_for((tmp_path / "up").exists, "the job")
        runner.request_stop(DRAIN)
        runner.request_stop(DRAIN)

    run(service, once(stop))
    end = service.result("a")
    assert (end.status, end.return_code) == (status, code)
    assert end.reason is None if code == 0 else "stopped" in end.reason


def test_a_third_stop_kills(run, tmp_path):
    command = "trap '' TERM; echo > up; while :; do sleep 0.02; done"
    service = FakeService([job("a", command, supports_termination=True)])

    def stop(runner):
        wait_for((tmp_path / "up").exists, "the job")
        for _ in range(3):
            runner.request_stop(DRAIN)

    assert run(service, once(stop)).wall_seconds < 20  # the lead is 30 s
    assert service.result("a").return_code == 152


@pytest.mark.parametrize(
    ("number", "status", "code"), [(signal.SIGINT, "completed", 130), (signal.SIGTERM, "terminated", 143)]
)
def test_ctrl_c_waits_for_jobs_and_sigterm_ends_them(run, number, status, code):
    service = FakeService([job("a", "sleep 0.5; true"), job("b")])
    before = signal.getsignal(number)
    summary = run(service, once(lambda _: os.kill(os.getpid(), number)), max_parallel_jobs=1)
    assert signal.getsignal(number) is before
    assert service.result("a").status == status
    assert (summary.exit_code, summary.interrupted) == (code, number.name)
    assert service.status[service.named("b")] == "ready"


def test_a_canceled_workflow_ends_its_jobs(run):
    service = FakeService([job("a", "sleep 300; true"), job("b", after=["a"])])
    summary = run(service, once(lambda _: service.cancel()))
    assert (service.result("a").status, service.result("a").return_code) == ("canceled", 137)
    assert (summary.is_canceled, summary.exit_code) == (True, 0)


def test_a_job_that_was_taken_away_is_ended_and_not_reported(run):
    service = FakeService([job("a", "sleep 300; true"), job("b", "sleep 0.3; true")])
    run(service, once(lambda _: service.take_away("a")))
    assert set(service.results) == {(service.named("b"), 1)}


def test_the_runners_time_ends_its_jobs(run):
    service = FakeService([job("a", "sleep 300; true")])
    summary = run(service, time_limit_seconds=1.5)
    end = service.result("a")
    assert (end.status, end.return_code, end.reason) == ("terminated", 152, "the time of the runner was over")
    assert summary.wall_seconds < 20


def test_claims_name_the_time_that_is_left(run):
    service = FakeService([job("a")])
    run(service, max_parallel_jobs=None, time_limit_seconds=3600.0)
    assert service.ticks[0].room.time_limit == "PT61M"  # an hour, less a moment, and two minutes of grace


def test_a_job_is_ended_when_its_run_time_is_over(run):
    long = {"command": "sleep 300; true", "runtime_seconds": 1}
    service = FakeService([job("a", requirements_name="short", **long), job("b", "sleep 1.3", runtime_seconds=1)])
    run(service)
    assert (service.result("a").status, service.result("a").return_code) == ("terminated", 152)
    assert service.result("b").status == "completed"  # the default requirements limit nothing


# trouble with the service


def test_results_wait_while_the_service_is_away_and_jobs_go_on(run, tmp_path):
    service = FakeService([job("a", "echo a >> log"), job("b", "echo b >> log", after=["a"])])
    service.failing = [None, Unavailable("gone"), Unavailable("gone")]
    messages = []
    summary = run(service, lambda _, p: messages.append(p.message))
    assert summary.is_complete
    assert (tmp_path / "log").read_text() == "a\nb\n"
    assert [turn.resend for turn in service.ticks[:5]] == [False, False, True, True, False]
    assert sum("is of no use at the moment" in text for text in messages) == 1


def test_jobs_given_in_an_answer_that_was_lost_are_asked_for_again(run, tmp_path):
    service = FakeService([job("a", "echo a >> log"), job("b", "echo b >> log")])
    tick, lost = service.tick, []

    def deaf(id, turn):
        answer = tick(id, turn)
        if not lost:
            lost.append(answer)
            raise Unavailable("the connection broke")
        return answer

    service.tick = deaf
    assert run(service).counts.completed == 2
    assert sorted((tmp_path / "log").read_text()) == ["\n", "\n", "a", "b"]
    assert len(lost[0].jobs) == 2


def test_a_service_that_stays_away_ends_the_run_and_the_journal_keeps_the_results(run, tmp_path):
    service = FakeService([job("a")], compute_node_wait_for_healthy_database_minutes=0)
    service.failing = [None] + [Unavailable("gone")] * 100
    service.update = lambda *_: (_ for _ in ()).throw(Unavailable("gone"))
    summary = run(service)
    assert (summary.exit_code, summary.unreported) == (1, 1)
    assert len(list((tmp_path / "out/journal").glob("wf1_r1_*.jsonl"))) == 1


@pytest.mark.parametrize("error", [Forbidden("not yours"), Invalid("run id 1 is not the present one")])
def test_a_refusal_ends_the_jobs_and_is_raised(run, error):
    service = FakeService([job("a", "sleep 300; true")])
    service.failing = [None, error]
    with pytest.raises(type(error), match=str(error)):
        run(service)
    assert [node.is_active for node in service.nodes.values()] == [False]


def test_two_runners_share_the_jobs_of_a_workflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = FakeService([job(f"j{i}", f"echo {i} >> log") for i in range(100)])
    lock = threading.Lock()
    tick = service.tick

    def locked(id, turn):
        with lock:
            return tick(id, turn)

    service.tick = locked
    options = RunnerOptions(output_dir="out", max_parallel_jobs=1, claim_ahead=3, poll_seconds=0.2)
    summaries = []
    threads = [
        threading.Thread(target=lambda: summaries.append(Runner(service, LocalExecutor(), 1, options).run()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(summary.counts.completed for summary in summaries) == 100
    assert sorted(map(int, (tmp_path / "log").read_text().split())) == list(range(100))
    assert isinstance(service.get(Workflow, 1), Workflow)


def test_stop_levels_only_go_up(run, tmp_path):
    service = FakeService([job("a", "sleep 300; true")])

    def stop(runner):
        runner.request_stop(END)
        runner.request_stop(KILL)

    run(service, once(stop))
    assert service.result("a").status == "terminated"


def test_a_job_that_our_own_ctrl_c_hit_as_it_started_is_given_back(run):
    service = FakeService([job("a", "kill -INT $PPID; kill -INT $$; exec sleep 60")])
    summary = run(service)
    assert summary.interrupted == "SIGINT"
    assert service.status == {1: "ready"}
    assert service.results == {}
