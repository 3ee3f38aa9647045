"""Measures with psutil: for systems without the /proc of Linux."""

from __future__ import annotations

import os
from typing import Any

from torc_core.contracts.executor import Processes
from torc_core.contracts.monitor import MachineUsage, Monitor, Usage
from torc_core.problems import Problem

_FIELDS = ["pid", "ppid", "status", "create_time", "cpu_times", "memory_info"]


class PsutilMonitor(Monitor):
    """Finds processes by parents and sessions, and by marks in their environments where the system shows these."""

    name = "psutil"

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, int]] = {}  # by pid: when it began, whose it is
        self._strangers: dict[int, float] = {}
        self._members: dict[int, list[Any]] = {}
        self._is_asked = False

    def check(self) -> list[Problem]:
        """Return a problem where psutil cannot be used."""
        try:
            import psutil

            psutil.Process().memory_info()
        except Exception as exc:  # noqa: BLE001 - whatever a library does on a system it does not know
            return [Problem("no-psutil", f"psutil does not work here: {exc}")]
        return []

    def measure(self, commands: dict[int, Processes]) -> dict[int, Usage]:
        """Look at every process once."""
        import psutil

        processes = {process.info["pid"]: process for process in psutil.process_iter(_FIELDS)}
        self._members = self._sort(processes, commands)
        return {number: _usage(members) for number, members in self._members.items()}

    def _sort(self, processes: dict[int, Any], commands: dict[int, Processes]) -> dict[int, list[Any]]:
        """Return the processes of each command."""
        first = {command.pid: number for number, command in commands.items() if command.pid is not None}
        marks = {number: frozenset(command.marks) for number, command in commands.items() if command.marks}
        owner: dict[int, int | None] = {}
        ages = {pid: process.info["create_time"] or 0.0 for pid, process in processes.items()}
        earliest = min((ages[pid] for pid in first if pid in ages), default=0.0) - 1.0

        def find(pid: int) -> int | None:
            if pid in owner:
                return owner[pid]
            owner[pid] = None  # ends the way where parents go round in a circle
            process = processes.get(pid)
            if process is None:
                return None
            began, whose = self._known.get(pid, (-1.0, -1))
            number = first.get(_session(pid), first.get(pid))
            if number is None and began == ages[pid] and whose in commands:
                number = whose
            if number is None:
                number = find(process.info["ppid"] or 0)
            if number is None and ages[pid] >= earliest and self._strangers.get(pid) != ages[pid]:
                number = _marked(process, marks)
                self._strangers[pid] = ages[pid]
            owner[pid] = number
            return number

        found: dict[int, list[Any]] = {}
        for pid, process in processes.items():
            number = find(pid)
            if number is not None:
                found.setdefault(number, []).append(process)
        self._known = {pid: (ages[pid], number) for pid, number in owner.items() if number is not None}
        self._strangers = {pid: age for pid, age in self._strangers.items() if ages.get(pid) == age}
        return found

    def exact_memory(self, number: int) -> int | None:
        """Add up the proportional sizes where the system knows them."""
        sizes = [_proportional_bytes(process) for process in self._members.get(number, ())]
        known = [size for size in sizes if size is not None]
        return sum(known) if known else None

    def machine(self) -> MachineUsage | None:
        """Ask psutil."""
        import psutil

        memory, percent = psutil.virtual_memory(), psutil.cpu_percent(None)
        if not self._is_asked:  # the first answer means nothing, says psutil
            self._is_asked = True
            return None
        return MachineUsage(percent, memory.total - memory.available, memory.total)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _marked(process: Any, marks: dict[int, frozenset[str]]) -> int | None:
    """Return the command whose marks are in a process's environment."""
    import psutil

    if not marks:
        return None
    try:
        settings = frozenset(f"{name}={value}" for name, value in process.environ().items())
    except (psutil.Error, OSError):
        return None
    return next((number for number, mark in marks.items() if mark <= settings), None)


def _usage(members: list[Any]) -> Usage:
    seconds, memory, count = 0.0, 0, 0
    moved: list[tuple[int, int]] = []
    for process in members:
        times, size = process.info["cpu_times"], process.info["memory_info"]
        if times is not None:
            waited = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            seconds += times.user + times.system + waited
        if process.info["status"] != "zombie":
            count += 1
            memory += 0 if size is None else size.rss
        io = _io_bytes(process)
        if io is not None:
            moved.append(io)
    read, written = (sum(part) for part in zip(*moved, strict=True)) if moved else (None, None)
    return Usage(seconds, memory, count, read, written)


def _io_bytes(process: Any) -> tuple[int, int] | None:
    """Return the bytes read and written, by system calls where the system tells."""
    import psutil

    try:
        found = process.io_counters()
    except (AttributeError, psutil.Error, OSError):
        return None
    return (
        getattr(found, "read_chars", found.read_bytes),
        getattr(found, "write_chars", found.write_bytes),
    )  # fmt: skip


def _proportional_bytes(process: Any) -> int | None:
    import psutil

    try:
        size: int | None = getattr(process.memory_full_info(), "pss", None)
    except (AttributeError, psutil.Error, OSError):
        return None
    return size
