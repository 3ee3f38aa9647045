"""Being the owner of a database, and noticing that one is no longer."""

import errno
import fcntl
import json
import os
import signal
import threading
from pathlib import Path

from tests.unit.service.owners.conftest import QUIET
from torc_core.service.owner_file import Sighting, sight
from torc_core.service.ownership import Timing


def replace_by_another(database: Path) -> str:
    """Do what a taker does after 30 s without a heartbeat; returns the id of the new owner."""
    path = Path(f"{database}.owner")
    said = json.loads(path.read_text())
    other = path.with_name("other")
    other.write_text(json.dumps(said | {"id": "another1"}))
    other.rename(path)
    return "another1"


def test_an_owner_that_was_replaced_may_not_write_and_leaves_the_file_of_the_other(database, taken):
    lost = []
    mine = taken(timing=QUIET._replace(look_s=0.0))
    mine.on_lost = lambda: lost.append(1)
    assert mine.still_mine()
    new_id = replace_by_another(database)
    assert not mine.still_mine()
    assert not mine.still_mine()
    assert mine.is_lost
    assert lost == [1]
    mine.announce(("unix:/mine",))
    mine.release()
    found = sight(Path(f"{database}.owner"))
    assert (found.key, found.record.addresses) == (new_id, ())


def test_an_owner_that_ends_before_it_noticed_leaves_the_file_of_its_successor(database, taken):
    mine = taken()
    new_id = replace_by_another(database)
    mine.release()
    assert sight(Path(f"{database}.owner")).key == new_id


def test_an_owner_that_is_being_replaced_leaves_its_file_to_its_successor(database, taken):
    mine = taken()
    claim = Path(f"{database}.owner.after-{mine.record.id}")
    claim.write_text("somebody's")
    mine.release()
    assert sight(Path(f"{database}.owner")).key == mine.record.id
    assert claim.exists()


def test_an_owner_looks_again_only_after_a_while(database, taken, monkeypatch):
    now = [50.0]
    monkeypatch.setattr("torc_core.service.ownership.running_clock", lambda: now[0])
    mine = taken(timing=QUIET._replace(look_s=1.0))
    replace_by_another(database)
    now[0] = 51.0
    assert mine.still_mine()
    now[0] = 51.1
    assert not mine.still_mine()


def test_an_owner_whose_file_cannot_be_read_may_not_write_until_it_can(database, taken, monkeypatch):
    mine = taken(timing=QUIET._replace(look_s=0.0))

    def fail(path: Path) -> Sighting:
        raise OSError(errno.EIO, "the server is away")

    monkeypatch.setattr("torc_core.service.owner_file.sight", fail)
    assert not mine.still_mine()
    monkeypatch.undo()
    assert mine.still_mine()
    assert not mine.is_lost


def test_an_owner_whose_file_was_removed_may_not_write(database, taken):
    mine = taken(timing=QUIET._replace(look_s=0.0))
    Path(f"{database}.owner").unlink()
    assert not mine.still_mine()


def test_the_heartbeat_notices_that_another_took_over(database, taken):
    noticed = threading.Event()
    mine = taken(timing=Timing(beat_s=0.01))
    mine.on_lost = noticed.set
    replace_by_another(database)
    assert noticed.wait(20)


def test_what_is_announced_is_read_by_others(database, taken):
    mine = taken()
    mine.announce(("unix:/run/a.sock", "tcp:node7:4000"))
    assert sight(Path(f"{database}.owner")).record.addresses == ("unix:/run/a.sock", "tcp:node7:4000")
    assert mine.still_mine()


def test_a_forked_child_is_no_owner_and_keeps_no_lock(database, taken):
    mine = taken(timing=QUIET._replace(look_s=0.0))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens here must end in _exit: this is a copy of the test run.
        try:
            may_write = mine.still_mine()
            mine.release()
            os.write(writer, b"may write" if may_write else b"may not")
            signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(reader, 20) == b"may not"
        assert mine.still_mine()
        os.close(mine._lock)  # as when the parent dies
        mine._lock = None
        with Path(f"{database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
