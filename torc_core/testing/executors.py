"""The suite that every executor passes: subclass it, set ``__test__ = True`` and say how one is made.

::

    class TestMyExecutor(ExecutorSuite):
        __test__ = True

        def make(self, tmp_path):
            return MyExecutor(workdir=tmp_path)
"""
# ruff: noqa: D102  (the name of a test is its claim)

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from torc_core.contracts.executor import Executor, Handle, LaunchRequest, Observation, SubmitError

DEADLINE_SECONDS = 30.0


def wait_for(condition: Callable[[], Any], what: str = "the condition", deadline: float = DEADLINE_SECONDS) -> Any:
    """Return the first true value of ``condition``, asking often; fails when there is none in time."""
    give_up_at = time.monotonic() + deadline
    while time.monotonic() < give_up_at:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come true in {deadline} s; last: {condition()!r}")


def written(path: Path) -> str:
    """Return the text of a file as soon as it ends with a line's end."""
    text: str = wait_for(lambda: path.exists() and (t := path.read_text()).endswith("\n") and t, f"a line in {path}")
    return text


def is_running(pid: int) -> bool:
    """Say whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class ExecutorSuite:
    """What callers rely on, as tests; those a capability rules out are skipped with its name."""

    __test__ = False
    poll_seconds = 0.2  # how often an executor without ``wake_fd`` is asked

    def make(self, tmp_path: Path) -> Executor:
        """Return a new executor that may use the directory."""
        raise NotImplementedError("the subclass says how an executor is made")

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        """An executor that is closed when the test is over."""
        made = self.make(tmp_path)
        if made.capabilities.side_effect_free:
            pytest.skip("side_effect_free: nothing is started")
        yield made
        made.close()

    def request(self, tmp_path: Path, command: str, key: str = "job", **changes: Any) -> LaunchRequest:
        """Return a request whose logs are KEY.o and KEY.e in the directory."""
        env = {"PATH": os.environ.get("PATH", os.defpath)}
        logs = str(tmp_path / f"{key}.o"), str(tmp_path / f"{key}.e")
        return LaunchRequest(key, key, command, env, *logs)._replace(**changes)

    def start(self, executor: Executor, *requests: LaunchRequest) -> list[Handle]:
        """Submit requests that are all accepted."""
        handles = executor.submit(requests)
        assert all(isinstance(handle, Handle) for handle in handles), handles
        return [handle for handle in handles if isinstance(handle, Handle)]

    def wait(self, executor: Executor, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """Return the observations of commands when all have ended, told the way the executor tells it."""
        if executor.wake_fd() is None:
            return self._ask(executor, handles)
        ended: dict[Handle, Observation] = {}
        news = select.poll()
        news.register(executor.wake_fd() or 0, select.POLLIN)
        give_up_at = time.monotonic() + DEADLINE_SECONDS
        while not set(handles) <= ended.keys():
            assert time.monotonic() < give_up_at, f"not ended: {set(handles) - ended.keys()}"
            due = executor.deadline()
            news.poll(1000 if due is None else max(0, min(1000, (due - time.monotonic()) * 1000 + 1)))
            for handle, observation in executor.ended():
                assert handle not in ended, f"{handle} was told twice"
                ended[handle] = observation
        return ended

    def _ask(self, executor: Executor, handles: Collection[Handle]) -> dict[Handle, Observation]:
        give_up_at = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < give_up_at:
            seen = executor.poll(handles)
            if all(observation.state in {"done", "lost"} for observation in seen.values()):
                return seen
            time.sleep(self.poll_seconds)
        raise AssertionError(f"not ended: {executor.poll(handles)}")

    def run(self, executor: Executor, request: LaunchRequest) -> Observation:
        """Start one command and wait for its end."""
        [handle] = self.start(executor, request)
        return self.wait(executor, [handle])[handle]

    # how commands end

    @pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
    def test_the_exit_code_is_the_commands(self, executor: Executor, tmp_path: Path, code: int) -> None:
        seen = self.run(executor, self.request(tmp_path, f"exit {code}"))
        assert (seen.state, seen.exit_code, seen.signal, seen.reason) == ("done", code, None, None)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
    def test_a_signal_is_told_as_a_signal(self, executor: Executor, tmp_path: Path, number: signal.Signals) -> None:
        seen = self.run(executor, self.request(tmp_path, f"kill -{int(number)} $$"))
        assert (seen.state, seen.exit_code, seen.signal, seen.reason) == ("done", None, int(number), None)

    def test_a_program_that_is_not_there_ends_with_127_and_a_message(self, executor: Executor, tmp_path: Path) -> None:
        assert self.run(executor, self.request(tmp_path, "no-such-program-here now")).exit_code == 127
        assert "no-such-program-here" in (tmp_path / "job.e").read_text()

    def test_times_are_of_this_day_and_in_order(self, executor: Executor, tmp_path: Path) -> None:
        before = time.time()
        seen = self.run(executor, self.request(tmp_path, "true"))
        assert seen.started_at is None or before - 60 <= seen.started_at <= time.time() + 60
        assert seen.started_at is None or seen.ended_at is None or seen.started_at <= seen.ended_at

    def test_fifty_at_once_are_answered_in_order_and_all_end(self, executor: Executor, tmp_path: Path) -> None:
        requests = [self.request(tmp_path, f"echo {i}; exit {i}", f"job{i}") for i in range(50)]
        handles: list[Handle] = []
        for first in range(0, 50, executor.capabilities.max_batch):
            handles += self.start(executor, *requests[first : first + executor.capabilities.max_batch])
        assert len(set(handles)) == 50
        ended = self.wait(executor, handles)
        assert [ended[handle].exit_code for handle in handles] == list(range(50))
        assert [(tmp_path / f"job{i}.o").read_text() for i in range(50)] == [f"{i}\n" for i in range(50)]

    # what commands get

    def test_each_stream_goes_to_its_file(self, executor: Executor, tmp_path: Path) -> None:
        self.run(executor, self.request(tmp_path, "echo out; echo err >&2"))
        assert ((tmp_path / "job.o").read_text(), (tmp_path / "job.e").read_text()) == ("out\n", "err\n")

    def test_the_same_path_twice_combines_the_streams(self, executor: Executor, tmp_path: Path) -> None:
        both = str(tmp_path / "both.log")
        command = "echo one; echo two >&2; echo three"
        self.run(executor, self.request(tmp_path, command, stdout=both, stderr=both))
        assert Path(both).read_text() == "one\ntwo\nthree\n"

    def test_no_path_discards_a_stream(self, executor: Executor, tmp_path: Path) -> None:
        request = self.request(tmp_path, "echo out && echo err >&2", stdout=None)
        assert self.run(executor, request).exit_code == 0
        assert not (tmp_path / "job.o").exists()
        assert (tmp_path / "job.e").read_text() == "err\n"

    def test_log_files_begin_empty(self, executor: Executor, tmp_path: Path) -> None:
        (tmp_path / "job.o").write_text("of the last time, and longer\n")
        self.run(executor, self.request(tmp_path, "echo new"))
        assert (tmp_path / "job.o").read_text() == "new\n"

    def test_nothing_can_be_read_from_stdin(self, executor: Executor, tmp_path: Path) -> None:
        assert self.run(executor, self.request(tmp_path, "wc -c")).exit_code == 0
        assert (tmp_path / "job.o").read_text().strip() == "0"

    @pytest.mark.parametrize("command", ["env", "env | cat"])
    def test_the_environment_is_the_requests(
        self, executor: Executor, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OF_THE_CALLER", "1")
        env = {"PATH": os.environ["PATH"], "GREETING": 'two  blanks, "quotes" and ünïcode'}
        self.run(executor, self.request(tmp_path, command, env=env))
        lines = (tmp_path / "job.o").read_text(encoding="utf-8").splitlines()
        assert 'GREETING=two  blanks, "quotes" and ünïcode' in lines
        assert not [line for line in lines if line.startswith("OF_THE_CALLER")]

    @pytest.mark.parametrize("command", ["pwd -P", "/bin/pwd"])
    def test_the_command_runs_in_the_directory_asked_for(
        self, executor: Executor, tmp_path: Path, command: str
    ) -> None:
        folder = tmp_path / "a folder"
        folder.mkdir()
        self.run(executor, self.request(tmp_path, command, cwd=str(folder)))
        assert (tmp_path / "job.o").read_text() == f"{folder.resolve()}\n"

    @pytest.mark.parametrize(
        ("command", "output"),
        [
            ("echo 'two  blanks'  one", "two  blanks one\n"),
            ("echo naïve 日本", "naïve 日本\n"),
            ("echo $((6 * 7))", "42\n"),
            ("x=5; echo $x", "5\n"),
            ("echo {a,b}c", "ac bc\n"),
            ("echo one\necho two", "one\ntwo\n"),
            ("# a comment\necho after", "after\n"),
            ("echo a  b\tc", "a b c\n"),
            ("echo --version", "--version\n"),
            ("[[ abc == a* ]] && echo bash", "bash\n"),
            ("yes | head -n 1", "y\n"),
            ("NAME=value printenv NAME", "value\n"),
        ],
    )
    def test_the_command_means_what_it_means_to_bash(
        self, executor: Executor, tmp_path: Path, command: str, output: str
    ) -> None:
        assert self.run(executor, self.request(tmp_path, command)).exit_code == 0
        assert (tmp_path / "job.o").read_text(encoding="utf-8") == output
        assert (tmp_path / "job.e").read_text() == ""

    # what is known meanwhile

    def test_a_held_command_is_seen_until_it_ends(self, executor: Executor, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "gate")
        [handle] = self.start(executor, self.request(tmp_path, f"read line < {tmp_path}/gate; exit 4"))
        assert executor.poll([handle])[handle].state in {"queued", "running"}
        (tmp_path / "gate").write_text("go\n")
        assert self.wait(executor, [handle])[handle].exit_code == 4
        assert executor.poll([handle])[handle].exit_code == 4

    def test_an_unknown_handle_is_lost(self, executor: Executor) -> None:
        stranger = Handle(executor.name, "999999999")
        assert executor.poll([stranger])[stranger].state == "lost"

    def test_polling_takes_nothing_from_ended(self, executor: Executor, tmp_path: Path) -> None:
        if executor.wake_fd() is None:
            pytest.skip("wake_fd: this executor is polled")
        [handle] = self.start(executor, self.request(tmp_path, "exit 6"))
        wait_for(lambda: executor.poll([handle])[handle].state == "done", "the end of the command")
        assert [seen.exit_code for _, seen in executor.ended()] == [6]
        assert executor.ended() == []

    # what cannot be started

    def test_a_bad_request_is_answered_and_does_not_stop_others(self, executor: Executor, tmp_path: Path) -> None:
        bad = self.request(tmp_path, "true", "bad", cwd=str(tmp_path / "nowhere"))
        unreadable = self.request(tmp_path, "echo a\0b", "zero")
        first, second, third, last = executor.submit(
            [self.request(tmp_path, "true", "a"), bad, unreadable, self.request(tmp_path, "exit 2", "b")]
        )
        assert isinstance(second, SubmitError)
        assert isinstance(third, SubmitError)
        assert (second.key, third.key) == ("bad", "zero")
        assert "nowhere" in second.message
        assert isinstance(first, Handle)
        assert isinstance(last, Handle)
        ended = self.wait(executor, [first, last])
        assert (ended[first].exit_code, ended[last].exit_code) == (0, 2)

    def test_rendering_starts_nothing_and_writes_nothing(self, tmp_path: Path) -> None:
        executor = self.make(tmp_path)
        text = executor.render(self.request(tmp_path, f"echo 'it is' > {tmp_path}/made", "rendered"))
        executor.close()
        assert "it is" in text
        assert not [path.name for path in tmp_path.iterdir() if path.name in {"made", "rendered.o", "rendered.e"}]

    # how commands are ended

    def _tree(self, executor: Executor, tmp_path: Path, trap: str, **changes: Any) -> tuple[Handle, list[int]]:
        """Start a command with a child, both with a trap; return the handle and both process ids."""
        command = f"{trap} (sleep 300; true) & echo $$ $! > {tmp_path}/pids; wait"
        [handle] = self.start(executor, self.request(tmp_path, command, **changes))
        return handle, [int(pid) for pid in written(tmp_path / "pids").split()]

    def test_cancel_ends_everything_at_once(self, executor: Executor, tmp_path: Path) -> None:
        handle, pids = self._tree(executor, tmp_path, "trap '' TERM;")
        executor.cancel([handle], 300.0)
        seen = self.wait(executor, [handle])[handle]
        assert (seen.signal, seen.reason) == (signal.SIGKILL, "canceled")
        if executor.capabilities.runs_locally:
            wait_for(lambda: not any(map(is_running, pids)), "the end of the process tree")

    def test_what_may_end_by_itself_gets_time_for_it(self, executor: Executor, tmp_path: Path) -> None:
        command = f"trap 'echo saved; exit 5' TERM; echo up > {tmp_path}/up; while :; do sleep 0.02; done"
        [handle] = self.start(executor, self.request(tmp_path, command, supports_termination=True))
        written(tmp_path / "up")
        executor.cancel([handle], 300.0)
        seen = self.wait(executor, [handle])[handle]
        assert (seen.exit_code, seen.signal, seen.reason) == (5, None, "canceled")
        assert (tmp_path / "job.o").read_text() == "saved\n"

    def test_a_child_keeps_the_grace_when_its_shell_is_gone(self, executor: Executor, tmp_path: Path) -> None:
        inner = tmp_path / "inner.sh"
        go = tmp_path / "go"
        inner.write_text(
            f"trap 'until [ -e {go} ]; do sleep 0.02; done; echo saved; exit' TERM\n"
            f"echo up > {tmp_path}/up\nwhile :; do sleep 0.02; done\n"
        )
        command = f"echo $$ > {tmp_path}/shell; bash {inner}; echo not reached"
        [handle] = self.start(executor, self.request(tmp_path, command, supports_termination=True))
        written(tmp_path / "up")
        executor.cancel([handle], 300.0)
        if executor.capabilities.runs_locally:
            wait_for(lambda: not is_running(int(written(tmp_path / "shell"))), "the end of the shell")
        go.touch()
        self.wait(executor, [handle])
        assert (tmp_path / "job.o").read_text() == "saved\n"

    def test_what_does_not_end_by_itself_is_killed_after_the_grace(self, executor: Executor, tmp_path: Path) -> None:
        handle, pids = self._tree(executor, tmp_path, "trap '' TERM;", supports_termination=True)
        executor.cancel([handle], 0.2)
        assert self.wait(executor, [handle])[handle].signal == signal.SIGKILL
        if executor.capabilities.runs_locally:
            wait_for(lambda: not any(map(is_running, pids)), "the end of the process tree")

    def test_a_second_cancel_can_hurry_the_first(self, executor: Executor, tmp_path: Path) -> None:
        handle, _ = self._tree(executor, tmp_path, "trap '' TERM;", supports_termination=True)
        executor.cancel([handle], 300.0)
        executor.cancel([handle], 0.0)
        assert self.wait(executor, [handle])[handle].signal == signal.SIGKILL

    def test_canceling_what_has_ended_changes_nothing(self, executor: Executor, tmp_path: Path) -> None:
        [handle] = self.start(executor, self.request(tmp_path, "exit 3"))
        before = self.wait(executor, [handle])[handle]
        executor.cancel([handle], 0.0)
        executor.cancel([handle, Handle(executor.name, "999999999")], 1.0)
        assert executor.poll([handle])[handle] == before

    def test_canceling_one_leaves_the_others(self, executor: Executor, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "gate")
        held, ended = self.start(
            executor,
            self.request(tmp_path, f"read line < {tmp_path}/gate; exit 4", "held"),
            self.request(tmp_path, "sleep 300", "ended"),
        )
        executor.cancel([ended], 0.0)
        self.wait(executor, [ended])
        (tmp_path / "gate").write_text("go\n")
        assert self.wait(executor, [held])[held].exit_code == 4

    def test_a_command_is_ended_when_its_walltime_is_over(self, executor: Executor, tmp_path: Path) -> None:
        if not executor.capabilities.enforces_walltime:
            pytest.skip("enforces_walltime: nobody ends it")
        long = self.request(tmp_path, "sleep 300; true", "long", walltime_seconds=1.0)
        short = self.request(tmp_path, "exit 2", "short", walltime_seconds=300.0)
        first, second = self.start(executor, long, short)
        ended = self.wait(executor, [first, second])
        assert (ended[first].signal, ended[first].reason) == (signal.SIGKILL, "timeout")
        assert (ended[second].exit_code, ended[second].reason) == (2, None)

    def test_closing_leaves_no_children(self, tmp_path: Path) -> None:
        executor = self.make(tmp_path)
        if executor.capabilities.durable_handles or not executor.capabilities.runs_locally:
            executor.close()
            pytest.skip("durable_handles: commands go on")
        _, pids = self._tree(executor, tmp_path, "trap '' TERM;")
        executor.close()
        wait_for(lambda: not any(map(is_running, pids)), "the end of the process tree")

    def test_another_object_knows_the_handles(self, executor: Executor, tmp_path: Path) -> None:
        if not executor.capabilities.durable_handles:
            pytest.skip("durable_handles: handles end with the object")
        os.mkfifo(tmp_path / "gate")
        [handle] = self.start(executor, self.request(tmp_path, f"read line < {tmp_path}/gate; exit 4"))
        executor.close()
        other = self.make(tmp_path)
        try:
            assert other.poll([handle])[handle].state in {"queued", "running"}
            (tmp_path / "gate").write_text("go\n")
            assert self._ask(other, [handle])[handle].exit_code == 4
        finally:
            other.close()

    def test_a_worker_goes_on_when_the_object_is_closed(self, tmp_path: Path) -> None:
        executor = self.make(tmp_path)
        if not executor.capabilities.allocates:
            executor.close()
            pytest.skip("allocates no nodes")
        gate, log = tmp_path / "gate", tmp_path / "log"
        command = f"while [ ! -e {gate} ]; do sleep 0.01; done; echo went on > {log}"
        [handle] = executor.submit([self.request(tmp_path, command, allocation={})])
        executor.close()
        assert isinstance(handle, Handle)
        assert handle.id.partition(":")[0].isdecimal()
        other = self.make(tmp_path)
        try:
            assert other.poll([handle])[handle].state in {"queued", "running"}
            gate.touch()
            assert written(log) == "went on\n"
            assert self._ask(other, [handle])[handle].state in {"done", "lost"}
        finally:
            other.close()
