"""A copy of all rows as a SQLite file, which needs no server and no other program to be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torc_core.contracts.storage import Storage
from torc_plugins.storage.beside import written_beside
from torc_plugins.storage.order import parents_first
from torc_plugins.storage.sqlite_storage import SqliteStorage


def write_copy(source: Storage, last_ids: Mapping[str, int], target: Path) -> None:
    """Write the rows of all declared kinds, and the highest id that each has ever used, to a new file."""
    with written_beside(target) as part:
        copy = SqliteStorage(str(part), shared_folder=True)  # nobody else knows the name, so locks are not needed
        try:
            with copy.transaction():
                for kind in parents_first():
                    names = list(kind.FIELDS)
                    if last := last_ids.get(kind.PLURAL):
                        copy.next_ids(kind, last)
                    copy.insert(kind, names, source.rows(kind, names))
        finally:
            copy.close()
