"""The suite that every monitor passes: subclass it, set ``__test__ = True`` and say how one is made.

::

    class TestMyMonitor(MonitorSuite):
        __test__ = True

        def make(self, tmp_path):
            return MyMonitor()
"""
# ruff: noqa: D102  (the name of a test is its claim)

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from torc_core.contracts.executor import Processes
from torc_core.contracts.monitor import MachineUsage, Monitor, Usage
from torc_core.testing.executors import wait_for, written

MIB = 2**20
_SAID = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('ready\\n')\n"
HOLD = "held = b'x' * (int(sys.argv[3]) << 20)\n"
"""Holds argv[3] MiB of memory, every page of it."""
WAIT = "import time\nwhile not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
BURN = "import time\nwhile time.process_time() < float(sys.argv[3]): pass\n"
"""Has used argv[3] seconds of CPU time when it goes on."""
WRITE = "pathlib.Path(sys.argv[3]).write_bytes(b'x' * (5 << 20))\n"
"""Writes 5 MiB into the file argv[3]."""


class Command:
    """A program that says when it has done its work, and stays until it may go."""

    def __init__(self, folder: Path, name: str, mark: str) -> None:
        self.ready, self.go = folder / f"{name}.ready", folder / f"{name}.go"
        self.mark = f"TORC_TEST_MARK={mark}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, work: str, argument: Any = "", around: str = "{}") -> None:
        """Start it in a session of its own; ``around`` is the shell command that it is in."""
        program = ["import pathlib, sys\n", work, _SAID, WAIT]
        words = [sys.executable, "-c", "".join(program), str(self.ready), str(self.go), str(argument)]
        quoted = " ".join(f"'{_quoted(word)}'" for word in words)
        name, _, value = self.mark.partition("=")
        self._process = subprocess.Popen(
            ["bash", "-c", around.format(quoted)], start_new_session=True, env={**os.environ, name: value}
        )

    def is_ready(self) -> None:
        """Wait until its work is done."""
        written(self.ready)

    @property
    def processes(self) -> Processes:
        """Where its processes are found."""
        assert self._process is not None
        return Processes(self._process.pid, (self.mark,))

    def end(self) -> None:
        """Let it go and wait for its end."""
        self.go.touch()
        if self._process is not None:
            self._process.wait(30)

    def kill(self) -> None:
        """End what is left of it."""
        self.go.touch()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)


def _quoted(word: str) -> str:
    return word.replace("'", "'\\''")


