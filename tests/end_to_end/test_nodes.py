"""Nodes that are asked for by hand and by a watch, with workers that are processes: they run, die, and are replaced."""

from __future__ import annotations

import json
import os
import signal
import socket
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


def test_a_watch_heals_more_than_once(tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]) -> None:
    """After its own first request as well, and it begins a workflow that nobody has begun."""
    id = create(torc, tmp_path, "echo >> tried; test $(wc -l < tried) = 3", 1)
    watching = watch(id, "--recover", "--retry-unknown", "--auto-schedule", *LOCAL)
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0, said
    assert [r["return_code"] for r in torc("results", "list", id, "--all-runs")["items"]] == [1, 1, 0]
    assert len(torc("scheduled-compute-nodes", "list", id)["items"]) == 3


def test_what_was_asked_for_before_is_asked_for_again(
    tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]
) -> None:
    id = create(torc, tmp_path, HELD, 3)
    asked = torc("schedule-nodes", id, *LOCAL, "-n", "2")["allocations"]
    for place in range(len(asked)):
        worker(torc, id, place)
    for node in asked:  # one after the other would leave time for the one to take over from the other
        os.kill(node["scheduler_id"], signal.SIGKILL)
    watching = watch(id, "--auto-schedule")
    worker(torc, id, 3)
    (tmp_path / "go").touch()
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0, said
    nodes = torc("scheduled-compute-nodes", "list", id)["items"]
    assert [(n["request"]["max_parallel_jobs"], n["request"]["num_allocations"]) for n in nodes[2:]] == [(1, 2)] * 2


