"""Commands of the local executor as they run and end, with everything they have started."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Collection

from torc_core.contracts.executor import Handle, LaunchRequest
from torc_plugins import procfs
from torc_plugins.cgroups import Cgroup
from torc_plugins.executors.local_processes import signal_group
from torc_plugins.procfs import Families, Process, Root

_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.005, 0.25  # between looks at what is left of a command
GIVE_UP_SECONDS = 10.0  # what does not end so long after SIGKILL waits for a disk that is not there
_numbers = itertools.count(1)


class Child:
    """A command that runs, or whose processes are being ended."""

    __slots__ = (
        "cgroup", "ended_at", "expires_at", "gentle", "grace_seconds", "handle", "kill_at", "killed_at", "lingers",
        "marks", "number", "pause", "pid", "reason", "signal", "started_at", "started_wall", "ticks",
    )  # fmt: skip

    def __init__(
        self, pid: int, handle: Handle, request: LaunchRequest, started_at: float, started_wall: float, ticks: int
    ) -> None:
        self.number = next(_numbers)  # never used again, unlike the pid
        self.pid = pid
        self.handle = handle
        self.marks = request.marks
        self.gentle = request.supports_termination
        self.signal = signal.Signals[request.termination_signal]
        self.grace_seconds = request.grace_seconds
        self.started_at = started_at  # monotonic, as all times here but started_wall and ticks
        self.started_wall = started_wall
        self.ticks = ticks  # since boot
        self.cgroup: Cgroup | None = None
        self.expires_at: float | None = None  # its walltime is over then
        self.kill_at: float | None = None  # it has got its signal and gets SIGKILL then
        self.killed_at: float | None = None
        self.reason: str | None = None
        self.ended_at: float | None = None
        self.lingers = False  # the first process has ended because it was told to, others have not
        self.pause = _FIRST_LOOK_SECONDS

    def next_look(self, now: float) -> float:
        """Return when to look again at what is left; ever later."""
        when = now + self.pause
        self.pause = min(2 * self.pause, _LONGEST_LOOK_SECONDS)
        return when if self.kill_at is None else min(when, self.kill_at)


class Leftovers:
    """Finds what still runs of commands beside their first processes, wherever it has moved."""

    def __init__(self) -> None:
        self._families = Families()

    def look(self, children: Collection[Child]) -> dict[int, list[Process]]:
        """Return the processes that run of each command, by its number; one pass over all processes."""
        roots = {child.number: Root(child.pid, child.marks, child.ticks) for child in children}
        sorted_out = self._families.sort(procfs.read_processes(), roots)
        found = {}
        for child in children:
            members = {process.pid: process for process in sorted_out.get(child.number, ())}
            if child.cgroup is not None:
                for pid in child.cgroup.members():
                    process = procfs.read_process(pid)
                    if process is not None:
                        members[pid] = process
            others = [process for process in members.values() if process.is_alive and process.pid != child.pid]
            if others:
                found[child.number] = others
        return found


def send_to_all(child: Child, number: signal.Signals, others: Collection[Process]) -> None:
    """Send a signal to the group of a command and to those of its processes that have left it."""
    signal_group(child.pid, number)
    for process in others:
        if process.group != child.pid:
            procfs.send(process, number)


def kill(child: Child, others: Collection[Process] = ()) -> None:
    """End what is known of a command."""
    if child.cgroup is not None:
        child.cgroup.kill()
    send_to_all(child, signal.SIGKILL, others)
