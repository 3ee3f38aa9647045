"""Processes as Linux shows them in /proc, and to which command each belongs, wherever it has moved."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Mapping
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
_STAT_BYTES = 1024
_EARLIER_TICKS = 5 * TICKS  # how much older than its command's noted start a process may seem


class Process(NamedTuple):
    """One line of /proc/PID/stat, as much of it as is needed; times in ticks."""

    pid: int
    state: bytes
    parent: int
    group: int
    session: int
    cpu: int  # its own, and that of children it has waited for
    started: int  # since boot

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.state not in (b"Z", b"X")


def read_process(pid: int) -> Process | None:
    """Return what is known of a process, None when there is none."""
    text = read(f"/proc/{pid}/stat", _STAT_BYTES)
    if not text:
        return None
    f = text[text.rindex(b")") + 2 :].split(None, 20)
    cpu = int(f[11]) + int(f[12]) + int(f[13]) + int(f[14])
    return Process(pid, f[0], int(f[1]), int(f[2]), int(f[3]), cpu, int(f[19]))


def read_processes() -> dict[int, Process]:
    """Return all processes that can be seen, none where there is no /proc."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  (names, not paths)
            if name.isdecimal():
                process = read_process(int(name))
                if process is not None:
                    found[process.pid] = process
    return found


def read(path: str, size: int) -> bytes:
    """Return the first bytes of a small file, nothing when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, size)
    except OSError:
        return b""
    finally:
        os.close(fd)


def environment_of(pid: int) -> frozenset[bytes]:
    """Return the settings that a process began with; none of one that we may not look into."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return frozenset(file.read().split(b"\0"))
    except OSError:
        return frozenset()


def io_bytes(pid: int) -> tuple[int, int] | None:
    """Return the bytes that a process and the children it waited for have read and written by system calls."""
    fields = read(f"/proc/{pid}/io", 512).split()
    return (int(fields[1]), int(fields[3])) if len(fields) > 3 and fields[0] == b"rchar:" else None


class Root(NamedTuple):
    """How the processes of a command are told: the first one, which leads their session, and marks in environments."""

    pid: int | None
    marks: tuple[str, ...] = ()
    started: int = 0  # ticks since boot: its processes are not older


class Families:
    """Tells which processes belong to which command, and remembers it when they leave their parents."""

    def __init__(self) -> None:
        self._members: dict[int, tuple[int, int]] = {}  # by pid: when it started, whose it is
        self._strangers: dict[int, int] = {}  # by pid: when it started

    def sort(self, processes: Mapping[int, Process], roots: Mapping[int, Root]) -> dict[int, list[Process]]:
        """Return the processes of each command, zombies too; those of commands without any are left out.

        A process belongs to the command whose session it is in, to that of its parent, to the one it was found in
        before, or to the one whose marks are in its environment.
        """
        by_session = {root.pid: number for number, root in roots.items() if root.pid is not None}
        owner: dict[int, int | None] = {}
        for pid in processes:
            self._find(pid, processes, by_session, owner, roots)
        self._look_into(processes, roots, owner)
        found: dict[int, list[Process]] = {}
        members: dict[int, tuple[int, int]] = {}
        for pid, number in owner.items():
            if number is not None:
                process = processes[pid]
                members[pid] = (process.started, number)
                found.setdefault(number, []).append(process)
        self._members = members
        return found

    def _find(
        self,
        pid: int,
        processes: Mapping[int, Process],
        by_session: Mapping[int, int],
        owner: dict[int, int | None],
        roots: Mapping[int, Root],
    ) -> None:
        """Note whose a process is, and all its parents on the way to the first whose owner is known."""
        way = []
        number: int | None = None
        while pid not in owner:
            process = processes.get(pid)
            if process is None:
                break
            way.append(pid)
            number = by_session.get(process.session)
            if number is None:
                started, whose = self._members.get(pid, (-1, -1))
                number = whose if started == process.started and whose in roots else None
            if number is not None:
                break
            pid = process.parent
        else:
            number = owner[pid]
        for one in way:
            owner[one] = number

    def _look_into(
        self, processes: Mapping[int, Process], roots: Mapping[int, Root], owner: dict[int, int | None]
    ) -> None:
        """Find processes by marks: those that nobody claims, are young enough and were not looked into before."""
        marked = {frozenset(map(os.fsencode, root.marks)): number for number, root in roots.items() if root.marks}
        if not marked:
            return
        earliest = min(root.started for root in roots.values()) - _EARLIER_TICKS
        strangers: dict[int, int] = {}
        grown = False
        for pid, number in owner.items():
            process = processes[pid]
            if number is not None or process.started < earliest:
                continue
            if self._strangers.get(pid) != process.started:
                whose = _marked(environment_of(pid), marked)
                if whose is not None:
                    owner[pid], grown = whose, True
                    continue
            strangers[pid] = process.started
        self._strangers = strangers
        if grown:
            _adopt_children(processes, owner)


def _marked(settings: frozenset[bytes], marked: Mapping[frozenset[bytes], int]) -> int | None:
    """Return the command whose marks are all among the settings of a process."""
    return next((number for marks, number in marked.items() if marks <= settings), None)


def _adopt_children(processes: Mapping[int, Process], owner: dict[int, int | None]) -> None:
    """Give children of processes that were found by their marks to the same command."""
    changed = True
    while changed:
        changed = False
        for pid, number in owner.items():
            if number is None:
                whose = owner.get(processes[pid].parent)
                if whose is not None:
                    owner[pid], changed = whose, True


def send(process: Process, number: int) -> None:
    """Send a signal to a process, never to a later one that has its number; one that is gone is fine."""
    with contextlib.suppress(OSError):
        fd = os.pidfd_open(process.pid)
        try:
            now = read_process(process.pid)
            if now is not None and now.started == process.started:
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def alive(processes: Collection[Process]) -> list[Process]:
    """Return those that still run."""
    return [process for process in processes if process.is_alive]
