"""Files that commands write: whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(output: Path) -> Iterator[Path]:
    """Give the path of a file to write, which takes the place of ``output`` when all went well and else goes away.

    Raises OSError that names ``output``, which is what the user knows.
    """
    partial = output.with_name(f"{output.name}.part")
    try:
        yield partial
        partial.replace(output)
    except BaseException as exc:
        with contextlib.suppress(OSError):
            partial.unlink()
        if isinstance(exc, OSError) and (exc.filename is None or Path(exc.filename) == partial):
            exc.filename = str(output)
        raise


def write_file(output: Path, pieces: Iterable[str]) -> None:
    """Write a file at once or not at all; what is no plain file (a link, a pipe) is written into."""
    if output.is_symlink() or (output.exists() and not output.is_file()):
        with output.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        return
    with whole_file(output) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
