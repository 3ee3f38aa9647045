"""A database, its owners, and processes that ended."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from torc_core.service.ownership import Candidate, Ownership, Standing, Timing
from torc_core.service.processes import Machine, start_of

QUIET = Timing(beat_s=3600.0)  # no heartbeat during a test, unless it makes one


def owned(found) -> Ownership:
    assert isinstance(found, Ownership), found
    return found


def verdict(found) -> str:
    assert isinstance(found, Standing), found
    return found.verdict


@pytest.fixture
def database(tmp_path) -> Path:
    return tmp_path / "torc.db"


@pytest.fixture
def taken(database):
    """Ownerships that are let go at the end, whatever became of them."""
    made: list[Ownership] = []

    def take(machine: Machine | None = None, timing: Timing = QUIET, **options) -> Ownership:
        made.append(owned(Candidate(database, timing, machine=machine, **options).attempt()))
        return made[-1]

    yield take
    for ownership in made:
        ownership.release()


def ended_process() -> tuple[int, str]:
    """Id and start time of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    start = start_of(process.pid)
    process.communicate(b"\n")
    assert start
    return process.pid, start


def rewrite(database: Path, **changes) -> None:
    """Change what the owner file says, in place."""
    path = database.with_name(f"{database.name}.owner")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def leave_dead(database: Path, machine: Machine | None = None) -> Path:
    """Make the owner file of a process that ended without a word, and return it."""
    ownership = owned(Candidate(database, QUIET, machine=machine).attempt())
    ownership._let_go()  # what the system does when a process dies
    pid, start = ended_process()
    rewrite(database, pid=pid, start=start)
    return database.with_name(f"{database.name}.owner")
