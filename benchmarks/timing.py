"""Whole commands, timed by the operating system's own accounting, and several of them in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Attempt = Callable[[Path], "Usage"]
"""Does a contender's work once, in the empty folder it is given."""


class BenchmarkError(Exception):
    """A command did not do what was to be timed."""


class Usage(NamedTuple):
    """What one command took, with all processes that it waited for."""

    wall_s: float
    cpu_s: float
    peak_mb: float  # of the largest single process
    output: str = ""


def run(argv: Sequence[str], cwd: Path, *, expected: int = 0, keep: bool = True) -> Usage:
    """Run a command to its end; with ``keep`` what it prints is returned. Raises BenchmarkError for another exit code.

    The peak is what the kernel reports of an ended process. It never is below that of the process which starts the
    command, so this one has to stay small.
    """
    printed = cwd / ".printed"
    with open(printed, "wb") as out, open(os.devnull, "rb") as nothing:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, stdin=nothing, stdout=out if keep else subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stderr is not None
        trouble = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise BenchmarkError(
            f"{' '.join(argv)} exited {process.returncode}, not {expected}: {trouble.decode(errors='replace')[-2000:]}"
        )
    output = printed.read_text(errors="replace") if keep else ""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return Usage(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, output)


def environment() -> Mapping[str, str]:
    """Return the environment of this process without what would set up torc or make."""
    own = ("TORC_", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "NINJA_STATUS", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def in_turn(contenders: Mapping[str, Attempt], repeats: int, folder: Path) -> dict[str, list[Usage]]:
    """Run all contenders once as a warm-up that does not count, then ``repeats`` times: A B A B, never A A B B.

    Each attempt gets an empty folder; the folders stay until the end, since deleting thousands of files would cost the
    next one time.
    """
    usages: dict[str, list[Usage]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for number, (name, attempt) in enumerate(contenders.items()):
            place = folder / f"{turn}-{number}"
            place.mkdir(parents=True)
            usage = attempt(place)
            if turn or repeats == 1:
                usages[name].append(usage._replace(output=""))
        if repeats == 1:
            break
    return usages
