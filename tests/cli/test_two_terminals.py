"""A second terminal while a workflow runs in the first one."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.programs import program, until

GATED = """
name: gated
jobs:
  - {name: 'job_{i}', command: 'touch started_{i}; until test -e go; do sleep 0.05; done', parameters: {i: '1:6'}}
"""
"""Each job ends when there is a file ``go``."""


@pytest.fixture
def running(tmp_path, start):
    """A run of the gated workflow with two jobs at a time, both started."""
    (tmp_path / "spec.yaml").write_text(GATED)
    first = start(tmp_path, "run", "spec.yaml", "-j", "2", "-f", "json")
    until(lambda: len(list(tmp_path.glob("started_*"))) == 2, "two jobs have started")
    until(lambda: counts(tmp_path)["running"] == 2, "the service knows of both")
    return first


def ask(folder, *words, code=0):
    return json.loads(program(folder, *words, "-f", "json", code=code).out)


def counts(folder):
    return ask(folder, "status", "1")["jobs_by_status"]


def test_everything_can_be_looked_at_while_it_runs(running, tmp_path):
    status = ask(tmp_path, "status")
    assert status["active_compute_nodes"] == 1
    assert status["is_complete"] is False
    assert (status["jobs_by_status"]["running"], status["total_jobs"]) == (2, 6)
    assert [job["name"] for job in ask(tmp_path, "jobs", "list", "-s", "running")["items"]] == ["job_1", "job_2"]
    assert {job["job_name"] for job in ask(tmp_path, "jobs", "running")["items"]} == {"job_1", "job_2"}
    [node] = ask(tmp_path, "compute-nodes", "list", "--is-active", "true")["items"]
    assert node["pid"] == running.process.pid
    assert "in progress" in program(tmp_path, "status").out
    assert program(tmp_path, "ping").out == "Server is running\n"
    assert program(tmp_path, "workflows", "is-complete", "--exit-status", code=1).out.startswith("Is Complete: false")
    (tmp_path / "go").touch()
    assert running.wait().json["completed"] == 6


def test_a_cancel_ends_running_jobs_and_the_run(running, tmp_path):
    assert ask(tmp_path, "cancel", "1")["status"] == "success"
    done = running.wait()
    body = done.json
    assert (body["completed"], body["canceled"]) == (0, 2)
    assert counts(tmp_path)["canceled"] == 2
    assert ask(tmp_path, "workflows", "is-complete") == {"is_complete": True, "is_canceled": True}
    assert "the workflow is canceled" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("started_[3-6]"))


def test_a_second_run_of_the_same_workflow_shares_the_jobs(running, tmp_path, start):
    second = start(tmp_path, "run", "1", "-j", "4", "-f", "json")
    until(lambda: len(list(tmp_path.glob("started_*"))) == 6, "the second run has taken the other four")
    (tmp_path / "go").touch()
    bodies = [running.wait().json, second.wait().json]
    assert [body["completed"] for body in bodies] == [2, 4]
    assert all(body["is_complete"] for body in bodies)
    assert bodies[0]["compute_node_id"] != bodies[1]["compute_node_id"]
    results = ask(tmp_path, "results", "list", "1", "--all-runs")["items"]
    assert sorted(result["job_id"] for result in results) == [1, 2, 3, 4, 5, 6]


def test_a_second_run_goes_on_when_the_first_one_is_killed(running, tmp_path, start):
    """The first process owns the database; with it gone, the second one takes over, its lost jobs too."""
    second = start(tmp_path, "run", "1", "-j", "4", "-f", "json")
    until(lambda: len(list(tmp_path.glob("started_*"))) == 6, "the second run has taken the other four")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    (tmp_path / "go").touch()
    body = second.wait().json
    assert body["is_complete"]
    assert counts(tmp_path)["completed"] == 6


def test_waiting_ends_with_the_run(running, tmp_path, start):
    waiting = start(tmp_path, "wait", "1", "-f", "json")
    done = program(tmp_path, "wait", "1", "--timeout", "0.2", code=1)
    assert "not complete after 0.2 s" in done.err
    assert done.out == ""
    (tmp_path / "go").touch()
    done = waiting.wait()
    assert done.code == 0
    assert done.json["is_complete"] is True
    assert running.wait().code == 0


def test_waiting_for_failures_ends_with_1(tmp_path, start):
    (tmp_path / "spec.yaml").write_text(GATED.replace("done'", "done; exit 4'"))
    first = start(tmp_path, "run", "spec.yaml", "-j", "6")
    until(lambda: (tmp_path / "started_6").exists(), "all have started")
    waiting = start(tmp_path, "wait", "1")
    (tmp_path / "go").touch()
    done = waiting.wait()
    assert done.code == 1
    assert "6 failed" in done.out
    assert first.wait().code == 0


def test_ctrl_c_ends_waiting_with_130_and_nothing_else(running, tmp_path, start):
    waiting = start(tmp_path, "wait", "1")
    until(lambda: waits_for_a_socket(waiting.process.pid), "it asks the first process and waits")
    waiting.process.send_signal(signal.SIGINT)
    done = waiting.wait()
    assert done.code == 130
    assert done.err.strip().endswith("interrupted")
    assert "Traceback" not in done.err
    (tmp_path / "go").touch()
    assert running.wait().json["completed"] == 6


def waits_for_a_socket(pid):
    """Whether a process sleeps and has a connection: it can only be waiting for an answer."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    return state == "S" and any(str(fd.readlink()).startswith("socket:") for fd in Path(f"/proc/{pid}/fd").iterdir())


def test_terminating_a_run_makes_its_jobs_ready_again_for_another_one(running, tmp_path, start):
    running.process.send_signal(signal.SIGTERM)
    done = running.wait()
    assert done.code == 143
    assert done.json["interrupted"] == "SIGTERM"
    assert done.json["terminated"] == 2
    assert done.json["is_complete"] is False
    (tmp_path / "go").touch()
    assert program(tmp_path, "run", "1", "-f", "json").json["completed"] == 6


def test_deleting_and_resetting_what_runs_is_refused(running, tmp_path):
    done = program(tmp_path, "delete", "1", code=1)
    assert "torc cancel 1" in done.err
    program(tmp_path, "workflows", "reset-status", "1", "--no-prompts", code=1)
    program(tmp_path, "workflows", "reinit", "1", code=1)
    program(tmp_path, "jobs", "reset-status", "6", "--no-prompts", code=1)
    (tmp_path / "go").touch()
    assert running.wait().json["completed"] == 6


def test_a_job_that_is_added_while_it_runs_waits_for_the_next_run(tmp_path, start):
    (tmp_path / "spec.yaml").write_text(GATED + "compute_node_wait_for_new_jobs_seconds: 1\n")
    first = start(tmp_path, "run", "spec.yaml", "-j", "6")
    until(lambda: (tmp_path / "started_6").exists(), "all have started")
    program(tmp_path, "jobs", "create", "1", "-n", "late", "-c", "touch late")
    (tmp_path / "go").touch()
    told = "1 job added or reset. Go on with: torc workflows reinit 1 && torc run 1"
    assert told in first.wait().out
    assert f"Nothing to run in workflow 1. {told}" in program(tmp_path, "run", "1").out
    assert ask(tmp_path, "workflows", "reinit", "1")["run_id"] == 2
    assert ask(tmp_path, "run", "1")["completed"] == 1
    assert (tmp_path / "late").exists()
