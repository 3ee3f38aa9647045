"""Owners and neighbours as real processes: races, sudden deaths, and two machines made of namespaces."""

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("owner_process.py")
DEADLINE_S = 60


class Process:
    """One torc process; what it says is read by a thread, so that every wait has an end."""

    def __init__(self, command: list[str]):
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.popen.pid
        self._said: queue.Queue[dict | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def hear(self) -> dict:
        found = self._said.get(timeout=DEADLINE_S)
        assert found is not None, f"process {self.pid} ended"
        return found

    def hear_until(self, event: str) -> dict:
        while (found := self.hear()).get("event") != event:
            pass
        return found

    def tell(self, word: str):
        self.popen.stdin.write(f"{word}\n")
        self.popen.stdin.flush()

    def ask(self, word: str) -> dict:
        self.tell(word)
        return self.hear()

    def kill(self):
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def close(self):
        self.tell("close")
        self.hear_until("closed")
        self.popen.stdin.close()
        assert self.popen.wait(DEADLINE_S) == 0


@pytest.fixture
def start(tmp_path):
    made: list[Process] = []

    def start(prefix: list[str] | None = None, **options) -> Process:
        options = {"db": str(tmp_path / "torc.db")} | options
        made.append(Process([*(prefix or []), sys.executable, str(PROGRAM), json.dumps(options)]))
        return made[-1]

    yield start
    for process in made:
        with contextlib.suppress(ProcessLookupError):
            process.popen.send_signal(signal.SIGCONT)
            process.popen.kill()
        process.popen.wait()
        process.popen.stdin.close()
        process.reader.join()
        process.popen.stdout.close()


def opened(process: Process) -> bool:
    """Whether an opened process is the owner."""
    found = process.hear()
    assert found["event"] == "open", found
    return found["is_owner"]


def leftovers(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()} - {"torc.db", "torc.db.lock", "torc.db.witness"}


def test_one_owns_the_database_and_others_ask_it(start, tmp_path):
    owner, neighbour = start(), None
    assert opened(owner)
    neighbour = start()
    assert not opened(neighbour)
    assert neighbour.ask("ping")["by"] == owner.ask("ping")["by"] == owner.pid
    assert [p.ask("create")["count"] for p in (neighbour, owner, neighbour)] == [1, 2, 3]
    owner.close()
    assert neighbour.ask("ping") == {"by": neighbour.pid, "is_owner": True}
    assert neighbour.ask("create") == {"count": 4, "by": f"by {neighbour.pid}"}
    neighbour.close()
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize("after_a_death", [False, True], ids=["free", "after a death"])
def test_of_eight_that_begin_together_one_becomes_the_owner(start, tmp_path, after_a_death):
    group = [start(db=None) for _ in range(8)]
    for round_ in range(20):
        database = tmp_path / f"{round_}" / "torc.db"
        if after_a_death:
            first = start(db=str(database))
            assert opened(first)
            first.kill()
        for process in group:
            process.tell(f"open {database}")
        owners = [p for p in group if opened(p)]
        assert len(owners) == 1
        assert {p.ask("ping")["by"] for p in group} == {owners[0].pid}
        assert sorted(p.ask("create")["count"] for p in group) == list(range(1, 9))
        assert len(Path(f"{database}.witness").read_text().split()) == 1 + after_a_death
        for process in sorted(group, key=lambda p: p is owners[0]):
            process.tell("close")
            process.hear_until("closed")
        assert leftovers(database.parent) == set()


def test_when_the_owner_is_killed_its_neighbours_agree_on_the_next_one(start, tmp_path):
    group = [start() for _ in range(4)]
    for process in group:
        opened(process)
    killed = 0
    while len(group) > 1:
        owner = next(p for p in group if p.pid == group[0].ask("ping")["by"])
        owner.kill()
        killed += 1
        group.remove(owner)
        answers = [p.ask("ping") for p in group]
        assert len({str(found.get("by", found)) for found in answers}) == 1, answers
        assert answers[0]["by"] in {p.pid for p in group}
        assert group[0].ask("create")["count"] == killed
    group[0].close()
    assert leftovers(tmp_path) == set()


def test_a_neighbour_that_only_watches_takes_over_too(start):
    owner = start()
    assert opened(owner)
    neighbour = start()
    assert not opened(neighbour)
    assert neighbour.ask("watch") == {"event": "change"}
    owner.kill()
    assert neighbour.hear() == {"event": "change"}
    third = start()
    assert not opened(third)
    assert third.ask("ping")["by"] == neighbour.pid


def test_a_call_during_which_the_owner_dies_is_repeated_only_when_that_is_safe(start):
    for word, is_safe in (("cancel", True), ("create", False)):
        operation = {"cancel": "cancel_workflow", "create": "create"}[word]
        owner = start(die_in=operation)
        assert opened(owner)
        neighbour = start()
        assert not opened(neighbour)
        answer = neighbour.ask(word)
        if is_safe:
            assert answer == {"count": 1, "by": f"by {neighbour.pid}"}
        else:
            assert (answer["error"], answer["outcome"]) == ("Unavailable", "unknown")
            assert "not known whether" in answer["text"]
        assert neighbour.ask("ping") == {"by": neighbour.pid, "is_owner": True}
        neighbour.close()


def test_an_owner_that_is_stopped_is_named_and_not_replaced(start):
    owner = start()
    assert opened(owner)
    start_ = start()
    assert not opened(start_)  # the owner listens by now
    owner.popen.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, owner.pid, os.WSTOPPED | os.WNOWAIT)
    late = start()
    failed = late.hear_until("failed")
    assert f"process {owner.pid} on " in failed["error"]
    assert "Ctrl-Z" in failed["error"]
    owner.popen.send_signal(signal.SIGCONT)
    assert start_.ask("ping")["by"] == owner.pid


