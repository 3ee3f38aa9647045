"""The processor for this process as soon as a command ends, though commands keep all processors busy.

Linux may let what runs go on for its slice, some milliseconds, before what has woken up has its turn. From 6.12 on a
thread may ask for a shorter slice: its share stays the same, in smaller pieces. Older systems take the wish and do
nothing.
"""

from __future__ import annotations

import os
import struct

_SLICE_NS = 100_000  # the shortest there is
_RESET_ON_FORK = 1  # commands have what is usual
_CALLS = {
    "x86_64": (314, 315),
    "aarch64": (274, 275),
    "ppc64le": (355, 356),
    "s390x": (345, 346),
    "riscv64": (274, 275),
}
"""Numbers of the system calls sched_setattr and sched_getattr."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime (ns), deadline, period


def ask_for_short_slices() -> bool:
    """Have the calling thread scheduled in short slices; returns whether the system has taken the wish."""
    found = _attributes()
    if found is None:
        return False
    size, policy, flags, nice, priority, _, deadline, period = found
    if policy != 0 or nice < 0:  # somebody has chosen that, for what is started here too; the flag would take it away
        return False
    wish = _ATTRIBUTES.pack(size, policy, flags | _RESET_ON_FORK, nice, priority, _SLICE_NS, deadline, period)
    return _call(0, 0, wish, 0)


def slice_ns(pid: int = 0) -> int | None:
    """Return the slice of a process, without a number that of the calling thread; None where that cannot be told."""
    found = _attributes(pid)
    return None if found is None else int(found[5])


def _attributes(pid: int = 0) -> tuple[int, ...] | None:
    import ctypes

    room = ctypes.create_string_buffer(_ATTRIBUTES.size)
    return _ATTRIBUTES.unpack(room.raw) if _call(1, pid, room, _ATTRIBUTES.size, 0) else None


def _call(which: int, pid: int, attributes: object, *more: int) -> bool:
    import ctypes

    numbers = _CALLS.get(os.uname().machine)
    if numbers is None or os.uname().sysname != "Linux":
        return False
    try:
        return bool(ctypes.CDLL(None).syscall(numbers[which], pid, attributes, *more) == 0)
    except (OSError, AttributeError):
        return False
