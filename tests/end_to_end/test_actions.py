"""Actions with real runners: one of many carries each out, a killed one loses nothing, workers are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TORC = [sys.executable, "-m", "torc_core.cli"]
PATIENCE_S = 60.0


def torc(folder: Path, *words: str) -> Any:
    """Run a command to its end and return its JSON."""
    done = subprocess.run(
        [*TORC, "-f", "json", *words], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Runners:
    """Programs that do not outlive their test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"runner{len(self._started)}.txt").open("w")
        made = subprocess.Popen([*TORC, "run", *words], cwd=self.folder, stdout=log, stderr=log)
        self._started.append(made)
        return made

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def said(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("runner*.txt")))


@pytest.fixture
def runners(tmp_path: Path) -> Iterator[Runners]:
    made = Runners(tmp_path)
    yield made
    made.end()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s in vain for: {what}"
        time.sleep(0.01)
    return found


def create(folder: Path, spec: dict[str, Any]) -> str:
    (folder / "spec.json").write_text(json.dumps({"name": "w", **spec}))
    return str(torc(folder, "create", "spec.json")["workflow_id"])


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def commands(trigger: str, *texts: str, **more: Any) -> dict[str, Any]:
    return {"trigger_type": trigger, "action_type": "run_commands", "commands": list(texts), **more}


def held(name: str) -> str:
    """A command that waits until a file is there."""
    return f"while [ ! -e {name} ]; do sleep 0.01; done"


def test_of_two_runners_one_carries_out_an_action_and_both_a_persistent_one(tmp_path: Path, runners: Runners) -> None:
    note = f"echo $TORC_COMPUTE_NODE_ID >> {tmp_path}"
    jobs = [{"name": f"j{i}", "command": held("go")} for i in range(2)]
    id = create(
        tmp_path,
        {
            "jobs": jobs,
            "actions": [
                commands("on_workflow_start", f"{note}/start"),
                commands("on_worker_start", f"{note}/each", persistent=True),
                commands("on_jobs_complete", f"{note}/jobs", jobs=["j0", "j1"]),
                commands("on_jobs_complete", f"{note}/both", jobs=["j0"], persistent=True),
                commands("on_workflow_complete", f"{note}/whole"),
            ],
        },
    )
    first = runners.start(id, "-j", "1")
    wait_for(lambda: lines(tmp_path / "each"), "the first runner")
    second = runners.start(id, "-j", "1")
    wait_for(lambda: len(lines(tmp_path / "each")) == 2, "the second runner")
    wait_for(lambda: torc(tmp_path, "status", id)["jobs_by_status"]["running"] == 2, "a job on each")
    (tmp_path / "go").touch()
    assert (first.wait(PATIENCE_S), second.wait(PATIENCE_S)) == (0, 0), runners.said()
    for name in ("start", "jobs", "whole"):
        assert len(lines(tmp_path / name)) == 1, name
    assert len(set(lines(tmp_path / "each"))) == 2
    assert Counter(lines(tmp_path / "both")).most_common(1)[0][1] == 1
    runs = torc(tmp_path, "workflows", "action-runs", id)["items"]
    assert {run["status"] for run in runs} == {"completed"}


def test_a_runner_that_is_killed_between_claim_and_end_loses_its_action_to_another(
    tmp_path: Path, runners: Runners
) -> None:
    """At least once: the command that was under way runs again, those that were done before do not."""
    id = create(
        tmp_path,
        {
            "jobs": [{"name": "j", "command": "true"}],
            "actions": [
                commands(
                    "on_workflow_start", f"echo done >> {tmp_path}/one",
                    f"echo begun >> {tmp_path}/two; {held(f'{tmp_path}/go')}", f"echo done >> {tmp_path}/three",
                )
            ],
        },
    )  # fmt: skip
    first = runners.start(id)
    wait_for(lambda: lines(tmp_path / "two"), "the second command")
    wait_for(lambda: torc(tmp_path, "workflows", "action-runs", id)["items"][0].get("done") == 1, "the report")
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE_S)
    second = runners.start(id)
    wait_for(lambda: len(lines(tmp_path / "two")) == 2, "the second command again")
    left = subprocess.run(["pgrep", "-f", f"echo begun >> {tmp_path}/two"], capture_output=True, text=True, check=False)
    assert len(left.stdout.split()) == 1, "what the dead runner had started still runs"
    (tmp_path / "go").touch()
    assert second.wait(PATIENCE_S) == 0, runners.said()
    assert (len(lines(tmp_path / "one")), len(lines(tmp_path / "three"))) == (1, 1)
    runs = torc(tmp_path, "workflows", "action-runs", id)["items"]
    assert [(run["status"], run["attempt_id"], run["done"]) for run in runs] == [("lost", 1, 1), ("completed", 2, 3)]
    assert torc(tmp_path, "status", id)["jobs_by_status"]["completed"] == 1


