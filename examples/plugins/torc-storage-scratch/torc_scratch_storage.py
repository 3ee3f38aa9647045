"""Keeps the database on the fast disk of a node: ``scratch:run7.db`` is the file ``$SCRATCH/run7.db``."""

import os
from pathlib import Path

from torc_core.contracts.storage import StorageError
from torc_plugins.storage.sqlite_storage import SqliteStorage


class ScratchStorage(SqliteStorage):
    scheme = "scratch"

    def __init__(self, location: str, **options: bool) -> None:
        if "SCRATCH" not in os.environ:
            raise StorageError("SCRATCH is not set", hint="Ask for a node with a local disk")
        super().__init__(str(Path(os.environ["SCRATCH"], location)), **options)
