"""One owner at a time: who may take a database, when an owner counts as dead, and what it may do afterwards."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from torc_core.errors import Unavailable
from torc_core.service.owner_file import Sighting, sight
from torc_core.service.ownership import Candidate, Ownership, Standing, Timing
from torc_core.service.processes import Machine, start_of, this_machine

ELSEWHERE = Machine("node7", "boot-of-node7", "pid:[1]")
QUIET = Timing(beat_s=3600.0)  # no heartbeat during a test, unless it makes one


class Clock:
    """The watcher's clock, moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def owned(found) -> Ownership:
    assert isinstance(found, Ownership), found
    return found


def verdict(found) -> str:
    assert isinstance(found, Standing), found
    return found.verdict


def until(condition, what: str):
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        os.sched_yield()
    return found


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


# free databases


def test_a_free_database_is_taken_and_its_file_says_by_whom(database, taken):
    record = taken().record
    said = json.loads(Path(f"{database}.owner").read_text())
    assert (said["pid"], said["machine"]["host"], said["id"]) == (os.getpid(), os.uname().nodename, record.id)
    assert len(said["token"]) == 64
    assert Path(f"{database}.owner").stat().st_mode & 0o777 == 0o600


def test_a_second_candidate_finds_the_first_alive_and_learns_its_token(database, taken):
    first = taken()
    found = Candidate(database, QUIET).attempt()
    assert verdict(found) == "alive"
    assert found.record == first.record


def test_releasing_removes_the_file_and_frees_the_database(database, taken):
    first = taken()
    first.release()
    assert [p.name for p in database.parent.iterdir()] == ["torc.db.lock"]
    assert taken().record.id != first.record.id


def test_two_names_of_one_database_have_one_owner(database, taken, tmp_path):
    taken()
    (tmp_path / "other").symlink_to(tmp_path)
    assert verdict(Candidate(tmp_path / "other" / "torc.db", QUIET).attempt()) == "alive"


def test_two_databases_in_one_folder_have_owners_of_their_own(database, taken):
    taken()
    owned(Candidate(database.with_name("torc.db2"), QUIET).attempt()).release()


def test_a_file_system_without_hard_links_has_one_owner_too(database, taken, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    taken()
    assert verdict(Candidate(database, QUIET).attempt()) == "alive"
    assert sorted(p.name for p in database.parent.iterdir()) == ["torc.db.lock", "torc.db.owner"]


def test_another_users_file_is_refused_with_its_user(database, taken, monkeypatch):
    taken()
    real = Path.open

    def refuse(self, *args, **kwargs):
        if self.name.endswith(".owner"):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Unavailable, match=f"belongs to user id {os.geteuid()}"):
        Candidate(database, QUIET).attempt()


# dead owners on this machine


def test_an_owner_whose_process_is_gone_is_followed_at_once(database, taken):
    leave_dead(database)
    assert taken().record.pid == os.getpid()
    assert not list(database.parent.glob("*.after-*"))


def test_an_owner_whose_process_id_was_given_to_another_process_is_dead(database, taken):
    taken()
    rewrite(database, start="1")
    taken()


def test_an_owner_that_ended_but_was_not_waited_for_is_dead(database, taken):
    taken()
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    rewrite(database, pid=child.pid, start=start_of(child.pid))
    assert verdict(Candidate(database, QUIET).attempt()) == "alive"
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    taken()
    child.communicate()


def test_in_another_container_of_this_machine_the_lock_decides(database, taken):
    container = this_machine()._replace(pid_space="pid:[7]", host="container")
    first = taken(container)
    assert first.record.holds_lock
    rewrite(database, pid=2**22 + 1)  # its process ids mean nothing here
    assert verdict(Candidate(database, QUIET).attempt()) == "alive"
    os.close(first._lock)
    first._lock = None
    taken()


def test_a_lock_that_the_owner_never_had_says_nothing(database, taken):
    with Path(f"{database}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        first = taken(this_machine()._replace(pid_space="pid:[7]"))
    assert not first.record.holds_lock
    assert verdict(Candidate(database, QUIET).attempt()) == "unknown"


def test_a_restart_of_the_machine_ends_all_owners_on_its_own_disks(database, taken):
    leave_dead(database, this_machine()._replace(boot_id="an earlier start"))
    taken(shared_folder=False)


def test_a_restart_proves_nothing_about_a_shared_folder(database):
    leave_dead(database, this_machine()._replace(boot_id="an earlier start"))
    assert verdict(Candidate(database, QUIET, shared_folder=True).attempt()) == "unknown"


# owners on other machines


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


# taking over


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


# being the owner


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
