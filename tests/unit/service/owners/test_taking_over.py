"""Taking a database over: one succeeds, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.unit.service.owners.conftest import QUIET, leave_dead, owned, verdict
from torc_core.service.owner_file import sight
from torc_core.service.ownership import Candidate, Ownership
from torc_core.service.processes import start_of


def test_of_many_that_take_over_at_once_one_succeeds(database):
    for _ in range(20):
        leave_dead(database)
        start, results = threading.Barrier(8), []

        def take(start=start, results=results):
            candidate = Candidate(database, QUIET)
            start.wait()
            results.append(candidate.attempt())

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [found for found in results if isinstance(found, Ownership)]
        assert sight(Path(f"{database}.owner")).record == winner.record
        winner.release()
        assert sorted(p.name for p in database.parent.iterdir()) == ["torc.db.lock"]


def test_who_judged_an_owner_that_is_gone_by_now_leaves_the_next_one_alone(database, taken):
    path = leave_dead(database)
    late, dead = Candidate(database, QUIET), sight(path)
    new = taken()
    assert late._succeed(dead) is None
    assert sight(path).record == new.record
    assert not list(database.parent.glob("*.after-*"))


def test_a_living_claimer_is_waited_for(database):
    path = leave_dead(database)
    dead = sight(path)
    living = {"id": "c1", "pid": os.getpid(), "start": start_of(os.getpid())}
    Path(f"{path}.after-{dead.key}").write_text(json.dumps(json.loads(path.read_text()) | living))
    assert verdict(Candidate(database, QUIET).attempt()) == "unknown"
    assert sight(path).key == dead.key


def test_who_comes_second_with_a_claim_takes_nothing(database, monkeypatch):
    dead = sight(leave_dead(database))
    late = Candidate(database, QUIET)
    real = Candidate._sheet

    def overtaken(candidate, lock):  # it has found nobody's claim and is about to make its own
        Path(f"{database}.owner.after-{dead.key}").write_text("made in between")
        return real(candidate, lock)

    monkeypatch.setattr(Candidate, "_sheet", overtaken)
    assert verdict(late.attempt()) == "unknown"
    assert sight(Path(f"{database}.owner")).key == dead.key
    assert not list(database.parent.glob("*.new"))


STEPS = """
import os, signal, sys
from pathlib import Path
left = int(sys.argv[2])
def fatal(real):
    def step(*args, **kwargs):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*args, **kwargs)
    return step
import torc_core.service.ownership as ownership
for name in ("open", "link", "rename", "unlink", "write", "close"):
    setattr(os, name, fatal(getattr(os, name)))
found = ownership.Candidate(Path(sys.argv[1]), ownership.Timing(beat_s=3600.0)).attempt()
assert isinstance(found, ownership.Ownership), found
found.release()
"""


@pytest.mark.parametrize("free", [True, False], ids=["free", "after a dead owner"])
def test_a_death_at_any_step_leaves_a_database_that_the_next_one_can_take(tmp_path, free):
    steps, codes = 0, []
    while not codes or codes[-1] != 0:
        database = tmp_path / f"{steps}" / "torc.db"
        database.parent.mkdir()
        if not free:
            leave_dead(database)
        command = [sys.executable, "-c", STEPS, str(database), str(steps)]
        codes.append(subprocess.run(command, check=False, timeout=60).returncode)
        candidate = Candidate(database, QUIET)
        next_owner = owned(candidate.attempt())
        assert verdict(Candidate(database, QUIET).attempt()) == "alive"
        next_owner.release()
        assert not list(database.parent.glob("*.owner"))
        steps += 1
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert len(codes) > (10 if free else 20)  # the deaths were really spread over the whole way
