"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torc_core.contracts.storage import StorageError


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Give the path of a new file that becomes ``target`` in the end; an older one stays until then.

    Raises StorageError when the folder does not allow it.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        yield part
        with suppress(FileNotFoundError):
            part.chmod(target.stat().st_mode & 0o777)
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as exc:
        raise StorageError(f"cannot write {target}: {exc.strerror}", hint="Choose another place.") from exc
    finally:
        with suppress(OSError):
            part.unlink()  # gone already when all went well


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a power cut, where the file system can do that for folders."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
