"""What this machine offers to this process: CPUs and memory, as far as affinity and control groups allow."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
_UNLIMITED = 2**60  # control groups of the first kind say a huge number instead of "max"


class Machine(NamedTuple):
    """Usable CPUs (at least one) and bytes of memory."""

    num_cpus: int
    memory_bytes: int


def machine(root: Path = _ROOT) -> Machine:
    """Return what is usable here; ``root`` is where /proc and /sys are."""
    groups = control_groups(root)
    quota = min((q for q in map(_cpu_quota, groups) if q is not None), default=None)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [limit for limit in map(_memory_limit, groups) if limit is not None]
    memory = min([_total_memory(root), *limits])
    return Machine(max(1, min(cpus, int(quota)) if quota is not None else cpus), memory)


def control_groups(root: Path = _ROOT) -> list[Path]:
    """Return the directories of this process's control groups and of all above them, of both kinds."""
    text = _read(root / "proc/self/cgroup") or ""
    found: dict[Path, None] = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        mounts = ["", "unified"] if not controllers else [c for c in controllers.split(",") if c in {"memory", "cpu"}]
        for mount in mounts:
            top = root / "sys/fs/cgroup" / mount
            here = top / path.lstrip("/")
            found.update(dict.fromkeys([*(p for p in (here, *here.parents) if p.is_relative_to(top)), top]))
    return list(found)


def _read(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return path.read_text()
    return None


def _number(path: Path) -> int | None:
    text = (_read(path) or "").strip()
    return int(text) if text.lstrip("-").isdecimal() else None


def _cpu_quota(group: Path) -> float | None:
    words = (_read(group / "cpu.max") or "").split()
    if len(words) == 2 and words[0] != "max":
        return int(words[0]) / int(words[1])
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _memory_limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = _number(group / name)
        if limit is not None and limit < _UNLIMITED:
            return limit
    return None


def _total_memory(root: Path) -> int:
    for line in (_read(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    import psutil  # only where there is no /proc

    return int(psutil.virtual_memory().total)
