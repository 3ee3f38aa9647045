"""What the tests of faults share: torc as a user calls it, and what a good refusal looks like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TORC = [sys.executable, "-m", "torc_core.cli"]
PATIENCE = 45.0
Done = subprocess.CompletedProcess[str]


def torc(folder: Path, *words: str, before: tuple[str, ...] = (), **options: Any) -> Done:
    """Run a command to its end; ``before`` are words in front of it, such as ``setpriv ... --``."""
    options = {"stdin": subprocess.DEVNULL, **options} if "input" not in options else options
    return subprocess.run(
        [*before, *TORC, *words], cwd=folder, capture_output=True, text=True, errors="replace", timeout=PATIENCE,
        check=False, **options,
    )  # fmt: skip


def told(folder: Path, *words: str) -> Any:
    """Run a command that succeeds and return its JSON."""
    done = torc(folder, "-f", "json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def start(folder: Path, *words: str, name: str = "err", **options: Any) -> subprocess.Popen[bytes]:
    """Start a command; what it says goes to ``<name>.txt``."""
    with (folder / f"{name}.txt").open("w") as said:
        return subprocess.Popen(
            [*TORC, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, **options
        )


def refused(done: Done, *parts: str) -> str:
    """Check that a command ended with a clear error that has all ``parts``; returns all it said."""
    said = done.stdout + done.stderr
    assert_clear(said)
    assert done.returncode in (1, 2), f"exit code {done.returncode}: {said[-2000:]}"
    for part in parts:
        assert part in said, f"{part!r} is not in: {said[-2000:]}"
    assert len(said) < 20_000, "nobody reads so much"
    return said


def assert_clear(said: str) -> None:
    assert "Traceback" not in said and "internal error" not in said, said[-3000:]


def wait_for(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain for: {what}"
        os.sched_yield()


def write_spec(folder: Path, *jobs: dict[str, Any], name: str = "spec.json", **fields: Any) -> Path:
    """Write a spec of these jobs, named by their place when they have no name."""
    named = [{"name": f"job{i}", **job} for i, job in enumerate(jobs)]
    path = folder / name
    path.write_text(json.dumps({"name": "w", **fields, "jobs": named}))
    return path


def writes(folder: Path, count: int = 3) -> None:
    """Write a spec of jobs that write down that they have run."""
    write_spec(folder, *({"command": f"echo {i} >> ran.txt"} for i in range(count)))


def running(folder: Path, count: int) -> subprocess.Popen[bytes]:
    """Start a run of so many short jobs and wait until some have ended."""
    write_spec(folder, *({"command": f"sleep 0.02; echo {i} >> ran.txt"} for i in range(count)))
    process = start(folder, "run", "spec.json", "--max-parallel-jobs", "2")
    wait_for(lambda: len(lines(folder / "ran.txt")) >= 4, "the first jobs")
    return process


def remove(path: Path) -> None:
    """Remove a file or folder at once, though others are at work in it."""
    if path.exists():
        gone = path.rename(path.with_name(f"{path.name}.gone"))
        shutil.rmtree(gone, ignore_errors=True) if gone.is_dir() else gone.unlink()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def statuses(folder: Path, workflow_id: int = 1) -> dict[str, str]:
    """Return the status of every job by name."""
    return {job["name"]: job["status"] for job in told(folder, "jobs", "list", str(workflow_id))["items"]}


def results(folder: Path, workflow_id: int = 1) -> list[dict[str, Any]]:
    """Return the results of all runs."""
    items: list[dict[str, Any]] = told(folder, "results", "list", str(workflow_id), "--all-runs")["items"]
    return items


def works_again(folder: Path) -> None:
    """Check that a new workflow in the same folder runs to its end."""
    spec = write_spec(folder, {"command": "echo fine"}, name="again.json")
    done = torc(folder, "run", str(spec))
    assert done.returncode == 0 and "1 completed" in done.stdout, done.stdout + done.stderr


def unprivileged() -> tuple[str, ...]:
    """Return the words in front of a command that take root's right to pass over permissions away."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root without setpriv may read and write everything")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
