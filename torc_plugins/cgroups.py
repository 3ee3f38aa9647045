"""Control groups, version 2: found where this process may make some, never assumed to be there.

A group holds the processes of one command, wherever they move, so that the kernel itself counts and limits what they
use, and ends all of them at once. What a group offers depends on the controllers that are delegated to it; each file is
used only where it is.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re

from torc_plugins import procfs

_PREFIX = "torc-"  # then the pid of the runner and when it began, in ticks
_JOBS = re.compile(rf"/{_PREFIX}\d+-\d+-\d+(?=/|$)")  # where a runner has the groups of its jobs
_LEAF = "runner-"  # then the pid of the runner that is in it
_numbers = itertools.count(1)  # several executors of one process do not share groups


class Cgroup:
    """The group of one command."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def door(self) -> str:
        """The file to which a process writes 0 to move into the group."""
        return f"{self.path}/cgroup.procs"

    def limit_memory(self, size: int) -> bool:
        """Have the kernel end the whole group when it needs more; returns whether it will."""
        try:
            _write(f"{self.path}/memory.max", str(size))
        except OSError:
            return False
        for name, value in (("memory.oom.group", "1"), ("memory.swap.max", "0")):
            with contextlib.suppress(OSError):
                _write(f"{self.path}/{name}", value)
        return True

    def kill(self) -> bool:
        """End every process of the group at once; returns whether that was possible."""
        try:
            _write(f"{self.path}/cgroup.kill", "1")
        except OSError:
            return False
        return True

    def members(self) -> list[int]:
        """Return the processes of the group."""
        return [int(pid) for pid in procfs.read(f"{self.path}/cgroup.procs", 1 << 20).split()]

    @property
    def has_members(self) -> bool:
        """Whether anything in it runs."""
        return b"populated 1" in procfs.read(f"{self.path}/cgroup.events", 256)

    @property
    def cpu_seconds(self) -> float | None:
        """What everything that was ever in it has used."""
        return cpu_seconds(self.path)

    @property
    def oom_kills(self) -> int:
        """How many processes were ended because the group needed too much memory."""
        return _value(f"{self.path}/memory.events", b"oom_kill") or 0

    def peak_memory(self) -> int | None:
        """Return the highest use of memory, without the page cache that is left; for when all processes are gone.

        The kernel counts pages of files that were read or written as the group's: nothing that the command needed.
        Files in memory (tmpfs) are another matter, it cannot do without these.
        """
        peak = _number(f"{self.path}/memory.peak")
        stat = f"{self.path}/memory.stat"
        cache = (_value(stat, b"file") or 0) - (_value(stat, b"shmem") or 0)
        return None if peak is None else max(0, peak - max(0, cache))

    def remove(self) -> bool:
        """Remove the group; returns whether that was possible: not while anything runs in it."""
        try:
            os.rmdir(self.path)  # noqa: PTH106
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class Cgroups:
    """Makes groups below the one that this process may use."""

    def __init__(self, root: str, has_memory: bool) -> None:
        self.root = root
        self.has_memory = has_memory
        self._left: list[Cgroup] = []
        self._names = itertools.count(1)

    def make(self) -> Cgroup:
        """Make a group; raises OSError."""
        path = f"{self.root}/{next(self._names)}"
        os.mkdir(path)  # noqa: PTH102
        return Cgroup(path)

    def let_go(self, group: Cgroup) -> None:
        """Remove a group now, or later when what its command left behind has ended."""
        if not group.remove():
            self._left.append(group)

    def close(self) -> None:
        """Remove all groups that can be removed."""
        self._left = [group for group in self._left if not group.remove()]
        Cgroup(self.root).remove()


def probe() -> Cgroups | None:
    """Return where this process can make groups, None when that is nowhere.

    They are made in the group of this process, if it may write there. The kernel counts and limits the memory of groups
    only when no process is beside them, so this process moves into one of its own if it is alone, or does without.
    """
    here = own_group()
    if here is not None:
        here = here.removesuffix(_own_leaf())
    if here is None or not _may_write(here):
        return None
    _clear(here)
    has_memory = _delegate_memory(here)
    me = procfs.read_process(os.getpid())
    if me is None:
        return None
    made = Cgroups(f"{here}/{_PREFIX}{me.pid}-{me.started}-{next(_numbers)}", has_memory)
    try:
        os.mkdir(made.root)  # noqa: PTH102
        made.has_memory = has_memory and _enable_memory(made.root)
        test = made.make()
        works = os.access(f"{test.path}/cgroup.procs", os.W_OK)
        test.remove()
    except OSError:
        works = False
    if not works:
        made.close()
    return made if works else None


