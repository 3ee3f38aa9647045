"""How each contender runs a graph, and the proof that it has run all of it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks import graphs
from benchmarks.graphs import Graph
from benchmarks.timing import PRINTED, Attempt, BenchmarkError, Usage, run

SLOTS = 2


def torc() -> str:
    """Return the torc that is installed with this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("torc")
    found = str(beside) if beside.exists() else shutil.which("torc")
    if found is None:
        raise BenchmarkError("there is no torc beside this Python or on the path; install it: pip install --editable .")
    return found


def by_torc(graph: Graph) -> Attempt:
    """``torc run`` from the spec to the last job, with a database that outlives the process."""

    def attempt(folder: Path) -> Usage:
        graphs.write_spec(graph, folder)
        usage = run([torc(), "-f", "json", "run", "spec.yaml", "--max-parallel-jobs", str(SLOTS)], folder)
        _check("torc", json.loads((folder / PRINTED).read_text())["completed"], graph)
        logs = sum(1 for _ in (folder / "torc_output" / "job_stdio").iterdir())
        if logs != 2 * len(graph.tasks):
            raise BenchmarkError(f"torc left {logs} log files of {len(graph.tasks)} jobs")
        return usage

    return attempt


def by_ninja(graph: Graph) -> Attempt:
    """``ninja``, which keeps its own log."""

    def attempt(folder: Path) -> Usage:
        graphs.write_ninja(graph, folder)
        usage = run(["ninja", "-j", str(SLOTS)], folder, keep=False)
        _check("ninja", len((folder / ".ninja_log").read_text().splitlines()) - 1, graph)
        return usage

    return attempt


def by_make(graph: Graph) -> Attempt:
    """GNU make, which keeps nothing but the files."""

    def attempt(folder: Path) -> Usage:
        graphs.write_make(graph, folder)
        usage = run(["make", "-j", str(SLOTS)], folder, keep=False)
        _check("make", sum(1 for _ in folder.glob("*.e")), graph)
        return usage

    return attempt


def by_xargs(graph: Graph) -> Attempt:
    """``xargs``, which knows neither dependencies nor state."""

    def attempt(folder: Path) -> Usage:
        (folder / "names").write_text("".join(f"{task.name}\n" for task in graph.tasks))
        script = f"exec xargs -a names -P {SLOTS} -I@ sh -c 'true > @.o 2> @.e'"
        usage = run(["sh", "-c", script], folder, keep=False)
        _check("xargs", sum(1 for _ in folder.glob("*.e")), graph)
        return usage

    return attempt


def contenders(graph: Graph) -> dict[str, Attempt]:
    """Return torc and the peers that are installed and can run the graph."""
    found = {"torc": by_torc(graph)}
    for name, maker in (("ninja", by_ninja), ("make", by_make)):
        if shutil.which(name):
            found[name] = maker(graph)
    if shutil.which("xargs") and not any(task.after for task in graph.tasks):
        found["xargs"] = by_xargs(graph)
    return found


def _check(who: str, ran: int, graph: Graph) -> None:
    if ran != len(graph.tasks):
        raise BenchmarkError(f"{who} ran {ran} of {len(graph.tasks)} jobs")
