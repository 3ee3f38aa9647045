"""Runners that die, fall silent, come back late or cannot reach their server: no job is lost, none runs twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.server_process import ServerProcess, environment, until
from torc_core.records.resources import ComputeNode, Event, Job, Result
from torc_core.service.api import Service
from torc_core.testing.executors import is_running

TORC = [sys.executable, "-m", "torc_core.cli"]


class Site:
    """A server in a folder, and runners beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server: Any = None
        self.runners: list[subprocess.Popen[str]] = []
        self.begin()

    def begin(self) -> None:
        self.server = ServerProcess(self.folder, port=self.port)

    def torc(self, *words: str, code: int = 0) -> Any:
        """Run a command to its end and return its JSON."""
        done = subprocess.run(
            [*TORC, "--url", self.server.url, "-f", "json", *words], cwd=self.folder, env=environment(self.folder),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done
        return json.loads(done.stdout) if done.stdout else None

    def create(self, *jobs: dict[str, Any], **more: Any) -> None:
        """Store workflow 1 and begin its run."""
        (self.folder / "spec.json").write_text(json.dumps({"name": "w", "jobs": list(jobs), **more}))
        self.torc("create", "spec.json")
        self.torc("workflows", "init", "1", "--no-prompts")

    def runner(self, *words: str, folder: str = "out") -> subprocess.Popen[str]:
        """Start a runner."""
        errors = (self.folder / f"{folder}{len(self.runners)}.err").open("w")
        command = [*TORC, "--url", self.server.url, "run", "1", "-o", folder, "--max-parallel-jobs", "2", *words]
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment(self.folder), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        self.runners.append(process)
        return process

    def say(self, number: int = 0, folder: str = "out") -> str:
        """Return what a runner said."""
        return (self.folder / f"{folder}{number}.err").read_text()

    def lines(self, name: str = "log") -> list[str]:
        """Return what jobs wrote into a file."""
        file = self.folder / name
        return file.read_text().split() if file.exists() else []

    def close(self) -> None:
        for process in self.runners:
            process.kill()
            process.wait()
        self.server.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def statuses(service: Service) -> dict[str, str]:
    return {job.name: job.status.value for job in service.find(Job, 1).items}


def attempts(service: Service, name: str) -> list[tuple[int, int]]:
    """Return number and return code of each attempt of a job."""
    ids = {job.name: job.id for job in service.find(Job, 1).items}
    found = service.find(Result, 1, all_runs=True, job_id=ids[name]).items
    return sorted((result.attempt_id, result.return_code) for result in found)


def job(name: str, command: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": command, **more}


# leases


def test_the_jobs_of_a_runner_that_vanished_are_ready_again_without_anybody_asking(site: Site) -> None:
    site.create(job("long", "echo $$ >> pids; exec sleep 300"), job("after", "true", depends_on=["long"]))
    runner = site.runner("--lease", "2")
    until(lambda: site.lines("pids"), "the job")
    with site.server.service() as service:
        until(lambda: statuses(service)["long"] == "running", "its report")
        runner.kill()
        until(lambda: statuses(service)["long"] == "ready", "the end of the lease")
        assert attempts(service, "long") == [(1, -128)]
        [node] = service.find(ComputeNode, 1).items
        assert node.is_active is False
    os.kill(int(site.lines("pids")[0]), signal.SIGKILL)


def test_a_runner_that_comes_back_late_ends_what_it_lost_and_records_nothing(site: Site) -> None:
    """It was stopped for longer than its lease; its job ran to the end elsewhere meanwhile."""
    begin, end = "echo $TORC_ATTEMPT_ID >> log; echo $$ >> pids", "echo $TORC_ATTEMPT_ID >> ends"
    site.create(
        job("one", f"{begin}; until [ -e go ]; do sleep 0.05; done; {end}"), job("two", "true", depends_on=["one"])
    )
    late = site.runner("--lease", "2", folder="late")
    until(lambda: site.lines("pids"), "the first attempt")
    with site.server.service() as service:
        until(lambda: statuses(service)["one"] == "running", "its report")
        os.kill(late.pid, signal.SIGSTOP)
        until(lambda: statuses(service)["one"] == "ready", "the end of the lease")
        other = site.runner("--lease", "2", folder="other")
        until(lambda: site.lines() == ["1", "2"], "the second attempt")
        first = int(site.lines("pids")[0])
        os.kill(late.pid, signal.SIGCONT)
        until(lambda: not is_running(first), "the end of the first attempt")
        (site.folder / "go").touch()
        assert other.wait(60) == 0
        assert late.wait(60) == 0
        assert attempts(service, "one") == [(1, -128), (2, 0)]
        assert statuses(service) == {"one": "completed", "two": "completed"}
        told = Counter(event.data.get("event_type") for event in service.find(Event, 1).items)
        assert (told["runner_lost"], told["runner_returned"]) == (1, 1)
    assert site.lines("ends") == ["2"]
    assert "jobs taken away by the service are ended: one" in site.say(0, "late")


def test_the_result_of_a_late_runner_does_not_replace_a_newer_one(site: Site) -> None:
    """Its job ended while it was stopped, and so did the next attempt, otherwise."""
    wait = "until [ -e go$TORC_ATTEMPT_ID ]; do sleep 0.05; done"
    site.create(job("one", f"echo $TORC_ATTEMPT_ID >> log; {wait}; exit $((TORC_ATTEMPT_ID + 2))"))
    late = site.runner("--lease", "2", folder="late")
    until(lambda: site.lines() == ["1"], "the first attempt")
    with site.server.service() as service:
        until(lambda: statuses(service)["one"] == "running", "its report")
        os.kill(late.pid, signal.SIGSTOP)
        (site.folder / "go1").touch()
        until(lambda: statuses(service)["one"] == "ready", "the end of the lease")
        (site.folder / "go2").touch()
        other = site.runner("--lease", "2", folder="other")
        until(lambda: statuses(service)["one"] == "failed", "the end of the second attempt")
        os.kill(late.pid, signal.SIGCONT)
        assert other.wait(60) == 0
        assert late.wait(60) == 0
        assert attempts(service, "one") == [(1, -128), (2, 4)]
    assert "result refused" in site.say(0, "late")


# servers that are away


def test_jobs_go_on_while_the_server_is_away_and_each_runs_once(site: Site) -> None:
    site.create(
        job("layer0_{i}", "echo $TORC_JOB_NAME >> log; sleep 0.6", parameters={"i": "1:6"}),
        job("layer1_{i}", "echo $TORC_JOB_NAME >> log", parameters={"i": "1:6"}, depends_on_regexes=["layer0_"]),
        job("mended", "echo $TORC_JOB_NAME >> log; test -e mended", failure_handler="h"),
        failure_handlers=[{"name": "h", "rules": [{"exit_codes": [1], "recovery_script": "sleep 1; touch mended"}]}],
    )
    runner = site.runner("--lease", "3", "-p", "0.2")
    until(lambda: len(site.lines()) >= 2, "the first jobs")
    site.server.kill()
    until(lambda: "is of no use at the moment" in site.say(), "that the runner misses it")
    site.begin()
    assert runner.wait(90) == 0, site.say()
    with site.server.service() as service:
        assert set(statuses(service).values()) == {"completed"}
        assert attempts(service, "mended") == [(1, 1), (2, 0)]
        assert {len(attempts(service, name)) for name in statuses(service) if name != "mended"} == {1}
    ran = Counter(site.lines())
    assert ran.pop("mended") == 2
    assert set(ran.values()) == {1}
    assert len(ran) == 12


def test_what_cannot_be_reported_in_time_is_sent_later(site: Site) -> None:
    site.create(
        job("good", "echo good >> log; until [ -e go ]; do sleep 0.05; done"),
        job("bad", "echo bad >> log; until [ -e go ]; do sleep 0.05; done; exit 3"),
        job("after", "echo after >> log", depends_on=["good"]),
        compute_node_wait_for_healthy_database_minutes=0,
    )
    runner = site.runner()
    until(lambda: sorted(site.lines()) == ["bad", "good"], "the jobs")
    with site.server.service() as service:
        until(lambda: set(statuses(service).values()) == {"running", "blocked"}, "their reports")
    site.server.kill()
    (site.folder / "go").touch()
    assert runner.wait(60) == 1
    assert "2 results could not be reported and stay in out/journal" in site.say()
    assert runner.stdout is not None
    assert "1 completed, 1 failed" in runner.stdout.read()
    site.begin()
    found = {"workflow_id": 1, "files": 1, "total_completions": 2, "accepted": 2, "rejected": 0}
    assert site.torc("workflows", "reconcile", "1", "1", "--base-dir", str(site.folder)) == found
    assert not (site.folder / "out/journal").exists() or not list((site.folder / "out/journal").iterdir())
    nothing = {"workflow_id": 1, "files": 0, "total_completions": 0, "accepted": 0, "rejected": 0}
    assert site.torc("workflows", "reconcile", "1") == nothing
    with site.server.service() as service:
        assert statuses(service) == {"good": "completed", "bad": "failed", "after": "ready"}
        [node] = service.find(ComputeNode, 1).items
        assert node.is_active is False
    site.torc("run", "1")
    assert sorted(site.lines()) == ["after", "bad", "good"]


def test_results_of_another_run_are_rejected_and_named(site: Site) -> None:
    site.create(
        job("one", "echo one >> log; until [ -e go ]; do sleep 0.05; done"),
        compute_node_wait_for_healthy_database_minutes=0,
    )
    runner = site.runner()
    until(lambda: site.lines() == ["one"], "the job")
    with site.server.service() as service:
        until(lambda: statuses(service)["one"] == "running", "its report")
    site.server.kill()
    (site.folder / "go").touch()
    assert runner.wait(60) == 1
    site.begin()
    with site.server.service() as service:
        service.reset_workflow_status(1, force=True)
    answer = site.torc("workflows", "reconcile", "1")
    assert (answer["files"], answer["accepted"], answer["rejected"]) == (1, 0, 1)


def test_the_journal_of_a_runner_that_is_at_work_is_left_alone(site: Site) -> None:
    site.create(job("one", "echo one >> log; until [ -e go ]; do sleep 0.05; done"))
    runner = site.runner()
    until(lambda: site.lines() == ["one"], "the job")
    assert site.torc("workflows", "reconcile", "1")["files"] == 0
    (site.folder / "go").touch()
    assert runner.wait(60) == 0
    with site.server.service() as service:
        assert attempts(service, "one") == [(1, 0)]


# embedded


def test_a_recovery_script_of_a_killed_runner_is_ended_and_its_job_tried_again(tmp_path: Path) -> None:
    """Two runners share a database; the owner is killed while a recovery script runs."""
    rules = [{"exit_codes": [4], "recovery_script": "echo $$ > script; exec sleep 300"}]
    spec = {
        "name": "w",
        "jobs": [
            job("one", "echo $TORC_ATTEMPT_ID >> log; test $TORC_ATTEMPT_ID -gt 1 || exit 4", failure_handler="h"),
            job("two", "until [ $(wc -l < log) = 2 ]; do sleep 0.05; done"),
        ],
        "failure_handlers": [{"name": "h", "rules": rules}],
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))

    def torc(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*TORC, *words, "--max-parallel-jobs", "1"], cwd=tmp_path, env=environment(tmp_path), text=True,
            stdout=subprocess.DEVNULL, stderr=(tmp_path / "err").open("a"),
        )  # fmt: skip

    first = torc("run", "spec.json")
    try:
        until(lambda: (tmp_path / "script").exists() and (tmp_path / "script").read_text().strip(), "the script")
        script = int((tmp_path / "script").read_text())
        second = torc("run", "1")
        try:
            until(lambda: "Running" in (tmp_path / "err").read_text().split("Created")[-1], "the second runner")
            first.kill()
            assert second.wait(90) == 0, (tmp_path / "err").read_text()
        finally:
            second.kill()
            second.wait()
    finally:
        first.kill()
        first.wait()
    assert not is_running(script)
    assert (tmp_path / "log").read_text().split() == ["1", "2"]
    done = subprocess.run(
        [*TORC, "-f", "json", "results", "list", "1", "--all-runs"], cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = [(r["job_name"], r["attempt_id"], r["return_code"]) for r in json.loads(done.stdout)["items"]]
    assert sorted(found) == [("one", 1, 4), ("one", 2, 0), ("two", 1, 0)]