def test_a_database_whose_path_is_too_long_for_a_socket_has_neighbours_too(start, tmp_path):
    database = tmp_path / ("a" * 90) / ("b" * 90) / "torc.db"
    owner = start(db=str(database))
    assert opened(owner)
    neighbour = start(db=str(database))
    assert not opened(neighbour)
    assert neighbour.ask("ping")["by"] == owner.pid
    (address,) = json.loads(Path(f"{database}.owner").read_text())["addresses"]
    folder = Path(address.removeprefix("unix:")).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    owner.close()
    neighbour.close()
    assert not folder.exists()


def test_nothing_that_was_acknowledged_is_lost_when_owners_are_killed_one_after_the_other(start):
    group = [start(is_real=True) for _ in range(4)]
    for process in group:
        opened(process)
    kept = []
    while group:
        for number, process in enumerate(group):
            name = f"{len(group)}-{number}"
            assert process.ask(f"create {name}")["by"] == name
            kept.append(name)
        listed = [p.ask("list") for p in group]
        assert [found["names"] for found in listed] == [kept] * len(group)
        (owner,) = [p for p, found in zip(group, listed, strict=True) if found["is_owner"]]
        owner.kill()
        group.remove(owner)
    last = start(is_real=True)
    assert opened(last)
    assert last.ask("list")["names"] == kept


# two machines: a namespace each for mounts, names, process ids and network, and another boot id


HURRY = {"beat_s": 0.1, "stale_s": 2.0, "step_s": 0.1, "look_s": 0.1}


