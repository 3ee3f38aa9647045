"""A killed owner loses nothing that it has told, and leaves whole transactions only."""

import random
import signal
import sqlite3
import subprocess
import sys

import pytest

from torc_core.records.resources import Event, Workflow
from torc_core.testing.storage import column
from torc_plugins.storage.sqlite_storage import SqliteStorage

OWNER = """
import sys
from torc_core.records.resources import Event, Workflow
from torc_plugins.storage.sqlite_storage import SqliteStorage

path, shared_folder, seed = sys.argv[1], sys.argv[2] == "True", int(sys.argv[3])
storage = SqliteStorage(path, shared_folder=shared_folder)
with storage.transaction():
    if not storage.count(Workflow):
        storage.insert(Workflow, ["id", "name", "run_id"], [(1, "w", 0)])
[(number,)] = storage.rows(Workflow, ["run_id"])
while True:
    number += 1
    size = (number * 37 + seed) % 200 + 1
    with storage.transaction():
        first = storage.next_ids(Event, size)
        storage.insert(
            Event,
            ["id", "workflow_id", "timestamp", "data"],
            ((first + i, 1, number, str(size)) for i in range(size)),
        )
        storage.update(Workflow, {"run_id": number}, [])
    print(number, flush=True)
"""


@pytest.mark.parametrize(("shared_folder", "kills"), [(False, 20), (True, 6)])
def test_everything_told_is_there_after_a_kill(tmp_path, shared_folder, kills):
    path = tmp_path / "torc.db"
    chance = random.Random(20)
    told = 0
    for round_number in range(kills):
        arguments = [sys.executable, "-c", OWNER, str(path), str(shared_folder), str(round_number)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as owner:
            for _ in range(chance.randrange(1, 60)):
                told = int(owner.stdout.readline())
            owner.send_signal(signal.SIGKILL)
            told = max([told, *map(int, owner.stdout.read().split())])  # told before it died
        assert owner.returncode == -signal.SIGKILL
        storage = SqliteStorage(str(path), shared_folder=shared_folder)
        [last] = column(storage, Workflow, "run_id")
        assert last in (told, told + 1)
        sizes = storage.tally(Event, "timestamp")
        assert list(range(1, last + 1)) == sorted(sizes)
        declared = dict(storage.rows(Event, ["timestamp", "data"]))
        assert {number: int(text) for number, text in declared.items()} == sizes
        ids = column(storage, Event, "id")
        assert ids == list(range(1, sum(sizes.values()) + 1))
        storage.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
