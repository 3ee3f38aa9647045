"""Files that appear whole or not at all."""

from __future__ import annotations

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
        part.replace(target)
    except OSError as exc:
        raise StorageError(f"cannot write {target}: {exc.strerror}", hint="Choose another place.") from exc
    finally:
        with suppress(OSError):
            part.unlink()  # gone already when all went well
