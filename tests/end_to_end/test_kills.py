"""kill -9 of runners, owner or neighbour, at random points of a real workflow: nothing is lost or recorded twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = int(os.environ.get("TORC_TEST_KILLS", "100" if os.environ.get("CI") else "12"))
TORC = [sys.executable, "-m", "torc_core.cli"]
PATIENCE = 60.0
LAYERS, WIDTH = 6, 12


def spec() -> str:
    """Layers of jobs that each wait for the whole layer before; a job notes its start and its end."""
    jobs: list[dict[str, Any]] = []
    for layer in range(LAYERS):
        job: dict[str, Any] = {
            "name": f"l{layer}_{{i}}",
            "command": "echo start $TORC_JOB_ID $TORC_ATTEMPT_ID >> runs.txt; sleep 0.0{i};"
            " echo end $TORC_JOB_ID $TORC_ATTEMPT_ID >> runs.txt",
            "parameters": {"i": f"10:{9 + WIDTH}"},
        }
        if layer:
            job["depends_on_regexes"] = [f"^l{layer - 1}_.*$"]
        jobs.append(job)
    return json.dumps({"name": "layers", "jobs": jobs})


def torc(folder: Path, *words: str) -> Any:
    """Run a command to its end and return its JSON."""
    done = subprocess.run(
        [*TORC, "-f", "json", *words], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def runner(folder: Path, workflow_id: int) -> subprocess.Popen[bytes]:
    """Start a runner; the first of two becomes the owner."""
    return subprocess.Popen(
        [*TORC, "run", str(workflow_id), "--max-parallel-jobs", "3"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "err.txt").open("a"),
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain for: {what}"
        os.sched_yield()


def lines(folder: Path) -> list[str]:
    file = folder / "runs.txt"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("victims", ["one runner, which is the owner", "the owner beside a neighbour", "the neighbour"])
def test_runners_that_are_killed_lose_nothing(victims: str, tmp_path: Path) -> None:
    chance = random.Random(victims)
    killed, round_ = 0, 0
    while killed < KILLS // 3 + 1:
        round_ += 1
        folder = tmp_path / f"round{round_}"
        folder.mkdir()
        (folder / "spec.json").write_text(spec())
        workflow_id = torc(folder, "create", "spec.json")["workflow_id"]
        killed += _run_with_kills(folder, workflow_id, victims, chance)
        _check(folder, workflow_id)


def _run_with_kills(folder: Path, workflow_id: int, victims: str, chance: random.Random) -> int:
    """Run to the end, killing now and then; returns how many were killed."""
    killed = 0
    while True:
        seen = len(lines(folder))
        running = [runner(folder, workflow_id)]
        if victims != "one runner, which is the owner":
            wait_for(lambda: (folder / "torc_output/torc.db.owner").exists(), "an owner")
            running.append(runner(folder, workflow_id))
        goal = seen + chance.randint(1, 2 * LAYERS * WIDTH // 6)
        wait_for(
            lambda goal=goal, running=running: len(lines(folder)) >= goal or all(p.poll() is not None for p in running),
            f"{goal} lines of jobs, or the end of the runners",
        )
        victim = running[-1] if victims == "the neighbour" else running[0]
        if victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            killed += 1
        victim.wait(PATIENCE)
        if len(running) > 1 and killed % 3:  # the other goes on alone, or is killed too
            other = running[0] if victim is running[1] else running[1]
            if other.poll() is None and chance.random() < 0.5:
                other.send_signal(signal.SIGKILL)
                killed += 1
            other.wait(PATIENCE)
        for process in running:
            process.wait(PATIENCE)
        if torc(folder, "status", str(workflow_id))["is_complete"]:
            return killed


def _check(folder: Path, workflow_id: int) -> None:
    wf = str(workflow_id)
    jobs = torc(folder, "jobs", "list", wf)["items"]
    assert Counter(job["status"] for job in jobs) == {"completed": LAYERS * WIDTH}
    results = torc(folder, "results", "list", wf, "--all-runs")["items"]
    attempts = Counter((r["job_id"], r["attempt_id"]) for r in results)
    assert set(attempts.values()) == {1}, "an attempt is recorded twice"
    good = Counter(r["job_id"] for r in results if r["status"] == "completed")
    assert good == {job["id"]: 1 for job in jobs}, "a job has not exactly one good result"
    starts = Counter(line for line in lines(folder) if line.startswith("start"))
    assert set(starts.values()) == {1}, "an attempt was started twice"
    known = {f"start {job} {attempt}" for job, attempt in attempts}
    assert set(starts) <= known, "an attempt was started and never recorded"
    for result in results:
        if result["status"] == "completed":
            assert f"end {result['job_id']} {result['attempt_id']}" in lines(folder)
        else:
            assert result["return_code"] in (-128, 137, 143), result
    assert torc(folder, "status", wf)["active_compute_nodes"] == 0, "a dead runner counts as active"
