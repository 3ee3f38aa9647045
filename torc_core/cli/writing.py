"""Files that commands write: whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def write_file(output: Path, pieces: Iterable[str]) -> None:
    """Write a file at once or not at all; what is no plain file (a link, a pipe) is written into."""
    if output.is_symlink() or (output.exists() and not output.is_file()):
        with output.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        return
    partial = output.with_name(f"{output.name}.part")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        partial.replace(output)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
