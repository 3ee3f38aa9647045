"""Real programs run a random workflow and are killed (SIGKILL) at random points, until it has ended all the same."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.server.server_process import ServerProcess, environment
from tests.torture.checks import check, lines
from tests.torture.workflows import Wanted, random_jobs, spec_of
from torc_core.service.local import LocalService
from torc_plugins.storage.sqlite_storage import SqliteStorage

PATIENCE_S = 90.0
OWNER, NEIGHBOUR, BOTH, SERVER, RUNNER = "owner", "neighbour", "owner and neighbour", "server", "runner"
DATABASE = Path("torc_output", "torc.db")
_MOST_ROUNDS = 40
_LATE_S = 0.03


def wait_for(condition: Callable[[], Any], what: str) -> None:
    """Wait until something is true; raises AssertionError."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s in vain for: {what}"
        time.sleep(0.002)


def create(folder: Path, jobs: Sequence[Wanted], *words: str) -> int:
    """Store a workflow and return its id."""
    (folder / "spec.json").write_text(json.dumps(spec_of(list(jobs))))
    done = subprocess.run(
        [sys.executable, "-m", "torc_core.cli", "-f", "json", *words, "create", "spec.json"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["workflow_id"])


class Runners:
    """Programs ``torc run`` in one folder; none outlives this."""

    def __init__(self, folder: Path, workflow_id: int, *words: str) -> None:
        self.folder = folder
        self._words = (*words, "run", str(workflow_id))
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one more."""
        command = [sys.executable, "-m", "torc_core.cli", *self._words, "-j", "3", "-p", "1", *words]
        with (self.folder / "runners.txt").open("ab") as said:
            made = subprocess.Popen(command, cwd=self.folder, env=environment(self.folder), stdout=said, stderr=said)
        self.all.append(made)
        return made

    def __enter__(self) -> Runners:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.all:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


def shoot(process: subprocess.Popen[bytes], tally: Counter[str], who: str) -> None:
    """Kill, unless it has ended by itself."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        tally[who] += 1
    process.wait(PATIENCE_S)


def embedded(
    folder: Path, chance: random.Random, jobs: Sequence[Wanted] | None = None, victims: str = "", rounds: int = 0
) -> Counter[str]:
    """Run one workflow in a database that runners own; returns who was killed how often.

    Without ``victims`` chance says who is shot at, without ``rounds`` how often.
    """
    jobs = random_jobs(chance) if jobs is None else jobs
    workflow_id = create(folder, jobs)
    tally: Counter[str] = Counter()
    rounds = rounds or chance.randint(1, 3)
    for round_ in range(_MOST_ROUNDS):
        with Runners(folder, workflow_id) as runners:
            whom = "" if round_ >= rounds else victims or chance.choice((OWNER, OWNER, BOTH, NEIGHBOUR))
            _embedded_round(runners, whom, chance, tally)
        if _is_complete(folder, workflow_id):
            break
    else:
        raise AssertionError(f"not complete after {_MOST_ROUNDS} rounds: {_said(folder)}")
    with contextlib.closing(LocalService(SqliteStorage(str(folder / DATABASE)))) as service:
        check(service, workflow_id, folder, jobs)
    return tally


def _embedded_round(runners: Runners, whom: str, chance: random.Random, tally: Counter[str]) -> None:
    owner = runners.start()
    if whom in (NEIGHBOUR, BOTH):
        file = runners.folder / f"{DATABASE}.owner"
        wait_for(lambda: file.exists() or owner.poll() is not None, "an owner")
        runners.start()
    if whom:
        _wait_a_bit(runners, chance)
        victims = {OWNER: [owner], NEIGHBOUR: runners.all[1:], BOTH: runners.all}[whom]
        for victim in chance.sample(victims, len(victims)):
            shoot(victim, tally, OWNER if victim is owner else NEIGHBOUR)
            time.sleep(chance.random() * _LATE_S)
    for process in runners.all:
        process.wait(PATIENCE_S)


def _wait_a_bit(runners: Runners, chance: random.Random) -> None:
    """Let jobs start and end, or nothing at all happen, and a little time pass: the point is random."""
    goal = len(lines(runners.folder)) + chance.randint(0, 10)
    processes = list(runners.all)
    wait_for(
        lambda: len(lines(runners.folder)) >= goal or any(p.poll() is not None for p in processes),
        f"{goal} notes of jobs or the end of a runner: {_said(runners.folder)}",
    )
    time.sleep(chance.random() * _LATE_S)


def _is_complete(folder: Path, workflow_id: int) -> bool:
    with contextlib.closing(LocalService(SqliteStorage(str(folder / DATABASE)))) as service:
        return service.get_workflow_status(workflow_id).is_complete


def _said(folder: Path) -> str:
    file = folder / "runners.txt"
    return file.read_text()[-2000:] if file.exists() else ""


def lasting_port() -> int:
    """Return a free port that can be taken again at once: not one of those that the system deals out."""
    for port in random.SystemRandom().sample(range(20000, 32000), 100):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class Shooting:
    """A server that is killed and comes back on the same port and database, with the runners that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ServerProcess(folder, port=lasting_port())
        self.tally: Counter[str] = Counter()

    def __enter__(self) -> Shooting:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def restart(self) -> None:
        """Kill the server and begin it anew."""
        self.server.kill()
        self.tally[SERVER] += 1
        self.server = ServerProcess(self.folder, port=self.server.port)

    def run(self, folder: Path, chance: random.Random) -> None:
        """Run one workflow in a folder with two runners, and kill these and the server."""
        jobs = random_jobs(chance)
        url = ("--url", self.server.url)
        workflow_id = create(folder, jobs, *url)
        for round_ in range(_MOST_ROUNDS):
            with Runners(folder, workflow_id, *url) as runners:
                runners.start()
                runners.start()
                for _ in range(chance.randint(1, 3) if round_ < 2 else 0):
                    _wait_a_bit(runners, chance)
                    if chance.random() < 0.6:
                        self.restart()
                    else:
                        shoot(chance.choice(runners.all), self.tally, RUNNER)
                for process in runners.all:
                    process.wait(PATIENCE_S)
            with self.server.service() as service:
                if service.get_workflow_status(workflow_id).is_complete:
                    check(service, workflow_id, folder, jobs)
                    return
        raise AssertionError(f"not complete after {_MOST_ROUNDS} rounds: {_said(folder)}")


class RunFailed(AssertionError):
    """A run that did not end right; ``number`` says which."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def seeded(seed: int, number: int) -> random.Random:
    """Return the chance of one run; it depends on nothing but these two."""
    return random.Random(f"{seed} {number}")


def run_embedded(root: Path, seed: int, numbers: range) -> Counter[str]:
    """Do these runs; raises AssertionError, which names the run."""
    tally: Counter[str] = Counter()
    for number in numbers:
        folder = _folder(root, f"embedded{number}")
        with _named(seed, number, "embedded"):
            tally += embedded(folder, seeded(seed, number))
    return tally


def run_with_server(root: Path, seed: int, numbers: range) -> Counter[str]:
    """Do these runs on one server, which lives through all of them; raises AssertionError."""
    with Shooting(_folder(root, f"server{numbers.start}")) as shooting:
        for number in numbers:
            with _named(seed, number, "server"):
                shooting.run(_folder(root, f"served{number}"), seeded(seed, number))
        return shooting.tally


def _folder(root: Path, name: str) -> Path:
    made = root / name
    made.mkdir()
    return made


@contextlib.contextmanager
def _named(seed: int, number: int, setting: str) -> Any:
    """Say of a failure how to see it again."""
    try:
        yield
    except Exception as exc:
        words = f"python -m tests.torture --seed {seed} --setting {setting} --first {number} --runs 1"
        raise RunFailed(f"run {number} of seed {seed} ({setting}): {exc}; again: {words}", number) from exc
