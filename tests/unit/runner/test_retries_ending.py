"""What happens to failures that wait when their runner is stopped or loses the job."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from tests.unit.runner.fake_service import FakeService
from tests.unit.runner.retries_kit import Host, job, reported
from torc_core.contracts.failure import Decision
from torc_core.runner.stopping import DRAIN, END, KILL
from torc_core.testing.executors import wait_for


def stop_when(path, *signals):
    """Send signals to this process once a file is there."""
    sent = []

    def tell(runner, progress):
        if progress.started and not sent:
            sent.append(True)
            threading.Thread(target=send, daemon=True).start()

    def send():
        wait_for(path.exists, path.name)
        for number in signals:
            os.kill(os.getpid(), number)

    return tell


def test_what_a_stop_ended_runs_again_whatever_the_rules_leave_open(run, tmp_path):
    command = "touch up; sleep 300; true"
    service = FakeService([job("a", command, [{"exit_codes": [99]}], asks_on_failure=True)])
    host = Host(lambda _: Decision.fail())
    run(service, stop_when(tmp_path / "up", signal.SIGTERM), host)
    assert reported(service, "a") == [("terminated", 152, True)]
    assert host.asked == []  # it is no failure of the job's


def test_a_rule_for_the_code_of_a_stop_prepares_the_next_attempt(run, tmp_path):
    rules = [{"exit_codes": [152], "recovery_script": "echo saved > checkpoint"}]
    service = FakeService([job("a", "touch up; sleep 300; true", rules)])
    run(service, stop_when(tmp_path / "up", signal.SIGTERM))
    assert (tmp_path / "checkpoint").read_text() == "saved\n"
    assert service.result("a").recovery["return_code"] == 0
    service.results.clear()


def test_a_rule_for_the_code_of_a_stop_can_be_used_up(run, tmp_path):
    service = FakeService([job("a", "touch up; sleep 300; true", [{"exit_codes": [152], "max_retries": 1}])])
    run(service, stop_when(tmp_path / "up", signal.SIGTERM))
    assert reported(service, "a") == [("terminated", 152, False)]


def test_a_first_stop_lets_a_script_end(run, tmp_path):
    os.mkfifo(tmp_path / "gate")
    rules = [{"exit_codes": [4], "recovery_script": "touch up; read x < gate; touch done"}]
    service = FakeService([job("a", "exit 4", rules)])

    def stop(runner, progress):
        if progress.started:
            threading.Thread(target=later, args=(runner,), daemon=True).start()

    def later(runner):
        wait_for((tmp_path / "up").exists, "the script")
        runner.request_stop(DRAIN)
        (tmp_path / "gate").write_text("go\n")

    run(service, stop)
    assert (tmp_path / "done").exists()
    assert reported(service, "a") == [("failed", 4, True)]


@pytest.mark.parametrize(("lead", "levels"), [(0, [END]), (30, [END, KILL])])
def test_a_script_that_does_not_end_is_ended_with_the_runner_and_the_job_is_tried_again(run, tmp_path, lead, levels):
    rules = [{"exit_codes": [4], "recovery_script": "touch up; sleep 300; true"}]
    service = FakeService([job("a", "exit 4", rules)], execution_config={"sigterm_lead_seconds": lead})

    def stop(runner, progress):
        if progress.started:
            threading.Thread(target=later, args=(runner,), daemon=True).start()

    def later(runner):
        wait_for((tmp_path / "up").exists, "the script")
        for level in levels:
            runner.request_stop(level)

    summary = run(service, stop)
    assert summary.wall_seconds < 25
    assert reported(service, "a") == [("failed", 4, True)]
    assert service.result("a").recovery["return_code"] == 137


def test_a_canceled_workflow_ends_scripts(run, tmp_path):
    rules = [{"exit_codes": [4], "recovery_script": "touch up; sleep 300; true"}]
    service = FakeService([job("a", "exit 4", rules)])

    def cancel(runner, progress):
        if progress.started:
            threading.Thread(target=later, daemon=True).start()

    def later():
        wait_for((tmp_path / "up").exists, "the script")
        service.cancel()

    summary = run(service, cancel)
    assert (summary.is_canceled, len(service.results)) == (True, 1)


def test_a_job_taken_away_while_its_script_runs_is_forgotten_with_it(run, tmp_path):
    rules = [{"exit_codes": [4], "recovery_script": "touch up; sleep 300; true"}]
    service = FakeService([job("a", "exit 4", rules), job("b", "until [ -e up ]; do sleep 0.02; done; sleep 0.3")])

    def take(runner, progress):
        if any(launch.name == "a" for launch in progress.started):
            threading.Thread(target=later, daemon=True).start()

    def later():
        wait_for((tmp_path / "up").exists, "the script")
        wait_for(lambda: service.status[1] == "running", "the report of the start")
        service.take_away("a")

    summary = run(service, take, lease_seconds=1.0)  # so that it says often what it has
    assert summary.wall_seconds < 60
    assert {job for job, _ in service.results} == {service.named("b")}


def test_a_second_attempt_does_not_begin_while_the_first_one_still_dies(run, tmp_path):
    """The lease of a runner was over, and it is given the same job again."""
    command = (
        "trap 'sleep 0.5; touch ended; exit 1' TERM; if [ -e up ]; then test -e ended && echo after >> order;"
        " else touch up; while :; do sleep 0.02; done; fi"
    )
    service = FakeService([job("a", command, supports_termination=True)])

    def take(runner, progress):
        if [launch.attempt_id for launch in progress.started] == [1]:
            threading.Thread(target=later, daemon=True).start()

    def later():
        wait_for((tmp_path / "up").exists, "the job")
        service.take_away("a")
        service.status[1] = "ready"
        service.attempt[1] = 2
        service.ready.append(1)
        service._changed()

    run(service, take, lease_seconds=0.4, max_parallel_jobs=2)
    assert (tmp_path / "order").read_text() == "after\n"
    assert set(service.results) == {(1, 2)}


def kept_in(path):
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line)["kept"] for line in lines if b'"kept"' in line]


def test_an_attempt_kept_back_for_a_script_is_in_the_journal_as_it_is_to_be_reported(run, tmp_path):
    rules = [{"exit_codes": [4], "delay_seconds": 7, "recovery_script": "cat out/journal/*.jsonl > seen"}]
    run(FakeService([job("a", "exit 4", rules)]), lambda r, p: p.finished and r.request_stop(END))
    [kept] = kept_in(tmp_path / "seen")
    assert (kept["status"], kept["return_code"], kept["again"], kept["retry_delay_seconds"]) == ("failed", 4, True, 7.0)
    assert kept["recovery"] == {"reason": "not finished: its runner is gone"}


def test_an_attempt_that_a_plugin_judges_is_in_the_journal_as_the_rules_want_it(run, tmp_path):
    def look(attempt):
        [journal] = (tmp_path / "out/journal").iterdir()
        (tmp_path / "seen").write_bytes(journal.read_bytes())

    run(FakeService([job("a", "exit 4", asks_on_failure=True)]), host=Host(look))
    [kept] = kept_in(tmp_path / "seen")
    assert (kept["status"], kept["return_code"]) == ("pending_failed", 4)
