"""Row 12: what it takes to watch jobs while they run."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.bench import Bench, Row
from benchmarks.peers import torc
from benchmarks.results import Figure, Result
from benchmarks.timing import BenchmarkError, Usage, run

_SECONDS = 45
"""How long the jobs run: four samples at the default interval of 10 s, and all looks before."""
_SAID = re.compile(r"monitor \w+ used ([\d.]+) s of CPU")


def watching(bench: Bench) -> Result:
    """CPU of the thread that samples, as a share of one core, with jobs of two processes each and limits of memory.

    It counts everything that the thread does: looks soon after the start, samples, looks at limits, and the file of
    time series.
    """
    count, seconds = bench.size(200), max(2, round(_SECONDS * bench.scale))
    shares: list[float] = []

    def attempt(folder: Path) -> Usage:
        spec = {
            "name": "watched",
            "resource_monitor": {
                "jobs": {"enabled": True, "granularity": "time_series"},
                "compute_node": {"enabled": True, "granularity": "time_series"},
            },
            "resource_requirements": [{"name": "asked", "num_cpus": 1, "memory": "100m", "runtime": "PT1H"}],
            "jobs": [
                {
                    "name": "job_{i}", "command": f"sleep {seconds} & wait", "resource_requirements": "asked",
                    "parameters": {"i": f"1:{count}"},
                }
            ],
        }  # fmt: skip
        (folder / "spec.json").write_text(json.dumps(spec))
        usage = run([torc(), "run", "spec.json", "--max-parallel-jobs", str(count)], folder)
        [log] = (folder / "torc_output").glob("job_runner_*.log")
        said = _SAID.search(log.read_text())
        if said is None:
            raise BenchmarkError("the runner does not say what measuring took")
        shares.append(100 * float(said[1]) / usage.wall_s)
        return usage

    usages = bench.measure({f"torc run, {count} jobs that sleep": attempt}, 2)
    counted = len(usages[f"torc run, {count} jobs that sleep"])
    return Result([Figure("CPU of the monitor", "% of a core", shares[-counted:], 1.0, 0.5)], usages)


ROWS = [Row("12", "watch 200 jobs of two processes each", watching)]
