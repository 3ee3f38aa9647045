"""Who may open a database: free ones, and owners that are dead."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.service.owners.conftest import QUIET, leave_dead, owned, rewrite, verdict
from torc_core.errors import Unavailable
from torc_core.service.ownership import Candidate
from torc_core.service.processes import start_of, this_machine

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
