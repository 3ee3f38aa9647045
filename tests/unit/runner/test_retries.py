"""What a runner makes of failures: rules, recovery scripts, plugins."""

from __future__ import annotations

import os
import threading

import pytest

from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.retries_kit import Host, job, reported
from torc_core.contracts.failure import Decision
from torc_core.errors import PluginError
from torc_core.runner import classifying
from torc_core.testing.executors import wait_for

GIB = 2**30

ONCE = "test $TORC_ATTEMPT_ID -gt 1"


def test_a_rule_has_a_job_run_again_and_every_attempt_is_reported(run):
    service = FakeService([job("a", f"{ONCE} || exit 3", [{"exit_codes": [3]}]), job("b", after=["a"])])
    summary = run(service)
    assert reported(service, "a") == [("failed", 3, True), ("completed", 0, False)]
    assert service.result("a").decided == "return code 3, attempt 1 of 3"
    assert (summary.is_complete, summary.counts.completed, summary.counts.failed, summary.counts.retried) == (
        True, 2, 0, 1,
    )  # fmt: skip


def test_used_up_is_failed(run):
    service = FakeService([job("a", "exit 3", [{"match_all_exit_codes": True, "max_retries": 2}])])
    assert run(service).failed_jobs == ("a",)
    assert reported(service, "a") == [("failed", 3, True), ("failed", 3, False)]


def test_missing_outputs_signals_and_starts_that_fail_are_judged_like_codes(run):
    rules = [{"exit_codes": [1, 137, 126]}]
    service = FakeService(
        [
            job("outputs", "true", rules, output_files=["not/there"]),
            job("killed", f"{ONCE} || kill -9 $$", rules),
            job("start", "echo \0", rules),
        ]
    )
    run(service)
    assert reported(service, "outputs") == [("failed", 1, True), ("failed", 1, True), ("failed", 1, False)]
    assert reported(service, "killed") == [("failed", 137, True), ("completed", 0, False)]
    assert reported(service, "start") == [("failed", 126, True), ("failed", 126, True), ("failed", 126, False)]


def test_a_job_that_was_terminated_for_its_run_time_goes_through_its_handler(run):
    command = f"{ONCE} || sleep 300; true"
    rules = [{"exit_codes": [152]}]
    service = FakeService([job("a", command, rules, requirements_name="short", runtime_seconds=1)])
    run(service)
    assert reported(service, "a") == [("terminated", 152, True), ("completed", 0, False)]


@pytest.mark.parametrize(("rules", "asks", "status"), [(None, True, "pending_failed"), (None, False, "failed"),
                                                       ([{"exit_codes": [9]}], True, "pending_failed")])  # fmt: skip
def test_without_a_rule_somebody_is_asked_if_the_workflow_says_so(run, rules, asks, status):
    service = FakeService([job("a", "exit 3", rules, asks_on_failure=asks)])
    run(service)
    assert reported(service, "a") == [(status, 3, False)]


def test_rules_that_make_no_sense_are_told_and_are_none(run):
    service = FakeService([job("a", "exit 3", [{"exit_codes": "3"}])])
    messages = []
    run(service, lambda _, p: messages.append(p.message))
    assert reported(service, "a") == [("failed", 3, False)]
    assert any("failure handler of job 'a' is of no use: rule 1: exit_codes" in text for text in messages)


def test_a_runner_waits_for_the_moment_of_a_retry_and_takes_it_then(run):
    rules = [{"exit_codes": [3], "delay_seconds": 0.6}]
    service = FakeService([job("a", f"{ONCE} || exit 3", rules)])
    summary = run(service, idle_seconds=0.1, poll_seconds=60.0)
    assert (summary.is_complete, service.result("a").retry_delay_seconds) == (True, 0.6)
    assert 0.6 <= summary.wall_seconds < 20


# recovery scripts


