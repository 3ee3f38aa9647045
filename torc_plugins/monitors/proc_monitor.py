"""Measures through /proc: one pass over all processes for all commands; control groups where commands have them."""

from __future__ import annotations

import os
from typing import NamedTuple

from torc_core.contracts.executor import Processes
from torc_core.contracts.monitor import MachineUsage, Monitor, Usage
from torc_core.problems import Problem
from torc_plugins import cgroups, procfs
from torc_plugins.procfs import TICKS, Families, Process, Root

_IDLE, _WAITING = 3, 4
"""Places in the line of /proc/stat that says how the time of all CPUs was spent: idle, and idle with I/O under way."""


class _CpuTimes(NamedTuple):
    """Of the whole machine since boot, in ticks."""

    total: int
    idle: int


class ProcMonitor(Monitor):
    """The monitor for Linux.

    Memory is the sum of what each process has resident, as people see it in ``top``: pages that processes share count
    for each. ``exact_memory`` counts them once.
    """

    name = "proc"

    def __init__(self) -> None:
        self._families = Families()
        self._started: dict[int, int] = {}
        self._members: dict[int, list[Process]] = {}
        self._cpu_times: _CpuTimes | None = None

    def check(self) -> list[Problem]:
        """Return a problem where there is no /proc as Linux has it."""
        if procfs.read_process(os.getpid()) is None:
            return [Problem("no-proc", "there is no /proc that shows processes")]
        return []

    def measure(self, commands: dict[int, Processes]) -> dict[int, Usage]:
        """Read every process once, and more of those that belong to commands."""
        processes = procfs.read_processes()
        roots = {number: self._root(number, command, processes) for number, command in commands.items()}
        self._started = {number: root.started for number, root in roots.items()}
        self._members = self._families.sort(processes, roots)
        found = {}
        for number, command in commands.items():
            members = self._members.get(number)
            if members:
                found[number] = _usage(members, command.cgroup)
        return found

    def _root(self, number: int, command: Processes, processes: dict[int, Process]) -> Root:
        started = self._started.get(number)
        if started is None:
            first = None if command.pid is None else processes.get(command.pid)
            started = 0 if first is None else first.started
        return Root(command.pid, command.marks, started)

    def exact_memory(self, number: int) -> int | None:
        """Add up the proportional sizes, in which shared pages are divided among those who share them."""
        sizes = [_proportional_bytes(process.pid) for process in procfs.alive(self._members.get(number, ()))]
        known = [size for size in sizes if size is not None]
        return sum(known) if known else None

    def machine(self) -> MachineUsage | None:
        """Read /proc/stat and /proc/meminfo."""
        memory, now, before = _machine_memory(), _cpu_times(), self._cpu_times
        self._cpu_times = now
        if memory is None or now is None or before is None:
            return None
        total, idle = now.total - before.total, now.idle - before.idle
        percent = 100 * (total - idle) / total if total > 0 else 0.0
        return MachineUsage(min(max(percent, 0.0), 100.0), memory[0] - memory[1], memory[0])


def _usage(members: list[Process], cgroup: str | None) -> Usage:
    """Add up what the processes of a command use."""
    ticks = memory = peak = count = read = written = 0
    is_io_known = False
    for process in members:
        ticks += process.cpu
        if process.is_alive:
            count += 1
            resident, highest = _resident_bytes(process.pid)
            memory += resident
            peak = max(peak, highest)
        moved = procfs.io_bytes(process.pid)
        if moved is not None:
            is_io_known = True
            read += moved[0]
            written += moved[1]
    seconds = ticks / TICKS
    if cgroup is not None:
        seconds = max(seconds, cgroups.cpu_seconds(cgroup) or 0.0)
    return Usage(
        seconds, memory, count, read if is_io_known else None, written if is_io_known else None, peak or None
    )  # fmt: skip


def _resident_bytes(pid: int) -> tuple[int, int]:
    """Return what a process has in memory, and the most it has had."""
    text = procfs.read(f"/proc/{pid}/status", 4096)
    return _kib(text, b"\nVmRSS:") * 1024, _kib(text, b"\nVmHWM:") * 1024


def _kib(text: bytes, name: bytes) -> int:
    """Return the number beside a name; processes without memory of their own have none."""
    _, found, rest = text.partition(name)
    return int(rest.split(None, 1)[0]) if found else 0


def _proportional_bytes(pid: int) -> int | None:
    for line in procfs.read(f"/proc/{pid}/smaps_rollup", 4096).splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return None


def _machine_memory() -> tuple[int, int] | None:
    """Return all memory and what new programs could have of it."""
    found = {}
    for line in procfs.read("/proc/meminfo", 4096).splitlines():
        name, _, rest = line.partition(b":")
        if name in (b"MemTotal", b"MemAvailable"):
            found[name] = int(rest.split()[0]) * 1024
    return (found[b"MemTotal"], found[b"MemAvailable"]) if len(found) == 2 else None


def _cpu_times() -> _CpuTimes | None:
    """Return the times of all CPUs together; guests' time is in that of their hosts already."""
    fields = procfs.read("/proc/stat", 256).split(b"\n", 1)[0].split()
    if len(fields) < 8 or fields[0] != b"cpu":
        return None
    times = [int(field) for field in fields[1:9]]
    return _CpuTimes(sum(times), times[_IDLE] + times[_WAITING])
