"""Which machine this is, and whether a process on it still lives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Machine(NamedTuple):
    """Where process ids mean the same: one boot of one kernel, one name, one space of process ids."""

    host: str
    boot_id: str
    pid_space: str

    def shares_kernel_with(self, other: Machine) -> bool:
        """Whether locks and sockets of the one can be seen by the other, as between containers of one host."""
        return self.boot_id == other.boot_id and (bool(self.boot_id) or self.host == other.host)


def this_machine() -> Machine:
    """Return where this process runs; without ``/proc`` only the name is known."""
    try:
        boot_id = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        pid_space = str((_PROC / "self/ns/pid").readlink())
    except OSError:
        boot_id = pid_space = ""
    return Machine(os.uname().nodename, boot_id, pid_space)


def start_of(pid: int) -> str:
    """Return the start time of a live process, which tells it from a later one with the same id; "" when it is gone.

    A process that has ended but was not waited for is gone too, unless some of its threads still run.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "" if (_PROC / "self").exists() else _start_without_proc(pid)
    fields = text.rpartition(")")[2].split()  # the name before may hold anything; proc(5) counts the state as field 3
    state, threads, start = fields[0], fields[17], fields[19]
    return "" if state in "ZX" and int(threads) <= 1 else start


def _start_without_proc(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return ""


def process_name(pid: int) -> str:
    """Return what names a live process of this machine among all that ever had its id: boot, id space, id, start."""
    here = this_machine()
    return f"{here.boot_id} {here.pid_space} {pid} {start_of(pid)}"


def is_dead(name: str) -> bool:
    """Whether ``name`` is of a process of this machine (as ``process_name`` says it) that has ended since."""
    boot_id, _, rest = name.partition(" ")
    pid_space, _, rest = rest.partition(" ")
    pid, _, start = rest.partition(" ")
    here = this_machine()
    if not boot_id or (boot_id, pid_space) != (here.boot_id, here.pid_space) or not pid.isdecimal():
        return False
    return start_of(int(pid)) != start


def is_stopped(pid: int) -> bool:
    """Whether a process is halted by a signal (Ctrl-Z)."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


class ForkGuard:
    """File descriptors that a forked child must not keep: an open lock or socket would make its dead parent look alive.

    Children that are started as programs do not inherit them anyway.
    """

    def __init__(self) -> None:
        self._closers: dict[int, Callable[[], None]] = {}
        os.register_at_fork(after_in_child=self._forked)

    def add(self, key: object, close: Callable[[], None]) -> None:
        """Have ``close`` called in every forked child, until ``remove``."""
        self._closers[id(key)] = close

    def remove(self, key: object) -> None:
        """Forget ``key``; unknown ones are fine."""
        self._closers.pop(id(key), None)

    def _forked(self) -> None:
        for close in list(self._closers.values()):
            close()
        self._closers.clear()


FORK_GUARD = ForkGuard()
