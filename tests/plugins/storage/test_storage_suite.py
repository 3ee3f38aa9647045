"""Both built-in storages keep what the contract promises."""

from torc_core.testing.storage import StorageSuite
from torc_plugins.storage.memory_storage import MemoryStorage
from torc_plugins.storage.sqlite_storage import SqliteStorage


class TestSqliteStorage(StorageSuite):
    def make(self, tmp_path):
        return SqliteStorage(str(tmp_path / "torc.db"))


class TestSqliteStorageInASharedFolder(StorageSuite):
    def make(self, tmp_path):
        return SqliteStorage(str(tmp_path / "torc.db"), durable=True, shared_folder=True)


class TestMemoryStorage(StorageSuite):
    persistent = False

    def make(self, tmp_path):
        return MemoryStorage("")
