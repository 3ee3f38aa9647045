"""Owners on other machines: only their heartbeat tells."""

import os
import time
from pathlib import Path

from tests.unit.service.owners.conftest import QUIET, leave_dead, verdict
from torc_core.service.ownership import Candidate, Ownership, Timing
from torc_core.service.processes import Machine

ELSEWHERE = Machine("node7", "boot-of-node7", "pid:[1]")


class Clock:
    """The watcher's clock, moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def until(condition, what: str):
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        os.sched_yield()
    return found


def looks(candidate: Candidate, clock: Clock, seconds: float, beat=None) -> list[str]:
    """Verdicts of looks every half second; ``beat`` is called every fifth second."""
    seen = []
    for half in range(1, int(seconds * 2) + 1):
        clock.now += 0.5
        if beat and half % 10 == 0:
            beat()
        found = candidate.attempt()
        seen.append("taken" if isinstance(found, Ownership) else found.verdict)
        if isinstance(found, Ownership):
            found.release()
            break
    return seen


def test_a_far_owner_without_a_heartbeat_is_dead_after_30_seconds_and_not_before(database):
    leave_dead(database, ELSEWHERE)
    clock = Clock()
    candidate = Candidate(database, QUIET, shared_folder=True, clock=clock)
    assert verdict(candidate.attempt()) == "unknown"
    assert looks(candidate, clock, 60) == ["unknown"] * 59 + ["taken"]


def test_a_far_owner_with_a_heartbeat_lives_for_ever_even_when_its_clock_goes_back(database):
    path = leave_dead(database, ELSEWHERE)
    clock, hour = Clock(), iter(range(100, 0, -1))
    candidate = Candidate(database, QUIET, shared_folder=True, clock=clock)
    seen = looks(candidate, clock, 200, beat=lambda: os.utime(path, (0, next(hour) * 3600)))
    assert "taken" not in seen
    assert seen.count("alive") == 40


def test_time_in_which_the_watcher_did_not_look_does_not_count(database):
    leave_dead(database, ELSEWHERE)
    clock = Clock()
    candidate = Candidate(database, QUIET, shared_folder=True, clock=clock)
    candidate.attempt()
    clock.now += 10_000  # asleep, or waiting for the file system
    assert verdict(candidate.attempt()) == "unknown"
    assert looks(candidate, clock, 60).index("taken") == 57  # one second was counted for the gap


def test_a_heartbeat_is_seen_on_the_file(database, taken):
    first = taken(ELSEWHERE, Timing(beat_s=0.01))
    candidate = Candidate(database, QUIET, shared_folder=True)
    until(lambda: verdict(candidate.attempt()) == "alive", "no heartbeat")
    assert first.still_mine()


def test_an_unreadable_owner_file_is_given_30_seconds_too(database):
    Path(f"{database}.owner").write_bytes(b"\x00 nothing that torc writes")
    clock = Clock()
    candidate = Candidate(database, QUIET, clock=clock)
    assert verdict(candidate.attempt()) == "unknown"
    assert looks(candidate, clock, 60) == ["unknown"] * 59 + ["taken"]
