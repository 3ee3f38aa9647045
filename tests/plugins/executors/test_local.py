"""The local executor: the suite in both ways of waiting, and what only it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from torc_core.contracts.executor import Handle, LaunchRequest, SubmitError
from torc_core.testing.executors import ExecutorSuite, is_running, wait_for, written
from torc_plugins.executors import local_processes
from torc_plugins.executors.local import LocalExecutor
from torc_plugins.executors.local_waiting import PidfdWaiter, ThreadWaiter, has_pidfds

PATH = {"PATH": os.environ["PATH"]}


def inheritable(fd):
    try:
        return os.get_inheritable(int(fd))
    except OSError:
        return False


def children():
    """Return the processes that this one has started and not waited for."""
    return sorted(pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split())


class TestLocalExecutorWithThreads(ExecutorSuite):
    __test__ = True

    def make(self, tmp_path):
        return LocalExecutor(waiter=ThreadWaiter())


@pytest.mark.skipif(not has_pidfds(), reason="no pidfds here")
class TestLocalExecutorWithPidfds(ExecutorSuite):
    __test__ = True

    def make(self, tmp_path):
        return LocalExecutor(waiter=PidfdWaiter())

    @pytest.fixture
    def run_one(self, executor, tmp_path):
        return lambda command, **changes: self.run(executor, self.request(tmp_path, command, **changes))

    def test_cpu_time_is_measured(self, run_one):
        seen = run_one(f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.2: pass'")
        assert 0.2 <= seen.cpu_seconds < 20

    def test_peak_memory_is_the_commands(self, run_one):
        size = local_processes.own_peak_kib() * 1024 + 100 * 2**20
        seen = run_one(f"{sys.executable} -c 'x = b\"x\" * {size}'")
        assert size <= seen.peak_memory_bytes < size + 100 * 2**20

    def test_peak_memory_is_unknown_below_what_this_process_has_had(self, run_one):
        assert run_one("true").peak_memory_bytes is None

    def test_walltime_with_termination_gives_the_grace_of_the_request(self, run_one, tmp_path):
        command = "trap 'echo saved; exit 0' TERM; while :; do sleep 0.02; done"
        seen = run_one(command, supports_termination=True, walltime_seconds=0.3, grace_seconds=300.0)
        assert (seen.exit_code, seen.reason) == (0, "timeout")
        assert (tmp_path / "job.o").read_text() == "saved\n"

    def test_the_next_deadline_is_told(self, executor, tmp_path):
        assert executor.deadline() is None
        late, early = (self.request(tmp_path, "sleep 300", str(n), walltime_seconds=n) for n in (900.0, 600.0))
        self.start(executor, late)
        first = executor.deadline()
        self.start(executor, early)
        assert 290 < first - executor.deadline() < 310

    def test_many_ended_walltimes_do_not_pile_up(self, executor, tmp_path):
        for first in range(0, 400, 50):
            requests = [self.request(tmp_path, "true", f"{first + n}", walltime_seconds=9e5) for n in range(50)]
            self.wait(executor, self.start(executor, *requests))
        assert len(executor._alarms) < 350

    def test_a_job_leads_a_session_without_inherited_descriptors(self, executor, tmp_path):
        reader, writer = os.pipe()
        [handle] = self.start(executor, self.request(tmp_path, "echo $$; ps -o sid= -p $$; ls /proc/$$/fd; true"))
        self.wait(executor, [handle])
        os.close(reader)
        os.close(writer)
        pid, session, *descriptors = (tmp_path / "job.o").read_text().split()
        assert pid == session
        # What whoever started the tests lets all programs inherit is not ours to close.
        given = {fd.name for fd in Path("/proc/self/fd").iterdir() if inheritable(fd.name)}
        assert {"0", "1", "2"} <= set(descriptors) <= {"0", "1", "2", "255"} | given

    def test_what_a_job_leaves_in_the_background_is_not_touched_when_it_ends_by_itself(self, executor, tmp_path):
        self.run(executor, self.request(tmp_path, f"sleep 300 & echo $! > {tmp_path}/pid"))
        pid = int(written(tmp_path / "pid"))
        try:
            assert is_running(pid)
        finally:
            os.kill(pid, signal.SIGKILL)

    def test_a_script_without_interpreter_line_runs_as_bash_runs_it(self, executor, tmp_path):
        script = tmp_path / "script"
        script.write_text("echo plain\n")
        script.chmod(0o755)
        assert self.run(executor, self.request(tmp_path, str(script))).exit_code == 0
        assert (tmp_path / "job.o").read_text() == "plain\n"

    def test_a_file_that_may_not_be_run_ends_with_126(self, executor, tmp_path):
        (tmp_path / "data").write_text("echo\n")
        assert self.run(executor, self.request(tmp_path, str(tmp_path / "data"))).exit_code == 126

    def test_a_program_made_by_an_earlier_job_is_found(self, executor, tmp_path):
        env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        assert self.run(executor, self.request(tmp_path, "made-later", "a", env=env)).exit_code == 127
        make = f"mkdir {tmp_path}/bin; printf '#!/bin/sh\\nexit 9\\n' > bin/made-later; chmod +x bin/made-later"
        self.run(executor, self.request(tmp_path, make, "b", cwd=str(tmp_path)))
        assert self.run(executor, self.request(tmp_path, "made-later", "c", env=env)).exit_code == 9
        (tmp_path / "bin/made-later").unlink()
        assert self.run(executor, self.request(tmp_path, "made-later", "d", env=env)).exit_code == 127

    def test_a_function_of_the_environment_goes_before_a_program(self, executor, tmp_path):
        env = {**PATH, "BASH_FUNC_true%%": "() { exit 12; }"}
        assert self.run(executor, self.request(tmp_path, "true", env=env)).exit_code == 12

    def test_the_message_names_the_log_file_that_cannot_be_written(self, executor, tmp_path):
        [answer] = executor.submit([self.request(tmp_path, "true", stdout=str(tmp_path / "missing" / "job.o"))])
        assert isinstance(answer, SubmitError)
        assert str(tmp_path / "missing" / "job.o") in answer.message

    def test_running_out_of_descriptors_is_an_answer_and_leaves_nothing_behind(self, executor, tmp_path):
        class Full(PidfdWaiter):
            def add(self, pid):
                raise OSError(24, "Too many open files")

        before = children()
        full = LocalExecutor(waiter=Full())
        [answer] = full.submit([self.request(tmp_path, "sleep 300")])
        full.close()
        assert "ulimit -n" in answer.message
        assert children() == before

    def test_render_shows_what_is_run(self, executor):
        def shown(command, **changes):
            return executor.render(LaunchRequest("k", "n", command, PATH, None, None)._replace(**changes))

        assert shown("sleep 1").endswith("bin/sleep 1")
        assert shown("echo $HOME").endswith("bin/bash -c 'echo $HOME'")
        assert shown("sleep 1", cwd="/tmp").endswith("""-c 'cd -- "$0" && exec "$@"' /tmp sleep 1""")


HOLDER = """
import os, sys
from torc_core.contracts.executor import LaunchRequest
from torc_plugins.executors.local import LocalExecutor
[handle] = LocalExecutor().submit([LaunchRequest("k", "n", sys.argv[2], dict(os.environ), None, None)])
print(handle.id, flush=True)
os.kill(os.getpid(), 9)
"""


class TestCommandsOfAKilledRunner:
    def leave_behind(self, command):
        done = subprocess.run([sys.executable, "-c", HOLDER, "", command], capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        return Handle("local", done.stdout.strip())

    @pytest.fixture
    def executor(self):
        made = LocalExecutor()
        yield made
        made.close()

    def test_they_are_recognised_and_ended(self, executor, tmp_path):
        handle = self.leave_behind(f"(sleep 300; true) & echo $$ $! > {tmp_path}/pids; wait")
        pids = [int(pid) for pid in written(tmp_path / "pids").split()]
        assert executor.poll([handle])[handle].state == "running"
        executor.cancel([handle], 0.0)
        wait_for(lambda: executor.poll([handle])[handle].state == "lost", "the end of the command")
        wait_for(lambda: not any(map(is_running, pids)), "the end of the process tree")

    def test_their_children_are_ended_when_the_leader_is_gone(self, executor, tmp_path):
        handle = self.leave_behind(f"(sleep 300; true) & echo $! > {tmp_path}/pid")
        pid = int(written(tmp_path / "pid"))
        wait_for(lambda: not is_running(int(handle.id.split(":")[0])), "the end of the leader")
        executor.cancel([handle], 0.0)
        wait_for(lambda: not is_running(pid), "the end of the child")

    def test_of_a_worker_of_another_machine_nothing_is_known(self, executor):
        [handle] = executor.submit([LaunchRequest("k", "n", "true", PATH, None, None, allocation={})])
        other = Handle("local", f"{handle.id.partition('@')[0]}@elsewhere")
        before_boot = Handle("local", f"1:1:{'0' * 32}@{handle.id.partition('@')[2]}")
        assert other not in executor.poll([other, handle])
        assert executor.poll([before_boot])[before_boot].state == "lost"

    @pytest.mark.parametrize("change", ["start", "boot"])
    def test_a_process_that_only_has_the_same_number_is_left_alone(self, executor, tmp_path, change):
        handle = self.leave_behind(f"echo $$ > {tmp_path}/pid; sleep 300; true")
        pid = int(written(tmp_path / "pid"))
        number, start, boot = handle.id.split(":")
        start, boot = (str(int(start) - 100_000), boot) if change == "start" else (start, "0" * 32)
        other = Handle("local", f"{number}:{start}:{boot}")
        executor.cancel([other], 0.0)
        assert executor.poll([other])[other].state == "lost"
        assert is_running(pid)
        executor.cancel([handle], 0.0)
        wait_for(lambda: not is_running(pid), "the end of the command")
