"""What a command has used, read when it has ended and before its number is given back."""

from __future__ import annotations

import os
from typing import NamedTuple

from torc_plugins import procfs
from torc_plugins.executors.local_ending import Child
from torc_plugins.executors.local_processes import own_peak_kib

_PEAK_MARGIN_KIB = 2048  # the kernel's counts are that rough
_LEAST_SECONDS = 0.25  # of shorter commands bytes are not asked for: that takes long, beside starting them


class Ended(NamedTuple):
    """The exit status of a command with what it used; None is not known."""

    code: int  # negative: minus the signal
    cpu_seconds: float
    peak_memory_bytes: int | None
    read_bytes: int | None
    write_bytes: int | None


def lacked_memory(child: Child) -> bool:
    """Say whether a command that has ended failed, and the kernel ended a part of it for want of memory."""
    if child.cgroup is None or not child.cgroup.oom_kills:
        return False
    ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    return ended is not None and ended.si_status != 0


class Accounts:
    """Takes the exit status of commands."""

    def __init__(self) -> None:
        self._own_peak_kib = own_peak_kib()

    def close(self, child: Child) -> Ended:
        """Take the exit status of a command that has ended; its number may be given to others from then on."""
        moved: tuple[int | None, int | None] = (None, None)
        if child.ended_at is not None and child.ended_at - child.started_at >= _LEAST_SECONDS:
            moved = procfs.io_bytes(child.pid) or moved
        _, status, usage = os.wait4(child.pid, 0)
        seconds, peak = usage.ru_utime + usage.ru_stime, self._peak_bytes(usage.ru_maxrss)
        if child.cgroup is not None:
            seconds = max(seconds, child.cgroup.cpu_seconds or 0.0)
            peak = max(peak or 0, child.cgroup.peak_memory() or 0) or None
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, seconds, peak, *moved)

    def _peak_bytes(self, peak_kib: int) -> int | None:
        """Return the peak of a command, or None when it is below what this process has had.

        Until exec a child shares the memory of this process, and Linux counts that as the child's (measured).
        """
        if peak_kib <= self._own_peak_kib + _PEAK_MARGIN_KIB:
            return None
        self._own_peak_kib = own_peak_kib()
        return peak_kib * 1024 if peak_kib > self._own_peak_kib + _PEAK_MARGIN_KIB else None