def test_jobs_wait_for_commands_that_another_runner_carries_out(tmp_path: Path, runners: Runners) -> None:
    id = create(
        tmp_path,
        {
            "jobs": [{"name": f"j{i}", "command": "test -e set_up"} for i in range(4)],
            "actions": [commands("on_workflow_start", f"{held(f'{tmp_path}/go')}; touch {tmp_path}/set_up")],
        },
    )
    first = runners.start(id)
    wait_for(lambda: torc(tmp_path, "workflows", "action-runs", id)["items"], "the commands")
    second = runners.start(id)
    wait_for(lambda: torc(tmp_path, "status", id)["active_compute_nodes"] == 2, "both runners")
    assert torc(tmp_path, "status", id)["jobs_by_status"]["ready"] == 4
    (tmp_path / "go").touch()
    assert (first.wait(PATIENCE_S), second.wait(PATIENCE_S)) == (0, 0), runners.said()
    assert torc(tmp_path, "status", id)["jobs_by_status"]["completed"] == 4


def test_a_runner_that_is_stopped_gives_its_action_back(tmp_path: Path, runners: Runners) -> None:
    id = create(
        tmp_path,
        {
            "jobs": [{"name": "j", "command": "true"}],
            "actions": [
                commands(
                    "on_workflow_start",
                    f"trap 'echo told >> {tmp_path}/told; exit 1' TERM; echo x >> {tmp_path}/begun;"
                    f" {held(f'{tmp_path}/go')}",
                ),
                commands("on_worker_complete", f"echo left >> {tmp_path}/left"),
            ],
        },
    )
    first = runners.start(id)
    wait_for(lambda: lines(tmp_path / "begun"), "the command")
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_S) == 143, runners.said()
    assert lines(tmp_path / "told")
    assert lines(tmp_path / "left") == ["left"]
    (tmp_path / "go").touch()
    assert runners.start(id).wait(PATIENCE_S) == 0
    runs = torc(tmp_path, "workflows", "action-runs", id)["items"]
    assert [run["status"] for run in runs if run["action_id"] == 1] == ["lost", "completed"]


def test_an_action_starts_workers_on_this_machine(tmp_path: Path, runners: Runners) -> None:
    """Each worker is a process of its own, with a record of its allocation, which ends with it."""
    jobs = [{"name": f"j{i}", "command": held("go")} for i in range(3)]
    nodes = {"scheduler_type": "local", "num_allocations": 2, "max_parallel_jobs": 1}
    id = create(
        tmp_path,
        {
            "jobs": jobs,
            "actions": [
                {"trigger_type": "on_jobs_ready", "jobs": ["j0"], "action_type": "schedule_nodes", **nodes},
            ],
        },
    )
    first = runners.start(id, "-j", "1")
    wait_for(lambda: torc(tmp_path, "status", id)["jobs_by_status"]["running"] == 3, "a job on each of three runners")
    status = torc(tmp_path, "status", id)
    assert (status["active_compute_nodes"], status["active_scheduled_nodes"]) == (3, 2)
    nodes_there = torc(tmp_path, "compute-nodes", "list", id)["items"]
    workers = [n for n in nodes_there if n.get("scheduler")]
    assert sorted(n["scheduler"]["type"] for n in workers) == ["local", "local"]
    assert len({n["pid"] for n in nodes_there}) == 3
    (tmp_path / "go").touch()
    assert first.wait(PATIENCE_S) == 0, runners.said()
    wait_for(lambda: torc(tmp_path, "status", id)["active_scheduled_nodes"] == 0, "the end of the workers")
    (run,) = torc(tmp_path, "workflows", "action-runs", id)["items"]
    assert (run["status"], run["done"]) == ("completed", 2)
    for node in workers:
        wait_for(lambda node=node: not Path(f"/proc/{node['pid']}/environ").exists(), "the end of a worker")


def test_a_worker_that_is_killed_does_not_keep_its_allocation(tmp_path: Path, runners: Runners) -> None:
    jobs = [{"name": f"j{i}", "command": held("go")} for i in range(2)]
    action = {
        "trigger_type": "on_jobs_ready", "jobs": ["j0"], "action_type": "schedule_nodes", "scheduler_type": "local",
        "max_parallel_jobs": 1,
    }  # fmt: skip
    id = create(tmp_path, {"jobs": jobs, "actions": [action]})
    first = runners.start(id, "-j", "1")
    wait_for(lambda: torc(tmp_path, "status", id)["jobs_by_status"]["running"] == 2, "a worker")
    (worker,) = [n for n in torc(tmp_path, "compute-nodes", "list", id)["items"] if n.get("scheduler")]
    os.kill(worker["pid"], signal.SIGKILL)
    wait_for(lambda: torc(tmp_path, "status", id)["active_scheduled_nodes"] == 0, "the end of the allocation")
    (tmp_path / "go").touch()
    assert first.wait(PATIENCE_S) == 0, runners.said()
    assert torc(tmp_path, "status", id)["jobs_by_status"]["completed"] == 2
