"""Rows 1 to 4: a whole ``torc run`` against programs that run the same graph of jobs."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import graphs
from benchmarks.bench import Bench, Row
from benchmarks.graphs import Graph
from benchmarks.peers import contenders
from benchmarks.results import Figure, Result, ratios
from benchmarks.timing import BenchmarkError


def against_ninja(
    make: Callable[[Bench], Graph], repeats: int, must: float | None = None, aim: float | None = None
) -> Callable[[Bench], Result]:
    """Return what measures a graph: wall time against ninja may have limits, the rest is told."""

    def measure(bench: Bench) -> Result:
        running = contenders(make(bench))
        if "ninja" not in running:
            raise BenchmarkError("ninja is not installed, and nothing can be said without it (apt install ninja-build)")
        usages = bench.measure(running, repeats)
        ours = usages["torc"]
        figures = [
            Figure("wall / ninja", "x", ratios(ours, usages["ninja"], "wall_s"), must, aim),
            Figure("CPU / ninja", "x", ratios(ours, usages["ninja"], "cpu_s")),
        ]
        figures += [
            Figure(f"wall / {peer}", "x", ratios(ours, theirs, "wall_s"))
            for peer, theirs in usages.items()
            if peer not in {"torc", "ninja"}
        ]
        return Result(figures, usages)

    return measure


ROWS = [
    Row("1", "1,000 independent jobs", against_ninja(lambda b: graphs.independent(b.size(1000)), 7, 1.3, 0.9)),
    Row("2", "chain of 100 jobs", against_ninja(lambda b: graphs.chain(b.size(100)), 9, 2.5, 1.3)),
    Row(
        "3",
        "20 layers of 50, each after all before",
        against_ninja(lambda b: graphs.layers(b.size(20), b.size(50)), 7, 1.5, 1.2),
    ),
    Row("4", "200 jobs write a file, one reads all", against_ninja(lambda b: graphs.gather(b.size(200)), 9, 2.0, 1.2)),
    Row("4s", "the same in the words of a shell", against_ninja(lambda b: graphs.gather(b.size(200), "shell"), 9)),
]