def test_a_recovery_script_runs_before_the_job_does_again_with_its_own_log_and_the_documented_variables(
    run, tmp_path, monkeypatch
):
    for name in [name for name in os.environ if name.startswith("TORC_")]:
        monkeypatch.delenv(name)
    script = "env | grep ^TORC_ | grep -v ^TORC_RUNNER_ID= | sort; echo e >&2; touch mended"
    rules = [{"exit_codes": [4], "recovery_script": script}]
    service = FakeService([job("a b", "test -e mended || exit 4", rules)], submission_directory="/sub")
    summary = run(service, api_url="http://h:1/torc-service/v1")
    assert summary.counts.completed == 1
    assert (tmp_path / "out/job_stdio/job_wf1_j1_r1_a1_recovery.log").read_text().splitlines() == [
        "TORC_API_URL=http://h:1/torc-service/v1",
        "TORC_ATTEMPT_ID=1",
        "TORC_JOB_ID=1",
        "TORC_JOB_NAME=a b",
        "TORC_OUTPUT_DIR=out",
        "TORC_RETURN_CODE=4",
        "TORC_RUN_ID=1",
        "TORC_WORKFLOW_ID=1",
        "TORC_WORKFLOW_SUBMISSION_DIR=/sub",
        "e",
    ]
    assert service.result("a b").recovery == {
        "return_code": 0, "log": "out/job_stdio/job_wf1_j1_r1_a1_recovery.log",
    }  # fmt: skip


@pytest.mark.parametrize(("script", "code"), [("exit 5", 5), ("kill -9 $$", 137), ("echo \0", 126)])
def test_a_script_that_fails_is_told_and_the_job_runs_again_nevertheless(run, script, code):
    rules = [{"exit_codes": [4], "recovery_script": script}]
    service = FakeService([job("a", f"{ONCE} || exit 4", rules)])
    messages = []
    run(service, lambda _, p: messages.append(p.message))
    assert reported(service, "a") == [("failed", 4, True), ("completed", 0, False)]
    assert service.result("a").recovery["return_code"] == code
    assert any(f"the recovery script of job 'a' ended with code {code}" in text for text in messages)


def test_a_script_holds_up_nobody_and_nobody_else_gets_the_job_meanwhile(run, tmp_path):
    for name in ("go", "others"):
        os.mkfifo(tmp_path / name)
    rules = [{"exit_codes": [4], "recovery_script": "echo > go; read x < others"}]
    # The script ends only after another job has run, and that one only while the script does.
    service = FakeService([job("a", f"{ONCE} || exit 4", rules), job("b", "read x < go; echo > others", after=["c"]),
                           job("c", "sleep 0.1")])  # fmt: skip
    status = []

    def look(runner, progress):
        if any(launch.name == "b" for launch in progress.started):
            status.append((service.status[1], service.holder[1]))

    assert run(service, look, max_parallel_jobs=2).counts.completed == 3
    [node] = service.nodes
    assert status == [("running", node)]


def test_a_script_has_what_its_job_had(run, tmp_path):
    rules = [{"exit_codes": [4], "recovery_script": "echo script $CUDA_VISIBLE_DEVICES $OWN >> log; sleep 0.2"}]
    command = f"{ONCE} || exit 4"
    service = FakeService(
        [
            job("a", command, rules, num_gpus=1, num_cpus=1, env={"OWN": "x"}),
            job("b", "echo other $CUDA_VISIBLE_DEVICES >> log", num_gpus=1, num_cpus=1),
        ]
    )
    summary = run(service, max_parallel_jobs=None, num_cpus=1, memory_bytes=GIB, num_gpus=1, claim_ahead=0)
    assert summary.counts.completed == 2
    assert (tmp_path / "log").read_text() == "script 0 x\nother 0\n"