def can_make_machines() -> bool:
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("unshare", "ip", "mount")):
        return False
    probe = ["unshare", "--mount", "--uts", "--net", "ip", "link", "add", "torc0", "type", "veth", "peer", "name", "t1"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


class Machines:
    """Two hosts: each has its name, boot id, process ids and network; one cable and one folder join them."""

    def __init__(self, tmp_path: Path, names: tuple[str, str]):
        self.hosts: dict[str, subprocess.Popen] = {}
        self.addresses = dict(zip(names, ("10.213.7.1", "10.213.7.2"), strict=True))
        for name in names:
            boot_id = tmp_path / f"boot-{name}"
            boot_id.write_text(f"boot of {name}\n")
            setup = (
                f"hostname {name} && mount --bind {boot_id} /proc/sys/kernel/random/boot_id"
                " && ip link set lo up && echo up && exec cat"
            )
            command = ["unshare", "--mount", "--uts", "--net", "sh", "-c", setup]
            self.hosts[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self.hosts[name].stdout.readline() == b"up\n"
        one, two = names
        self._on(one, "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable",
                 "netns", str(self.hosts[two].pid))  # fmt: skip
        for name in names:
            self._on(name, "ip", "addr", "add", f"{self.addresses[name]}/30", "dev", "cable")
            self._on(name, "ip", "link", "set", "cable", "up")

    def on(self, name: str) -> list[str]:
        """The words before a command that make it run on that host."""
        return ["nsenter", "--target", str(self.hosts[name].pid), "--mount", "--uts", "--net", "--"]

    def _on(self, name: str, *command: str):
        subprocess.run([*self.on(name), *command], check=True, capture_output=True)

    def cut(self, name: str):
        self._on(name, "ip", "link", "set", "cable", "down")

    def close(self):
        for host in self.hosts.values():
            host.kill()
            host.communicate()


@pytest.fixture
def machines(tmp_path):
    if not can_make_machines():
        pytest.skip("only root with unshare, ip and mount can make two machines")
    machines = Machines(tmp_path, ("node1", "node2"))
    yield machines
    machines.close()


def test_a_neighbour_on_another_machine_asks_the_owner_over_tcp(start, machines):
    owner = start(machines.on("node1"), tcp=[machines.addresses["node1"], 0], shared_folder=True, timing=HURRY)
    assert opened(owner)
    neighbour = start(machines.on("node2"), tcp=[machines.addresses["node2"], 0], shared_folder=True, timing=HURRY)
    assert not opened(neighbour)
    assert neighbour.ask("ping")["by"] == owner.ask("ping")["by"]
    assert neighbour.ask("create")["count"] == 1
    owner.close()
    assert neighbour.ask("ping")["is_owner"]


def test_a_dead_owner_on_another_machine_is_followed_when_its_heartbeat_has_stopped(start, machines, tmp_path):
    owner = start(machines.on("node1"), tcp=[machines.addresses["node1"], 0], shared_folder=True, timing=HURRY)
    assert opened(owner)
    owner.kill()
    began = time.monotonic()
    other = start(machines.on("node2"), shared_folder=True, timing=HURRY)
    assert "watching for up to 2 s" in other.hear_until("told")["text"]
    assert other.hear_until("open")["is_owner"]
    assert time.monotonic() - began >= HURRY["stale_s"]
    assert json.loads((tmp_path / "torc.db.owner").read_text())["machine"]["host"] == "node2"


def test_a_living_owner_that_cannot_be_reached_is_named_and_not_replaced(start, machines, tmp_path):
    owner = start(machines.on("node1"), shared_folder=True, timing=HURRY)
    assert opened(owner)
    other = start(machines.on("node2"), shared_folder=True, timing=HURRY)
    failed = other.hear_until("failed")
    assert "on node1" in failed["error"]
    assert "does not listen to other machines" in failed["error"]
    assert "node1" in failed["hint"]
    assert owner.ask("ping")["is_owner"]
    assert len((tmp_path / "torc.db.witness").read_text().split()) == 1


def test_an_owner_that_was_halted_too_long_writes_no_more_and_asks_its_successor(start, machines):
    options = {"shared_folder": True, "timing": HURRY, "exclusive": False}
    owner = start(machines.on("node1"), tcp=[machines.addresses["node1"], 0], **options)
    assert opened(owner)
    os.kill(owner.pid, signal.SIGSTOP)
    other = start(machines.on("node2"), tcp=[machines.addresses["node2"], 0], **options)
    assert other.hear_until("open")["is_owner"]
    assert other.ask("create") == {"count": 1, "by": f"by {other.pid}"}
    os.kill(owner.pid, signal.SIGCONT)
    assert owner.ask("create") == {"count": 2, "by": f"by {other.pid}"}
    assert not owner.ask("ping")["is_owner"]
    owner.close()
    assert other.ask("ping")["is_owner"]


def test_an_owner_at_an_address_that_leads_elsewhere_is_not_replaced_while_it_lives(start, machines):
    owner = start(machines.on("node1"), tcp=["127.0.0.1", 0], shared_folder=True, timing=HURRY)
    assert opened(owner)
    # Seen from the other machine nobody listens there, but the heartbeat tells that the owner lives.
    other = start(machines.on("node2"), shared_folder=True, timing=HURRY)
    failed = other.hear_until("failed")
    assert "does not answer at tcp:127.0.0.1:" in failed["error"]


def test_a_stranger_on_tcp_is_not_answered(start, tmp_path):
    owner = start(tcp=["127.0.0.1", 0])
    assert opened(owner)
    neighbour = start()
    assert not opened(neighbour)
    _, address = json.loads((tmp_path / "torc.db.owner").read_text())["addresses"]
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 20) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while more := stranger.recv(65_536):
                received += more
    assert b"answer" not in received
    assert neighbour.ask("ping")["by"] == owner.pid
