"""What matters about the folder of a database: whether other machines share it, and where its socket can be."""

from __future__ import annotations

import os
import re
from pathlib import Path

MAX_SOCKET_PATH = 100
"""Bytes; the address of a Unix socket has room for 104 to 108, depending on the system."""
_PRIVATE_NAME = "owner.sock"
_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL_KINDS = frozenset(
    [
        *["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "tmpfs", "ramfs"],
        *["overlay", "aufs", "ecryptfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfs", "hfsplus"],
        *["apfs", "ufs", "udf"],
    ]
)
"""Those that one running kernel has to itself; nfs, lustre, gpfs, cifs, 9p, fuse.* and all unknown ones are not."""


def is_network_folder(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether other machines may share the file system of ``path``, so that its locks cannot be trusted.

    Every kind that is not known to be local counts; where mounts cannot be read the answer is no. ``mounts`` has the
    format of ``/proc/self/mountinfo`` (proc(5)).
    """
    return file_system_kind(path, mounts) not in _LOCAL_KINDS | {""}


def is_local_folder(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether only this kernel can have the file system of ``path`` mounted."""
    return file_system_kind(path, mounts) in _LOCAL_KINDS


def file_system_kind(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of file system that ``path`` is on, such as ``ext4``; "" when unknown."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = os.path.realpath(path)
    found, longest = "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        if not after:
            continue
        point = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), before.split(" ")[4])
        is_above = place == point or place.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= longest:  # a later mount on the same point covers an earlier one
            found, longest = after.split(" ")[0], len(point)
    return found


def remove_socket(path: Path) -> None:
    """Remove the socket of an owner that is gone or ending, with the private folder that it may have had."""
    if path.is_socket():
        path.unlink(missing_ok=True)
        if path.name == _PRIVATE_NAME and path.parent.name.startswith("torc-"):
            path.parent.rmdir()


def socket_path(database: Path, owner_id: str) -> Path:
    """Return where the owner's socket goes: beside the database, or else in a private folder that is made here.

    A private folder is needed where the path is too long, and on network file systems, many of which know no sockets.
    """
    beside = database.absolute().with_name(f"{database.name}.sock")  # for neighbours in any folder
    if len(os.fsencode(beside)) <= MAX_SOCKET_PATH and not is_network_folder(database.parent):
        return beside
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108  (the folder made in it is private)
        folder = Path(base, f"torc-{os.geteuid()}-{owner_id}")
        if base and len(os.fsencode(folder)) <= MAX_SOCKET_PATH - len(f"/{_PRIVATE_NAME}") and os.access(base, os.W_OK):
            folder.mkdir(mode=0o700, exist_ok=False)  # ours alone: an id is never used twice
            return folder / _PRIVATE_NAME
    raise OSError(f"there is no folder for a socket: neither {beside} nor a runtime folder can hold one")