def test_gpus_come_back_on_every_path(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    seen = "echo $CUDA_VISIBLE_DEVICES >> seen;"
    rules = [{"exit_codes": [4], "recovery_script": f"{seen} exit 1"}]
    service = FakeService(
        [
            job("retried", f"{seen} {ONCE} || exit 4", rules, num_gpus=1),
            job("failed", f"{seen} exit 1", num_gpus=1),
            job("unstarted", "echo \0", num_gpus=1),
            job("killed", f"{seen} kill -9 $$", num_gpus=1),
            job("last", seen, num_gpus=1),
        ]
    )
    run(service, max_parallel_jobs=None, num_cpus=4, memory_bytes=GIB)
    assert (tmp_path / "seen").read_text() == "7\n" * 6


# plugins


def test_a_plugin_is_asked_before_the_rules(run, tmp_path):
    host = Host(lambda attempt: Decision.retry("because", recovery_script="touch mended") if attempt == 1 else None)
    service = FakeService([job("a", "echo x; test -e mended && exit 3; exit 4", [{"exit_codes": [4]}])])
    run(service, host=host)
    logs = {"stdout": "out/job_stdio/job_wf1_j1_r1_a{}.o", "stderr": "out/job_stdio/job_wf1_j1_r1_a{}.e"}
    assert host.asked == [
        ("a", code, attempt, {name: path.format(attempt) for name, path in logs.items()})
        for attempt, code in ((1, 4), (2, 3))
    ]
    assert reported(service, "a") == [("failed", 4, True), ("failed", 3, False)]
    assert service.result("a").decided == "because"


@pytest.mark.parametrize(
    ("decision", "status", "again"),
    [(Decision.fail("hopeless"), "failed", False), (Decision.ask("odd"), "pending_failed", False)],
)
def test_a_plugin_can_end_what_a_rule_would_try_again(run, decision, status, again):
    command = {"a": "exit 4", "b": "kill -SEGV $$"}
    service = FakeService([job(name, text, [{"match_all_exit_codes": True}]) for name, text in command.items()])
    run(service, host=Host(lambda _: decision))
    assert reported(service, "a") == [(status, 4, again)]
    assert service.result("a").decided == decision.reason
    assert service.result("a").reason == decision.reason  # which is kept, and shown to whoever decides
    assert service.result("b").reason == f"killed by SIGSEGV; {decision.reason}"


def test_a_plugin_that_fails_is_told_once_and_the_rules_decide(run):
    def broken(attempt):
        raise PluginError('plugin "x" failed')

    service = FakeService([job(name, f"{ONCE} || exit 4", [{"exit_codes": [4]}]) for name in "ab"])
    messages = []
    assert run(service, lambda _, p: messages.append(p.message), Host(broken)).counts.completed == 2
    assert sum('plugin "x" failed; failures are left to their rules' in text for text in messages) == 1


def test_other_jobs_go_on_while_a_plugin_thinks(run, tmp_path):
    thinks = threading.Event()

    def slow(attempt):
        wait_for((tmp_path / "other").exists, "another job")
        thinks.set()
        return Decision.fail()

    service = FakeService([job("a", "exit 4"), job("b", "touch other", after=["c"]), job("c", "sleep 0.1")])
    summary = run(service, host=Host(slow), max_parallel_jobs=1)
    assert thinks.is_set()
    assert (summary.counts.completed, reported(service, "a")) == (2, [("failed", 4, False)])


def test_a_plugin_that_does_not_answer_is_not_waited_for(run, monkeypatch):
    monkeypatch.setattr(classifying, "LONGEST_SECONDS", 0.2)
    gate = threading.Event()
    service = FakeService([job("a", f"{ONCE} || exit 4", [{"exit_codes": [4]}]), job("b", "exit 5", after=["a"])])
    messages = []
    host = Host(lambda _: gate.wait(60) and None)
    run(service, lambda _, p: messages.append(p.message), host)
    gate.set()
    assert reported(service, "a") == [("failed", 4, True), ("completed", 0, False)]
    assert reported(service, "b") == [("failed", 5, False)]
    assert len(host.asked) == 1
    assert sum("no plugin has judged a failure within 0.2 s" in text for text in messages) == 1


def test_nobody_is_asked_about_jobs_that_succeed(run):
    host = Host(lambda _: Decision.fail())
    run(FakeService([job("a")]), host=host)
    assert host.asked == []