def set_free(pid: int) -> None:
    """Move a process that this one has started out of the groups of jobs, and of this runner; it stays where it must.

    Its place is beside the runner whose job this process is. A group that has controllers for those below it takes no
    processes: then it gets one of its own there, which it knows by its number when it makes groups itself.
    """
    outside = _outside_jobs(own_group() or "")
    if outside is None:
        return
    try:
        _write(f"{outside}/cgroup.procs", str(pid))
    except OSError:
        _move_to_leaf(outside, pid)


def _outside_jobs(group: str) -> str | None:
    """Return the group that the outermost runner above ``group`` was started in, None when there is none."""
    jobs = _JOBS.search(group)
    outside = group[: jobs.start()] if jobs is not None else group.removesuffix(_own_leaf())
    return None if outside == group else outside


def _clear(group: str) -> None:
    """Remove what runners that were killed have left, as far as nothing runs in it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(group):  # noqa: PTH208
            if name.startswith((_PREFIX, _LEAF)) and _is_left(name):
                for path, _, _ in os.walk(f"{group}/{name}", topdown=False):
                    Cgroup(path).remove()


def _is_left(name: str) -> bool:
    """Whether the runner that a group is named for is gone."""
    kind, pid, started = [*name.split("-"), "", ""][:3]
    if not pid.isdecimal() or not (started.isdecimal() or f"{kind}-" == _LEAF):
        return False
    owner = procfs.read_process(int(pid))
    return owner is None or (started != "" and owner.started != int(started))


def own_group() -> str | None:
    """Return the directory of the group that this process is in."""
    mounts = procfs.read("/proc/self/mountinfo", 1 << 20).decode(errors="replace").splitlines()
    for line in procfs.read("/proc/self/cgroup", 1 << 16).decode(errors="replace").splitlines():
        number, _, rest = line.partition(":")
        if number == "0" and rest.startswith(":/"):
            return next(filter(None, (_below(mount, rest[1:]) for mount in mounts)), None)
    return None


def _below(mount: str, group: str) -> str | None:
    """Return the directory of a group below a mount, when that is one of control groups, version 2, that shows it."""
    fields, _, kind = mount.partition(" - ")
    if not kind.startswith("cgroup2 "):
        return None
    top, place = fields.split()[3:5]
    if top not in ("/", group) and not group.startswith(f"{top}/"):
        return None
    below = group if top == "/" else group[len(top) :]
    return place.rstrip("/") + below.rstrip("/") or "/"


def _may_write(group: str) -> bool:
    names = ("", "/cgroup.procs", "/cgroup.subtree_control")
    return all(os.access(f"{group}{name}", os.W_OK) for name in names)


def _delegate_memory(group: str) -> bool:
    """Have groups below ``group`` count memory; this process makes room by moving into a group of its own."""
    if _enable_memory(group):
        return True
    if "memory" not in _words(f"{group}/cgroup.controllers"):
        return False
    if Cgroup(group).members() != [os.getpid()]:
        return False  # the others are not ours to move
    return _move_to_leaf(group, os.getpid()) and _enable_memory(group)


def _move_to_leaf(group: str, pid: int) -> bool:
    """Move a process into a group of its own below ``group``; returns whether that was possible."""
    leaf = Cgroup(f"{group}/{_LEAF}{pid}")
    try:
        os.mkdir(leaf.path)  # noqa: PTH102
        _write(leaf.door, str(pid))
    except OSError:
        leaf.remove()
        return False
    return True


def _own_leaf() -> str:
    """Return the end of the path of this process's group when it has moved to one of its own."""
    return f"/{_LEAF}{os.getpid()}"


def _enable_memory(group: str) -> bool:
    with contextlib.suppress(OSError):
        if "memory" not in _words(f"{group}/cgroup.subtree_control"):
            _write(f"{group}/cgroup.subtree_control", "+memory")
    return "memory" in _words(f"{group}/cgroup.subtree_control")


def cpu_seconds(group: str) -> float | None:
    """Return the CPU time of everything that was ever in a group."""
    used = _value(f"{group}/cpu.stat", b"usage_usec")
    return None if used is None else used / 1e6


def _value(path: str, name: bytes) -> int | None:
    """Return the number beside a name in a file of such lines."""
    for line in procfs.read(path, 4096).splitlines():
        key, _, number = line.partition(b" ")
        if key == name:
            return int(number)
    return None


def _number(path: str) -> int | None:
    text = procfs.read(path, 64).strip()
    return int(text) if text.isdigit() else None


def _words(path: str) -> list[str]:
    return procfs.read(path, 4096).decode(errors="replace").split()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
