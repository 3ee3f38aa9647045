"""Rows 13 to 17: a server with clients on the same machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks import graphs
from benchmarks.bench import Bench, Row
from benchmarks.peers import SLOTS, torc
from benchmarks.results import Figure, Result, ratios
from benchmarks.timing import PRINTED, Attempt, BenchmarkError, Usage, environment, run

_WORK = Path(__file__).with_name("http_work.py")


class Server:
    """A server with a database in a folder."""

    def __init__(self, folder: Path) -> None:
        command = [torc(), "server", "run", "--port", "0", "--database", "server.db", "--shutdown-on-stdin-eof"]
        with open(folder / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment()
            )
        assert self._process.stdout is not None
        name, _, port = self._process.stdout.readline().decode().strip().partition("=")
        if name != "TORC_SERVER_PORT":
            raise BenchmarkError("the server did not start: " + (folder / "server.log").read_text()[-2000:])
        self.url = f"http://127.0.0.1:{port}/torc-service/v1"

    def ask(self, method: str, path: str, data: Any = None) -> Any:
        """Return the JSON of an answer."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port)
        headers = {"Content-Type": "application/json"}
        connection.request(method, place.path + path, None if data is None else json.dumps(data), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise BenchmarkError(f"{method} {path}: {text.decode()[:500]}")
        return json.loads(text)

    def cpu_s(self) -> float:
        """Return the CPU time of the server so far, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Give a server, and end it."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()


class Taken(NamedTuple):
    """Seconds that clients waited, and that the server computed for them, attempt by attempt."""

    wall: list[float]
    cpu: list[float]

    def each(self, usages: list[Usage], count: int) -> tuple[list[float], list[float]]:
        """Return both in microseconds for each of ``count``, of the attempts that count."""
        last = -len(usages)
        wall, cpu = ([1e6 * s / count for s in seconds[last:]] for seconds in self)
        return wall, cpu


def _work(name: str, count: int, clients: int, taken: Taken, *, has_jobs: bool = True) -> Attempt:
    """Return an attempt at work by clients."""

    def attempt(folder: Path) -> Usage:
        with serving(folder) as server:
            workflow_id = server.ask("POST", "/workflows", {"name": "bench", "user": "bench"})["id"]
            if has_jobs:
                _jobs(server, workflow_id, count)
            words = [sys.executable, "-P", str(_WORK), name, server.url, str(workflow_id), str(count), str(clients)]
            before = server.cpu_s()
            usage = run(words, folder)
            taken.cpu.append(server.cpu_s() - before)
        taken.wall.append(float((folder / PRINTED).read_text()))
        return usage

    return attempt


def _jobs(server: Server, workflow_id: int, count: int) -> None:
    jobs = [{"workflow_id": workflow_id, "name": f"job{i}", "command": f"process --input {i}.in"} for i in range(count)]
    for start in range(0, count, 10_000):
        server.ask("POST", "/bulk_jobs", {"jobs": jobs[start : start + 10_000]})
    server.ask("POST", f"/workflows/{workflow_id}/initialize_jobs")


def ticks(bench: Bench) -> Result:
    """One runner and eight, each with 8 jobs in hand: their results in, the next ones out, in one call."""
    count = bench.size(20_000)
    one, eight = Taken([], []), Taken([], [])
    usages = bench.measure({"1 runner": _work("tick", count, 1, one), "8 runners": _work("tick", count, 8, eight)}, 5)
    wall, cpu = one.each(usages["1 runner"], count)
    wall_of_eight, cpu_of_eight = eight.each(usages["8 runners"], count)
    return Result(
        [
            Figure("a job, 1 runner, wall", "us", wall, 1e6 / 13_000, 1e6 / 20_000),
            Figure("a job, server CPU", "us", cpu),
            Figure("a job, 8 runners, wall", "us", wall_of_eight),
            Figure("a job, server CPU", "us", cpu_of_eight),
        ],
        usages,
    )


def pairs(bench: Bench) -> Result:
    """Eight clients, each with one job in hand: one call to claim it, one to complete it."""
    count, taken = bench.size(4_000), Taken([], [])
    usages = bench.measure({"8 clients": _work("pairs", count, 8, taken)}, 5)
    wall, cpu = taken.each(usages["8 clients"], count)
    return Result([Figure("a pair, wall", "us", wall, 1000, 700), Figure("a pair, server CPU", "us", cpu)], usages)


def listing(bench: Bench) -> Result:
    """All jobs in one answer."""
    count, taken = bench.size(10_000), Taken([], [])
    usages = bench.measure({"1 client": _work("list", count, 1, taken)}, 5)
    wall, _ = taken.each(usages["1 client"], 1000)
    return Result([Figure("wall", "ms", wall, 150, 100)], usages)


def create(bench: Bench) -> Result:
    """Ten requests of 10,000 jobs."""
    taken = Taken([], [])
    usages = bench.measure({"1 client": _work("create", bench.size(100_000), 1, taken, has_jobs=False)}, 3)
    wall, _ = taken.each(usages["1 client"], 1_000_000)
    return Result([Figure("wall", "s", wall, 8, 4)], usages)


def run_through(bench: Bench) -> Result:
    """``torc run`` with a server that runs on the same machine, and without one."""
    graph = graphs.independent(bench.size(1000))

    def embedded(folder: Path) -> Usage:
        graphs.write_spec(graph, folder)
        return _run(folder, ["-s"], len(graph.tasks))

    def through(folder: Path) -> Usage:
        graphs.write_spec(graph, folder)
        with serving(folder) as server:
            return _run(folder, ["--url", server.url], len(graph.tasks))

    usages = bench.measure({"torc run, embedded": embedded, "torc run, a server": through}, 7)
    ours, theirs = usages["torc run, a server"], usages["torc run, embedded"]
    return Result([Figure("wall / embedded", "x", ratios(ours, theirs, "wall_s"), 1.3, 1.1)], usages)


ROWS = [
    Row("13", "a runner's calls to a server", ticks),
    Row("14", "one call to claim, one to complete", pairs),
    Row("15", "list 10,000 jobs through a server", listing),
    Row("16", "create 100,000 jobs through a server", create),
    Row("17", "run 1,000 jobs through a server", run_through),
]


def _run(folder: Path, words: list[str], count: int) -> Usage:
    usage = run([torc(), *words, "-f", "json", "run", "spec.yaml", "--max-parallel-jobs", str(SLOTS)], folder)
    done = json.loads((folder / PRINTED).read_text())["completed"]
    if done != count:
        raise BenchmarkError(f"{done} jobs are completed, not {count}")
    return usage
