"""Which machine this is and whether it has time for us."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

_BUSY = 0.25
"""Load for each processor, before anything is started, above which wall times cannot be trusted."""


def facts(scratch: Path) -> dict[str, Any]:
    """Return what a reader has to know to judge the figures."""
    processors = os.cpu_count() or 1
    load = os.getloadavg()
    return {
        "cpus": processors,
        "cpu_model": _model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "scratch": file_system(scratch),
        "peers": {name: _version(name) for name in ("ninja", "make", "xargs") if shutil.which(name)},
        "load_before": [round(value, 2) for value in load],
        "is_busy": load[0] > _BUSY * processors,
    }


def file_system(path: Path) -> str:
    """Return the kind of file system at ``path``, "unknown" where that cannot be told."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    inside = [(mount, kind) for mount, kind in mounts if path.resolve().is_relative_to(mount)]
    return max(inside, key=lambda pair: len(pair[0]), default=("", "unknown"))[1]


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _version(name: str) -> str:
    answer = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split("\n")[0].split()[-1]
