"""What /proc says of processes: who leads a group, when it began, what else is in the group."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_NEAR_TICKS = 2 * _TICKS  # how far the noted start of a process may be from what the kernel noted


def ticks_since_boot() -> int:
    """Return the time since boot in the unit in which /proc tells when a process began."""
    return int(time.clock_gettime(_CLOCK) * _TICKS)


def boot_id() -> str:
    """Return what tells this boot of this machine from all others, or nothing where the system does not say."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    except OSError:
        return ""


class Stat(NamedTuple):
    """What is needed of /proc/PID/stat."""

    state: str
    group: int
    session: int
    started: int  # ticks since boot


def stat(pid: int | str) -> Stat | None:
    """Return what is known of a process, or None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(fields[0], int(fields[2]), int(fields[3]), int(fields[19]))


def group_members(group: int) -> list[Stat]:
    """Return the processes of a group that still run (zombies do not); none where there is no /proc."""
    with contextlib.suppress(OSError):
        found = [stat(name) for name in os.listdir(PROC) if name.isdecimal()]  # noqa: PTH208  (names, not paths)
        return [facts for facts in found if facts is not None and facts.group == group and facts.state not in "ZX"]
    return []


def marked_handles(setting: str) -> list[str]:
    """Return ``pid:start`` of what has ``NAME=value`` in its environment; only what we may look into.

    That is a process group where its number is safe to use: it is led by a process, or is that of a session. Of other
    groups whose leader is gone each process stands for itself.
    """
    wanted = setting.encode()
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(PROC):  # noqa: PTH208  (names, not paths)
            if not name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                if wanted in (PROC / name / "environ").read_bytes().split(b"\0"):
                    facts = stat(name)
                    if facts is not None and facts.state not in "ZX":
                        leader = stat(facts.group)
                        is_safe = facts.group == facts.session or leader is not None
                        pid = facts.group if is_safe else int(name)
                        started = facts.started if leader is None or not is_safe else leader.started
                        found[pid] = min(found.get(pid, started), started)
    return [f"{pid}:{started}" for pid, started in found.items()]


def own_peak_kib() -> int:
    """Return the largest resident size this process has had, KiB; 0 when unknown."""
    with contextlib.suppress(OSError):
        for line in (PROC / "self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; one that is gone, or not ours any more, is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def worker_host(handle_id: str) -> str:
    """Return the machine of a worker, whose handle is ``pid:start:boot@machine``; "" for other commands."""
    return handle_id.partition("@")[2]


class Former:
    """A command started by an executor object that is gone, known from its handle ``pid:start:boot``."""

    __slots__ = ("pid", "started")

    def __init__(self, pid: int, started: int) -> None:
        self.pid = pid
        self.started = started

    @classmethod
    def of(cls, handle_id: str, boot: str) -> Former | None:
        """Read a handle; None when it is of another boot or machine, or cannot be told from a stranger's process."""
        pid, _, rest = handle_id.partition(":")
        started, _, its_boot = rest.partition("@")[0].partition(":")
        if not boot or its_boot != boot or not (pid.isdecimal() and started.isdecimal()):
            return None
        return cls(int(pid), int(started))

    def is_alive(self) -> bool:
        """Say whether anything of it still runs.

        A number is not given to a new process while its group has members. So when the leader noted is gone, members
        that led their session under that number and began no earlier than the command are its children.
        """
        leader = stat(self.pid)
        if leader is not None and abs(leader.started - self.started) > _NEAR_TICKS:
            return False  # the number belongs to another process now
        if leader is not None and leader.state not in "ZX":
            return True
        earliest = self.started - _NEAR_TICKS
        is_led = leader is not None and leader.group == self.pid
        return any((is_led or m.session == self.pid) and m.started >= earliest for m in group_members(self.pid))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to everything that still runs of it."""
        if not self.is_alive():
            return
        leader = stat(self.pid)
        if leader is not None and leader.group != self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)
        else:
            signal_group(self.pid, number)
