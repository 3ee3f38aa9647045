"""When a runner leaves, how it is stopped, and what it does when the service is away."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.loop_kit import job
from torc_core.errors import Forbidden, Invalid, Unavailable
from torc_core.records.resources import ComputeNode, Workflow
from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_core.runner.stopping import DRAIN, END, KILL
from torc_core.testing.executors import wait_for
from torc_plugins.executors.local import LocalExecutor

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


def once(action):
    done = []

    def tell(runner, progress):
        if progress.started and not done:
            done.append(True)
            action(runner)

    return tell


# stopping


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


def test_a_runner_whose_neighbour_ends_the_last_jobs_at_that_moment_knows_that_all_is_done(run):
    class Late(FakeService):
        def get_workflow_status(self, id):
            if self.unfinished:  # the other one reports and leaves between two calls of this one
                self.status[2], self.unfinished = "completed", 0
                self.nodes[9] = self.nodes[9].changed(is_active=False)
                self._changed()
            return super().get_workflow_status(id)

    service = Late([job("mine"), job("other")])
    service.nodes[9] = ComputeNode(
        id=9, workflow_id=1, hostname="far", pid=1, start_time="", num_cpus=1, memory_gb=1.0, num_gpus=0, is_active=True
    )
    service.ready.remove(2)
    service.status[2], service.holder[2] = "running", 9
    messages = []
    summary = run(service, lambda _, p: messages.append(p.message), idle_seconds=None)
    assert (summary.is_complete, summary.stuck, summary.exit_code) == (True, None, 0)
    assert not any("leaving" in text for text in messages)


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


def test_a_canceled_job_that_says_it_is_done_is_canceled_too(run):
    service = FakeService([job("a", "trap 'exit 0' TERM; touch begun; sleep 300 & wait", supports_termination=True)])

    def cancel(_):
        wait_for(lambda: Path("begun").exists(), "the job")
        service.cancel()

    summary = run(service, once(cancel))
    end = service.result("a")
    assert (end.status, end.return_code, end.reason) == ("canceled", 0, "the workflow was canceled")
    assert (summary.counts.completed, summary.counts.canceled) == (0, 1)


def test_an_end_that_is_refused_is_not_counted(run):
    class Elsewhere(FakeService):
        def _finish(self, end, node, lost, refused):
            refused.append({"job_id": end.job_id, "attempt_id": end.attempt_id, "message": "it is already complete"})
            self.unfinished -= 1

    summary = run(Elsewhere([job("a"), job("b", "exit 3")]), fail_on_job_failure=True)
    assert (summary.counts.completed, summary.counts.failed) == (0, 0)
    assert (summary.failed_jobs, summary.exit_code) == ((), 0)


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
