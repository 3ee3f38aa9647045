"""Owners that write until they are killed, and what must then be in their storage."""

import signal
import subprocess
import sys

from torc_core.records.resources import Event, Workflow
from torc_core.testing.storage import column

PROGRAM = """
import sys
from torc_core.records.resources import Event, Workflow

seed = int(sys.argv.pop())
{opening}
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
        storage.update(Workflow, {{"run_id": number}}, [])
    print(number, flush=True)
"""
"""Tells each transaction, whose number all its rows have, after it was kept; ``opening`` makes the storage."""


def kill_one(opening, arguments, seed, transactions):
    """Start an owner and kill it after it has told of so many transactions; returns the last one that it told of."""
    command = [sys.executable, "-c", PROGRAM.format(opening=opening), *arguments, str(seed)]
    told = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        for _ in range(transactions):
            told = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
        told = max([told, *map(int, owner.stdout.read().split())])  # told before it died
    assert owner.returncode == -signal.SIGKILL
    return told


def assert_whole(storage, told):
    """All that was told is there, at most one transaction more, and each as a whole."""
    [last] = column(storage, Workflow, "run_id")
    assert last in (told, told + 1)
    sizes = storage.tally(Event, "timestamp")
    assert list(range(1, last + 1)) == sorted(sizes)
    declared = dict(storage.rows(Event, ["timestamp", "data"]))
    assert {number: int(text) for number, text in declared.items()} == sizes
    assert column(storage, Event, "id") == list(range(1, sum(sizes.values()) + 1))
