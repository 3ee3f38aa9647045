"""A killed owner loses nothing that it has told, and leaves whole transactions only."""

import random
import sqlite3

import pytest

from tests.plugins.storage.killed_owners import assert_whole, kill_one
from torc_plugins.storage.sqlite_storage import SqliteStorage

OPENING = """
from torc_plugins.storage.sqlite_storage import SqliteStorage
storage = SqliteStorage(sys.argv[1], shared_folder=sys.argv[2] == "True")
"""


@pytest.mark.parametrize(("shared_folder", "kills"), [(False, 20), (True, 6)])
def test_everything_told_is_there_after_a_kill(tmp_path, shared_folder, kills):
    path = tmp_path / "torc.db"
    chance = random.Random(20)
    for round_number in range(kills):
        told = kill_one(OPENING, [str(path), str(shared_folder)], round_number, chance.randrange(1, 60))
        storage = SqliteStorage(str(path), shared_folder=shared_folder)
        assert_whole(storage, told)
        storage.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
