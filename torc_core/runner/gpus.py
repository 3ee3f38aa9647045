"""Which GPUs there are, and who has which."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

ASSIGNED = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "TORC_GPU_VISIBLE_DEVICES")
"""Variables that tell a job its GPUs."""

_OFFERED = ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
_DRIVER = Path("/proc/driver/nvidia/gpus")
_TOOL = "nvidia-smi"
_NONE = frozenset({"", "-1", "NoDevFiles", "void", "none"})


def offered_gpus(environ: Mapping[str, str]) -> list[str] | None:
    """Return the ids that the environment names (maybe none), or None when it says nothing."""
    for name in _OFFERED:
        if name in environ:
            ids = (part.strip().removeprefix("gpu:") for part in environ[name].split(","))
            return [gpu for gpu in ids if gpu not in _NONE]
    return None


def count_gpus() -> int:
    """Return how many NVIDIA GPUs the driver, or else nvidia-smi, knows."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in _DRIVER.iterdir())
    if not any(os.access(os.path.join(folder, _TOOL), os.X_OK) for folder in os.get_exec_path()):  # noqa: PTH118
        return 0
    import subprocess

    try:
        listed = subprocess.run([_TOOL, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def gpu_ids(environ: Mapping[str, str], wanted: int | None) -> list[str]:
    """Return the ids to hand out: those the environment names, else 0, 1, ...; ``wanted`` sets how many."""
    offered = offered_gpus(environ)
    if wanted is None:
        return offered if offered is not None else [str(i) for i in range(count_gpus())]
    if offered is not None and len(offered) >= wanted:
        return offered[:wanted]
    return [str(i) for i in range(wanted)]


class GpuPool:
    """Hands out ids. When too few are free (slots ignore requirements), ids are shared in turn."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = tuple(ids)
        self._free = list(ids)
        self._turn = 0
        self.has_shared = False

    @property
    def free(self) -> int:
        """How many ids nobody has."""
        return len(self._free)

    def take(self, count: int) -> tuple[str, ...]:
        """Return ``count`` ids, fewer only when there are fewer at all."""
        if count <= 0:
            return ()
        taken, self._free = self._free[:count], self._free[count:]
        missing = min(count, len(self.ids)) - len(taken)
        while missing > 0:
            candidate = self.ids[self._turn % len(self.ids)]
            self._turn += 1
            if candidate not in taken:
                taken.append(candidate)
                missing -= 1
                self.has_shared = True
        return tuple(taken)

    def give(self, ids: tuple[str, ...]) -> None:
        """Take ids back."""
        self._free += [gpu for gpu in ids if gpu not in self._free]
