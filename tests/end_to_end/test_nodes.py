"""Nodes that are asked for by hand and by a watch, with workers that are processes: they run, die, and are replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.logins import torc as torc_at
from tests.server.logins import users
from tests.server.server_process import ServerProcess, until

LOCAL = ("--scheduler-type", "local", "-j", "1")
HELD = "while [ ! -e go ]; do sleep 0.01; done"
PATIENCE_S = 60


@pytest.fixture
def torc(tmp_path: Path) -> Callable[..., Any]:
    """Runs a command to its end and returns its JSON."""

    def torc(*words: object, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "torc_core.cli", "-f", "json", *map(str, words)], cwd=tmp_path, capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == code, done
        return json.loads(done.stdout)

    return torc


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts watches that do not outlive the test."""
    started = []

    def start(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "torc_core.cli", "watch", *map(str, words), "--poll-interval", "0.1"]
        started.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def create(torc: Callable[..., Any], folder: Path, command: str, count: int = 2) -> int:
    jobs = [{"name": f"j{i}", "command": command} for i in range(count)]
    (folder / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs}))
    return int(torc("create", "spec.json")["workflow_id"])


def worker(torc: Callable[..., Any], id: int, position: int) -> int:
    """Wait for a job of the worker at a position, and return the process of that."""

    def busy() -> Any:
        nodes = torc("compute-nodes", "list", id)["items"]
        running = torc("jobs", "list", id, "--status", "running")["items"]
        holders = {job["compute_node_id"] for job in running}
        return len(nodes) > position and nodes[position]["id"] in holders and nodes[position]["pid"]

    return int(until(busy, "a worker with a job", PATIENCE_S))


def test_a_watch_replaces_workers_that_die(tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]) -> None:
    id = create(torc, tmp_path, HELD)
    [first] = torc("schedule-nodes", id, *LOCAL)["allocations"]
    pid = worker(torc, id, 0)
    assert first["scheduler_id"] == pid, "the number by which an allocation is known is that of its runner"
    watching = watch(id, "--auto-schedule", *LOCAL)
    os.kill(pid, signal.SIGKILL)
    worker(torc, id, 1)
    (tmp_path / "go").touch()
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0, said
    assert "allocation 1 of local (see torc_output/worker_wf1_n1.log) ended without a word" in said
    assert "for a runner, and there is none" in said
    assert torc("status", id)["jobs_by_status"]["completed"] == 2
    nodes = torc("scheduled-compute-nodes", "list", id)["items"]
    assert [node["scheduler_config_id"] for node in nodes] == [0, 0]
    lost = [r for r in torc("results", "list", id, "--all-runs")["items"] if r["return_code"] == -128]
    assert len(lost) == 1, "what ran when its worker was killed is recorded as lost"


def test_a_watch_recovers_and_has_it_run_on_nodes_that_it_asks_for(
    tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]
) -> None:
    id = create(torc, tmp_path, "test -e again || { touch again; exit 1; }", 1)
    torc("schedule-nodes", id, *LOCAL)
    watching = watch(id, "--recover", "--retry-unknown", "--auto-schedule")
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0, said
    assert torc("status", id)["run_id"] == 2
    assert len(torc("scheduled-compute-nodes", "list", id)["items"]) == 2


def test_a_watch_that_cannot_tell_what_to_ask_for_says_so_at_once(tmp_path: Path, torc: Callable[..., Any]) -> None:
    id = create(torc, tmp_path, "true")
    done = torc_at(tmp_path, "watch", id, "--auto-schedule", code=1)
    assert "names no scheduler" in done.stderr
    done = torc_at(tmp_path, "watch", id, "--auto-schedule", "--run", code=2)
    assert "Give one of them" in done.stderr


def test_workers_log_in_with_a_token_that_outlives_who_asked_for_them(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--auth-file", users(tmp_path, "ada"), "--require-auth")
    try:
        said = {"TORC_PASSWORD": "ada-pw", "TORC_API_URL": server.url}
        (tmp_path / "spec.yaml").write_text(f"name: w\njobs: [{{name: j, command: '{HELD}'}}]")
        torc_at(tmp_path, "create", "spec.yaml", **said)
        torc_at(tmp_path, "schedule-nodes", 1, *LOCAL, **said)
        (tmp_path / "go").touch()
        torc_at(tmp_path, "wait", 1, **said)
        log = (tmp_path / "torc_output" / "worker_wf1_n1.log").read_text()
        assert "1 completed" in log
    finally:
        server.stop()