class MonitorSuite:
    """What callers rely on, as tests, with real processes."""

    __test__ = False

    def make(self, tmp_path: Path) -> Monitor:
        """Return a new monitor that may use the directory."""
        raise NotImplementedError("the subclass says how a monitor is made")

    @pytest.fixture
    def monitor(self, tmp_path: Path) -> Iterator[Monitor]:
        """A monitor that is closed when the test is over."""
        made = self.make(tmp_path)
        problems = made.check()
        if problems:
            pytest.skip(f"cannot be used here: {problems[0].message}")
        yield made
        made.close()

    @pytest.fixture
    def command(self, tmp_path: Path) -> Iterator[Callable[[str], Command]]:
        """Makes commands that do not outlive the test."""
        made: list[Command] = []

        def make(name: str = "command") -> Command:
            made.append(Command(tmp_path, name, f"{tmp_path}/{name}"))
            return made[-1]

        yield make
        for one in made:
            one.kill()

    def look(self, monitor: Monitor, one: Command) -> Usage:
        """Return what one command uses."""
        return monitor.measure({1: one.processes})[1]

    def test_memory_is_what_the_command_holds(self, monitor: Monitor, command: Any) -> None:
        small, big = command("small"), command("big")
        small.start(HOLD, 0)
        big.start(HOLD, 60)
        small.is_ready()
        big.is_ready()
        seen = monitor.measure({1: small.processes, 2: big.processes})
        more = seen[2].memory_bytes - seen[1].memory_bytes
        assert 58 * MIB <= more <= 66 * MIB
        assert 2 * MIB <= seen[1].memory_bytes <= 50 * MIB

    def test_memory_that_was_given_back_is_remembered_or_not_known(self, monitor: Monitor, command: Any) -> None:
        one = command()
        one.start(HOLD + "del held\n", 60)
        one.is_ready()
        seen = self.look(monitor, one)
        assert seen.memory_bytes <= 50 * MIB
        assert seen.peak_memory_bytes is None or seen.peak_memory_bytes >= 60 * MIB

    def test_cpu_time_is_what_the_command_used(self, monitor: Monitor, command: Any) -> None:
        one = command()
        one.start(BURN, 0.5)
        one.is_ready()
        assert 0.45 <= self.look(monitor, one).cpu_seconds <= 3.0

    def test_cpu_time_only_grows_and_keeps_that_of_children_that_have_ended(
        self, monitor: Monitor, command: Any, tmp_path: Path
    ) -> None:
        one = command()
        child = f"'{sys.executable}' -c 'import time\nwhile time.process_time() < 0.5: pass'"  # systems count in ticks
        one.start("", around=f"{child}; {{}}")
        one.is_ready()
        assert self.look(monitor, one).cpu_seconds >= 0.4
        assert self.look(monitor, one).cpu_seconds >= 0.4

    def test_processes_are_counted_with_their_children(self, monitor: Monitor, command: Any) -> None:
        one = command()
        one.start("", around="sleep 300 & sleep 300 & {}; kill %1 %2")
        one.is_ready()
        assert self.look(monitor, one).num_processes == 4  # bash, two sleeps, and the program

    def test_children_share_in_the_sums(self, monitor: Monitor, command: Any, tmp_path: Path) -> None:
        one = command()
        one.start(HOLD, 30, around="({0}) & ({0}) & wait")
        wait_for(lambda: self.look(monitor, one).memory_bytes >= 60 * MIB, "the memory of both programs")
        assert self.look(monitor, one).num_processes >= 3

    def test_bytes_written_are_counted(self, monitor: Monitor, command: Any, tmp_path: Path) -> None:
        one = command()
        one.start(WRITE, tmp_path / "data")
        one.is_ready()
        seen = self.look(monitor, one)
        if seen.write_bytes is None:
            pytest.skip("this system does not say what processes read and write")
        assert 5 * MIB <= seen.write_bytes <= 6 * MIB
        assert seen.read_bytes is not None

    def test_what_has_left_its_session_and_its_parents_is_found(
        self, monitor: Monitor, command: Any, tmp_path: Path
    ) -> None:
        one = command()
        one.start("", around=f"(setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' &) ; {{}}; true")
        pid = int(written(tmp_path / "pid"))
        one.is_ready()
        try:
            wait_for(lambda: self.look(monitor, one).num_processes == 3, "bash, the program and the one that left")
            one.end()
            assert self.look(monitor, one).num_processes == 1
        finally:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: 1 not in monitor.measure({1: one.processes}), "the end of the last process")

    def test_many_commands_are_told_apart(self, monitor: Monitor, command: Any) -> None:
        all_of_them = [command(f"c{number}") for number in range(8)]
        for number, one in enumerate(all_of_them):
            one.start("", around="sleep 300 & " * number + "{}; kill $(jobs -p)")
        for one in all_of_them:
            one.is_ready()
        seen = monitor.measure({number: one.processes for number, one in enumerate(all_of_them)})
        assert [seen[number].num_processes for number in range(8)][1:] == [number + 2 for number in range(1, 8)]

    def test_what_has_ended_or_never_was_is_left_out(self, monitor: Monitor, command: Any) -> None:
        one, other = command("one"), command("other")
        one.start("")
        other.start("")
        one.is_ready()
        other.is_ready()
        both = {1: one.processes, 2: other.processes, 3: Processes(None, ("TORC_TEST_MARK=nobody",))}
        assert set(monitor.measure(both)) == {1, 2}
        one.end()
        assert set(monitor.measure(both)) == {2}
        assert monitor.measure({}) == {}

    def test_the_exact_memory_counts_shared_pages_once_or_is_not_known(self, monitor: Monitor, command: Any) -> None:
        one = command()
        fork = HOLD + "import os\nfor _ in range(3):\n    if os.fork() == 0: break\n"
        one.start(fork, 60)
        one.is_ready()
        wait_for(lambda: self.look(monitor, one).num_processes == 4, "four processes")
        sizes = self.look(monitor, one).memory_bytes, monitor.exact_memory(1)
        assert sizes[0] >= 60 * MIB
        assert sizes[1] is None or 60 * MIB <= sizes[1] <= 150 * MIB
        assert monitor.exact_memory(99) is None

    def test_the_machine_is_bigger_than_what_runs_on_it(self, monitor: Monitor, command: Any) -> None:
        one = command()
        one.start("import time\nend = time.monotonic() + 600\nwhile not pathlib.Path(sys.argv[2]).exists(): pass\n")
        seen = wait_for(lambda: _busy(monitor), "a busy machine")
        assert 0 < seen.memory_bytes < seen.total_memory_bytes
        assert seen.total_memory_bytes == pytest.approx(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), rel=0.05
        )
        assert 100 / (os.cpu_count() or 1) * 0.5 <= seen.cpu_percent <= 100


def _busy(monitor: Monitor) -> MachineUsage | None:
    """Return what the machine used in the last tenth of a second, when that is about a CPU or more."""
    time.sleep(0.1)
    seen = monitor.machine()
    return seen if seen is not None and seen.cpu_percent >= 100 / (os.cpu_count() or 1) * 0.5 else None
