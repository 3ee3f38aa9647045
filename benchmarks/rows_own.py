"""Rows 5 to 11: what torc itself takes, in seconds, CPU and memory."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, Row
from benchmarks.peers import SLOTS, torc
from benchmarks.results import Figure, Result
from benchmarks.timing import PRINTED, BenchmarkError, Usage, run

_PROBE = Path(__file__).with_name("probe.py")
_SLOTS = ["--max-parallel-jobs", str(SLOTS)]
_STOP = ("stop", "kill -INT $PPID")
"""A job that ends its runner as Ctrl-C does: jobs are taken by id, so those after it are not begun."""
_INTERRUPTED = 130
_MARK = "cat /proc/$PPID/task/*/schedstat > mark$TORC_JOB_ID"
"""A job that writes down the nanoseconds that the threads of its runner have been on a CPU."""
_WINDOW = 98


def runner_cpu(bench: Bench) -> Result:
    """CPU of the process that reads, stores, decides and runs, for each job; its start is taken off."""
    count = bench.size(1000)

    def attempt(folder: Path, jobs: int) -> Usage:
        _write(folder / "spec.yaml", [("j{i}", "true", jobs)])
        return _probe(folder, ["run", "spec.yaml", *_SLOTS])

    name = f"torc run, {count} jobs"
    usages = bench.measure({name: lambda f: attempt(f, count), "torc run, 1 job": lambda f: attempt(f, 1)}, 9)
    many, one = usages.values()
    micros = [1e6 * (a.cpu_s - b.cpu_s) / (count - 1) for a, b in zip(many, one, strict=True)]
    return Result([Figure("own CPU a job", "us", micros, 250, 130)], usages)


def create_explicit(bench: Bench) -> Result:
    """A spec in which each job is written out, and depends on one other."""
    count = bench.size(10_000)

    def attempt(folder: Path) -> Usage:
        with open(folder / "spec.yaml", "w") as spec:
            spec.write("name: bench\njobs:\n")
            for i in range(count):
                spec.write(f"  - name: job_{i}\n    command: process --input {i}.in --output {i}.out\n")
                if i:
                    spec.write(f"    depends_on:\n      - job_{i // 2}\n")
        return _create(folder, count)

    usages = bench.measure({"torc create": attempt}, 5)
    return Result([_seconds(usages["torc create"], 2, 1)], usages)


def create_sweep(bench: Bench) -> Result:
    """A spec of one job with a parameter."""
    count = bench.size(100_000)

    def attempt(folder: Path) -> Usage:
        _write(folder / "spec.yaml", [("job_{i}", "process --input {i}.in", count)])
        return _create(folder, count)

    usages = bench.measure({"torc create": attempt}, 5)
    ours = usages["torc create"]
    return Result([_seconds(ours, 5, 2.5), _peak([u.peak_mb for u in ours], 350, 200)], usages)


def list_jobs(bench: Bench) -> Result:
    """All jobs of a workflow as JSON."""
    count = bench.size(100_000)
    made = bench.folder / "made"
    made.mkdir()
    _write(made / "spec.yaml", [("job_{i}", "process --input {i}.in", count)])
    _create(made, count)
    database = str(made / "torc_output" / "torc.db")

    def attempt(folder: Path) -> Usage:
        usage = run([torc(), "--db", database, "-f", "json", "jobs", "list", "1"], folder)
        with open(folder / PRINTED) as printed:
            listed = sum(line.count('"workflow_id":') for line in printed)
        _check("torc jobs list", listed, count)
        (folder / PRINTED).unlink()
        return usage

    usages = bench.measure({"torc jobs list": attempt}, 5)
    return Result([_seconds(usages["torc jobs list"], 4, 1.9)], usages)


def million(bench: Bench) -> Result:
    """A workflow so big that its size alone could be the trouble; a job in it ends the runner after so many."""
    first, total = bench.size(10_000), bench.size(1_000_000)
    place = bench.folder / "million"
    place.mkdir()
    _write(place / "spec.yaml", [("first_{i}", "true", first), (*_STOP, 1), ("job_{i}", "true", total - first - 1)])
    create = _create(place, total)
    begun = run([torc(), "run", "1", *_SLOTS], place, expected=_INTERRUPTED)
    status = run([torc(), "-f", "json", "status", "1"], place)
    found = json.loads((place / PRINTED).read_text())
    done = found["jobs_by_status"]["completed"]
    if found["total_jobs"] != total or not first < done <= first + 1 + SLOTS:
        raise BenchmarkError(f"{done} of {found['total_jobs']} jobs are completed, not {first + 1} of {total}")
    usages = {"torc create": [create], f"torc run, {first} jobs": [begun], "torc status": [status]}
    return Result(
        [
            _peak([max(usage.peak_mb for (usage,) in usages.values())], 1500, 1000),
            Figure("create, wall", "s", [create.wall_s]),
            Figure("run, wall", "s", [begun.wall_s]),
            Figure("status, wall", "s", [status.wall_s]),
        ],
        usages,
    )


def start_up(bench: Bench) -> Result:
    """What everybody pays for every command."""
    usages = bench.measure(
        {
            "torc --help": lambda folder: run([torc(), "--help"], folder),
            "python -c pass": lambda folder: run([sys.executable, "-c", "pass"], folder),
        },
        20,
    )
    ours, bare = usages.values()
    extra = [1000 * (a.cpu_s - b.cpu_s) for a, b in zip(ours, bare, strict=True)]
    return Result([Figure("CPU over bare Python", "ms", extra, 60, 40)], usages)


def flatness(bench: Bench) -> Result:
    """What a job costs the runner in a big workflow and in small ones.

    Jobs among the others write down its CPU time, which leaves out start, loading and end. Windows between two such
    hold the same jobs in both cases; the first is a warm-up.
    """
    windows, total = 20, bench.size(100_000)
    window = bench.size(_WINDOW)
    parts = [part for k in range(windows) for part in ((f"mark{k}", _MARK, 1), (f"w{k}_{{i}}", "true", window))]
    rest = max(2, total - windows * (window + 1) - 2)
    big_parts = [*parts, ("end", _MARK, 1), (*_STOP, 1), ("rest_{i}", "true", rest)]
    small_parts = [("begin", _MARK, 1), ("w_{i}", "true", window), ("end", _MARK, 1)]
    micros: dict[str, list[float]] = {"big": [], "small": []}

    def big(folder: Path) -> Usage:
        _write(folder / "spec.yaml", big_parts)
        _create(folder, rest + windows * (window + 1) + 2)
        usage = _probe(folder, ["run", "1", *_SLOTS], expected=_INTERRUPTED)
        marks = _marks(folder)
        micros["big"].append(_cost([b - a for a, b in pairwise(marks)], window + 1))
        return usage

    def small(folder: Path) -> Usage:
        _write(folder / "spec.yaml", small_parts)
        _probe(folder, " --then ".join(["create spec.yaml"] * windows).split())
        words = " --then ".join(f"run {k} {' '.join(_SLOTS)}" for k in range(1, windows + 1)).split()
        usage = _probe(folder, words)
        marks = _marks(folder)
        micros["small"].append(_cost([b - a for a, b in zip(marks[::2], marks[1::2], strict=True)], window + 1))
        return usage

    names = (f"runner, {total} jobs", f"runner, {windows} times {window + 2} jobs")
    usages = bench.measure(dict(zip(names, (big, small), strict=True)), 5)
    counted = len(usages[names[0]])
    large, little = micros["big"][-counted:], micros["small"][-counted:]
    return Result(
        [
            Figure("CPU a job, big / small", "x", [a / b for a, b in zip(large, little, strict=True)], 1.3, 1.1),
            Figure("CPU a job, big", "us", large),
            Figure("CPU a job, small", "us", little),
        ],
        usages,
    )


ROWS = [
    Row("5", "the runner's own work for a job", runner_cpu),
    Row("6", "create 10,000 jobs written out in YAML", create_explicit),
    Row("7", "create 100,000 jobs of a sweep", create_sweep),
    Row("8", "list 100,000 jobs as JSON", list_jobs),
    Row("9", "1,000,000 jobs: create, run 10,000, status", million),
    Row("10", "torc --help", start_up),
    Row("11", "100,000 jobs against 100", flatness),
]


def _write(path: Path, parts: list[tuple[str, str, int]]) -> None:
    """Write a spec: name, command and how many of each; with more than one the name has ``{i}`` in it."""
    lines = ["name: bench", "jobs:"]
    for name, command, count in parts:
        lines.append(f"  - name: '{name}'\n    command: '{command}'")
        if "{i}" in name:
            lines.append(f"    parameters: {{i: '1:{count}'}}")
    path.write_text("\n".join([*lines, ""]))


def _create(folder: Path, count: int) -> Usage:
    usage = run([torc(), "create", "spec.yaml"], folder)
    with closing(sqlite3.connect(folder / "torc_output" / "torc.db")) as db:
        (stored,) = db.execute(
            "SELECT count(*) FROM jobs WHERE workflow_id = (SELECT max(id) FROM workflows)"
        ).fetchone()
    _check("torc create", stored, count)
    return usage


def _probe(folder: Path, arguments: list[str], expected: int = 0) -> Usage:
    """Run torc in a process that reports its own CPU time, which takes the place of that of all processes."""
    usage = run([sys.executable, "-P", str(_PROBE), "own", *arguments], folder, expected=expected)
    return usage._replace(cpu_s=float((folder / "own").read_text()))


def _marks(folder: Path) -> list[int]:
    """Return the CPU times that marking jobs wrote, ns, in the order of their ids."""
    files = sorted(folder.glob("mark*"), key=lambda file: int(file.name.removeprefix("mark")))
    times = [sum(int(line.split()[0]) for line in file.read_text().splitlines()) for file in files]
    if not times or not all(times):
        raise BenchmarkError("the kernel does not tell the CPU time of threads in /proc/PID/task/TID/schedstat")
    return times


def _cost(windows: list[int], jobs: int) -> float:
    return median(windows[1:]) / jobs / 1000


def _seconds(usages: list[Usage], must: float, aim: float) -> Figure:
    return Figure("wall", "s", [usage.wall_s for usage in usages], must, aim)


def _peak(megabytes: list[float], must: float, aim: float) -> Figure:
    return Figure("peak memory", "MB", megabytes, must, aim)


def _check(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise BenchmarkError(f"{what}: {found} jobs, not {expected}")