def test_who_is_killed_while_asking_leaves_nothing_in_the_way(
    tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]
) -> None:
    """Its action is still due, and the record of what it asked for is known to be nobody's."""
    action = {"trigger_type": "on_workflow_start", "action_type": "schedule_nodes", "scheduler_type": "local"}
    jobs = [{"name": "j", "command": "true"}]
    (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs, "actions": [action]}))
    id = torc("create", "spec.json")["workflow_id"]
    program = (
        "import os, signal, sys; from torc_plugins.executors.local import LocalExecutor;"
        "LocalExecutor.submit = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "from torc_core.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "schedule-nodes", str(id), *LOCAL, "--suppress-actions"]
    done = subprocess.run(command, cwd=tmp_path, timeout=PATIENCE_S, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert [a.get("executed", False) for a in torc("workflows", "actions", id)["items"]] == [False]
    [record] = torc("scheduled-compute-nodes", "list", id)["items"]
    assert (record["status"], record["scheduler_id"]) == ("pending", 0)
    assert torc("sync-status", id)["pending_allocations_cleaned"] == 1
    assert [n["status"] for n in torc("scheduled-compute-nodes", "list", id)["items"]] == ["complete"]


def test_a_worker_that_a_job_asks_for_outlives_the_runner_of_the_job(
    tmp_path: Path, torc: Callable[..., Any], watch: Callable[..., Any]
) -> None:
    ask = f"{sys.executable} -m torc_core.cli schedule-nodes $TORC_WORKFLOW_ID --scheduler-type local -j 1; sleep 600"
    spec = {"name": "w", "jobs": [{"name": "a", "command": ask}, {"name": "b", "command": f"echo >> b; {HELD}"}]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    id = torc("create", "spec.json")["workflow_id"]
    runner = subprocess.Popen([sys.executable, "-m", "torc_core.cli", "run", str(id), "-j", "1"], cwd=tmp_path)
    try:
        until(lambda: (tmp_path / "b").exists(), "the job of the worker", PATIENCE_S)
        runner.kill()
        runner.wait()
        assert torc("sync-status", id)["compute_nodes_deactivated"] == 1
        (tmp_path / "go").touch()
        b = until(
            lambda: [r for r in torc("results", "list", id)["items"] if r["return_code"] == 0],
            "the end of b",
            PATIENCE_S,
        )
        assert [r["attempt_id"] for r in b] == [1]
    finally:
        runner.kill()
        torc("cancel", id)
        watch(id).wait(PATIENCE_S)  # until no worker is left


def test_a_watch_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # a server that chose its port could not have it again
        port = taken.getsockname()[1]
    server = ServerProcess(tmp_path, port=port)
    (tmp_path / "spec.yaml").write_text(f"name: w\njobs: [{{name: j, command: '{HELD}'}}]")
    torc_at(tmp_path, "create", "spec.yaml", TORC_API_URL=server.url)
    torc_at(tmp_path, "schedule-nodes", 1, *LOCAL, TORC_API_URL=server.url)
    said = tmp_path / "said"
    with said.open("w") as file:
        watching = subprocess.Popen(
            [sys.executable, "-m", "torc_core.cli", "watch", "1", "-s", "-p", "0.1", "--url", server.url], cwd=tmp_path,
            stderr=file,
        )  # fmt: skip
    try:
        until(lambda: "1 running" in said.read_text(), said.read_text, PATIENCE_S)
        server.kill()
        until(lambda: "The service is away, and waited for" in said.read_text(), said.read_text, PATIENCE_S)
        server = ServerProcess(tmp_path, port=port)
        until(lambda: "The service is there again" in said.read_text(), said.read_text, PATIENCE_S)
        (tmp_path / "go").touch()
        assert watching.wait(PATIENCE_S) == 0, said.read_text()
    finally:
        watching.kill()
        server.stop()


def test_a_watch_that_cannot_tell_what_to_ask_for_says_so_at_once(tmp_path: Path, torc: Callable[..., Any]) -> None:
    id = create(torc, tmp_path, "true")
    done = torc_at(tmp_path, "watch", id, "--auto-schedule", code=1)
    assert "names no scheduler" in done.stderr
    done = torc_at(tmp_path, "watch", id, "--auto-schedule", "--run", code=2)
    assert "Give one of them" in done.stderr
    for option in (("--auto-schedule-threshold", "2"), ("--scheduler-type", "local"), ("-n", "3")):
        done = torc_at(tmp_path, "watch", id, *option, code=2)
        assert "Add --auto-schedule" in done.stderr
    torc("run", id)
    assert torc_at(tmp_path, "watch", id, "--auto-schedule").stdout == "The workflow is complete; all went well.\n"


def test_no_worker_of_an_action_loses_its_token_when_all_end_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--auth-file", users(tmp_path, "ada"), "--require-auth")
    try:
        said = {"TORC_PASSWORD": "ada-pw", "TORC_API_URL": server.url}
        nodes = {"scheduler_type": "local", "num_allocations": 2, "max_parallel_jobs": 1}
        action = {"trigger_type": "on_workflow_start", "action_type": "schedule_nodes", **nodes}
        jobs = [
            {"name": f"j{i}", "command": f"touch ran{i}; until [ -e ran0 -a -e ran1 -a -e ran2 ]; do sleep 0.01; done"}
            for i in range(3)
        ]
        (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs, "actions": [action]}))
        torc_at(tmp_path, "run", "spec.json", "-j", "1", **said)

        def left() -> Any:
            listed = torc_at(tmp_path, "-f", "json", "compute-nodes", "list", 1, **said).stdout
            return [node for node in json.loads(listed)["items"] if node["is_active"]]

        until(lambda: not left(), "the end of all runners", PATIENCE_S)
        for log in tmp_path.glob("torc_output/worker*.log"):
            until(lambda log=log: "all went well" in log.read_text(), log.read_text, PATIENCE_S)
            assert "token" not in log.read_text()
    finally:
        server.stop()


def test_workers_log_in_with_a_token_that_outlives_who_asked_for_them(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--auth-file", users(tmp_path, "ada"), "--require-auth")
    try:
        said = {"TORC_PASSWORD": "ada-pw", "TORC_API_URL": server.url}
        (tmp_path / "spec.yaml").write_text(f"name: w\njobs: [{{name: j, command: '{HELD}'}}]")
        torc_at(tmp_path, "create", "spec.yaml", **said)
        torc_at(tmp_path, "schedule-nodes", 1, *LOCAL, **said)
        (tmp_path / "go").touch()
        torc_at(tmp_path, "wait", 1, **said)
        log = tmp_path / "torc_output" / "worker_wf1_n1.log"
        until(lambda: "1 completed" in log.read_text(), log.read_text, PATIENCE_S)
    finally:
        server.stop()
