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
PRINTED = ".printed"
_TROUBLE = ".trouble"
_SAID_BYTES = 2000


class BenchmarkError(Exception):
    """A command did not do what was to be timed."""


class Usage(NamedTuple):
    """What one command took, with all processes that it waited for."""

    wall_s: float
    cpu_s: float  # user and system
    peak_mb: float  # of the largest single process


def run(argv: Sequence[str], cwd: Path, *, expected: int = 0, keep: bool = True) -> Usage:
    """Run a command to its end; with ``keep`` what it prints goes to the file ``PRINTED`` in its folder.

    Raises BenchmarkError for another exit code. The peak is what the kernel reports of an ended process; it never is
    below that of the process which started the command, so this one has to stay small.
    """
    with (
        open(cwd / PRINTED if keep else os.devnull, "wb") as printed,
        open(cwd / _TROUBLE, "w+b") as trouble,
        open(os.devnull, "rb") as nothing,
    ):
        began = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, stdin=nothing, stdout=printed, stderr=trouble, env=environment())
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expected:
            trouble.seek(0)
            said = trouble.read(_SAID_BYTES).decode(errors="replace")
            raise BenchmarkError(f"{' '.join(argv)} exited {process.returncode}, not {expected}: {said}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return Usage(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def environment() -> Mapping[str, str]:
    """Return the environment of this process without what would set up torc, Python, ninja or make.

    There is no folder for settings or for records of servers, so that none that is running is asked.
    Python compiles a module at each start when it may not keep what it compiled, which no installation does.
    """
    own = ("TORC_", "PYTHON", "NINJA_STATUS", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "XDG_CONFIG_HOME": os.devnull, "XDG_STATE_HOME": os.devnull}


def in_turn(contenders: Mapping[str, Attempt], repeats: int, folder: Path) -> dict[str, list[Usage]]:
    """Run all contenders in turn, A B A B; the first turn is a warm-up that does not count, unless one is all.

    Each attempt gets an empty folder; the folders stay until the end, since deleting thousands of files would cost the
    next one time.
    """
    usages: dict[str, list[Usage]] = {name: [] for name in contenders}
    for turn in range(repeats + (repeats > 1)):
        for number, (name, attempt) in enumerate(contenders.items()):
            place = folder / f"{turn}-{number}"
            place.mkdir(parents=True)
            usage = attempt(place)
            if turn or repeats == 1:
                usages[name].append(usage)
    return usages
