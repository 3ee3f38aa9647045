"""The display of a run: on a terminal one line that moves, elsewhere plain lines; tried on a pseudo-terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading

import pytest

from tests.cli.programs import DEADLINE_S, clean_environment, until
from torc_core.cli.progress import Display, Standing
from torc_core.records.answers import FinishedJob, JobLaunch, StatusSummary
from torc_core.runner.options import Counts
from torc_core.runner.progress import Progress
from torc_core.status import JobStatus

SLOW = "name: slow\njobs: [{name: 'job_{i}', command: 'sleep 0.4; test {i} -ne 2', parameters: {i: '1:4'}}]"


def summary(**counts):
    by_status = dict.fromkeys((status.value for status in JobStatus), 0) | counts
    return StatusSummary(
        workflow_id=1, workflow_name="w", workflow_user="ada", run_id=1, total_jobs=sum(by_status.values()),
        jobs_by_status=by_status, total_exec_time_minutes=0.0, active_compute_nodes=0, is_complete=False,
        is_canceled=False,
    )  # fmt: skip


def ended(id, status=JobStatus.COMPLETED, code=0, attempt=1, reason=None):
    job = JobLaunch(id=id, name=f"job{id}", command="c", attempt_id=attempt)
    end = FinishedJob(
        job_id=id, attempt_id=attempt, status=status, return_code=code, exec_time_minutes=0.0, completion_time="",
        reason=reason,
    )  # fmt: skip
    return job, end


def test_a_standing_says_done_running_failed_rate_and_time_left():
    # 10 of 20 had ended before; 5 here in 2.5 s are 2.0/s, so the 5 that are left take 2.5 s
    standing = Standing(total=20, before=10, done=15, running=2, failed=1, seconds=2.5)
    assert standing.text() == "15/20 done, 2 running, 1 failed, 2.0/s, 2.5s left"
    assert standing.bar() == "[" + "#" * 22 + " " * 8 + "]"  # 15/20 of 30


def test_a_slow_rate_is_told_by_the_minute_and_none_when_nothing_ended():
    assert Standing(10, 0, 1, 1, 0, 60.0).text() == "1/10 done, 1 running, 1.0/min, 9m 0s left"
    assert Standing(10, 0, 0, 1, 0, 60.0).text() == "0/10 done, 1 running"
    assert Standing(2, 0, 2, 0, 0, 1.0).text() == "2/2 done, 0 running, 2.0/s"
    assert Standing(0, 0, 0, 0, 0, 1.0).bar() == "[" + "#" * 30 + "]"


def test_failures_are_remembered_unless_a_later_attempt_succeeds():
    display = Display("error", summary(ready=3))
    failed, lost = ended(1, JobStatus.FAILED, 1), ended(2, JobStatus.TERMINATED, -128, reason="out of time")
    display.show(Progress(Counts(failed=1), [], [failed, lost]))
    assert list(display.failures) == [1, 2]
    display.show(Progress(Counts(completed=1), [], [ended(1, attempt=2)]))
    assert list(display.failures) == [2]


def test_lines_elsewhere_are_plain_and_say_what_failed(capsys):
    with Display("info", summary(ready=2, completed=1, disabled=4)) as display:
        display.show(Progress(Counts(failed=1), [], [ended(1, JobStatus.FAILED, 9, reason="out of memory"), ended(2)]))
        display.show(Progress(Counts(failed=1), [], [], "the service is away"))
        display.end(is_complete=True)
    assert capsys.readouterr().err.splitlines() == [
        "Running 2 of 3 jobs; 1 ended before",
        "job_id=1 name=job1 failed return_code=9 (out of memory)",
        "the service is away",
    ]


def test_large_numbers_of_jobs_are_all_written_alike(capsys):
    with Display("info", summary(ready=20000, completed=1001)):
        pass
    assert capsys.readouterr().err == "Running 20,000 of 21,001 jobs; 1,001 ended before\n"


class Terminal:
    """A program on a pseudo-terminal; what it shows is collected."""

    def __init__(self, folder, *words, columns=80, **env):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        environment = clean_environment(folder) | {"TERM": "xterm"} | env
        self.process = subprocess.Popen(
            [sys.executable, "-m", "torc_core.cli", *words], cwd=folder, env=environment, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True,
        )  # fmt: skip
        self.shown = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return
            if not piece:
                return
            self.shown += piece

    def type(self, text):
        os.write(self.master, text.encode())

    def sees(self, text):
        until(lambda: text.encode() in self.shown or self.process.poll() is not None, text)
        assert text.encode() in self.shown, self.shown.decode()

    def end(self):
        """Return the exit code and all that was shown, once the program has ended."""
        code = self.process.wait(DEADLINE_S)
        after = termios.tcgetattr(self.slave)
        os.close(self.slave)
        self._reader.join(DEADLINE_S)
        os.close(self.master)
        assert after == self.before, "the terminal was left in another mode"
        return code, self.shown.decode()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spec.yaml").write_text(SLOW)
    return tmp_path


def test_the_display_on_a_terminal_moves_in_place_and_ends_on_a_line_of_its_own(folder):
    code, shown = Terminal(folder, "run", "spec.yaml", "-j", "2").end()
    assert code == 0
    drawings = re.findall(r"\r(\[[# ]{30}\] [^\r\n\x1b]*)\x1b\[K", shown)
    assert len(drawings) >= 2
    assert len(set(drawings)) == len(drawings), "the same line was drawn again"
    assert any("2 running" in drawing for drawing in drawings)
    assert drawings[-1].startswith("[##############################] 4/4 done, 0 running, 1 failed")
    assert "left" not in drawings[-1]
    # what failed stands on a line above the one that moves, which is erased before and drawn after
    assert re.search(r"\x1b\[K(job_id=\d+ name=job_2 failed return_code=1)\r\n", shown)
    assert "\r\n3 completed, 1 failed in" in shown
    assert set(re.findall(r"\x1b\[([^A-Za-z]*[A-Za-z])", shown)) <= {"K"}, "only erasing: nothing has to be undone"


def test_the_display_keeps_to_the_width_of_the_terminal(folder):
    _, shown = Terminal(folder, "run", "spec.yaml", "-j", "4", columns=40).end()
    drawings = re.findall(r"\r(\[#[^\r\n\x1b]*|\[ [^\r\n\x1b]*)\x1b\[K", shown)
    assert drawings
    assert max(map(len, drawings)) <= 39


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}])
def test_there_is_no_display_for_dumb_terminals_and_low_levels(folder, env):
    words = [] if env else ["--log-level", "error"]
    code, shown = Terminal(folder, "run", "spec.yaml", "-j", "4", *words, **env).end()
    assert code == 0
    assert "\x1b" not in shown
    assert "\r[" not in shown
    assert ("name=job_2 failed" in shown) == bool(env)


def test_ctrl_c_lets_running_jobs_end_and_leaves_the_terminal_as_it_was(folder):
    (folder / "spec.yaml").write_text("name: w\njobs: [{name: 'job_{i}', command: sleep 1, parameters: {i: '1:6'}}]")
    terminal = Terminal(folder, "run", "spec.yaml", "-j", "1")
    terminal.sees("1 running")
    terminal.process.send_signal(signal.SIGINT)
    terminal.sees("stopping when 1 running job has ended")
    code, shown = terminal.end()
    assert code == 130
    assert "Stopped by SIGINT. Go on with: torc run 1" in shown
    assert "Traceback" not in shown


def test_a_person_at_a_terminal_chooses_a_workflow_and_confirms(folder):
    for _ in range(2):
        assert Terminal(folder, "create", "spec.yaml").end()[0] == 0
    terminal = Terminal(folder, "workflows", "reset-status")
    terminal.sees("Enter workflow ID: ")
    terminal.type("2\n")
    terminal.sees("Reset all jobs of workflow 2? (y/N) ")
    terminal.type("y\n")
    code, shown = terminal.end()
    assert code == 0
    assert "Begin the next run with: torc workflows reinit 2" in shown


def test_ctrl_c_at_a_question_is_130_and_changes_nothing(folder):
    Terminal(folder, "create", "spec.yaml").end()
    terminal = Terminal(folder, "delete", "1")
    terminal.sees("(y/N) ")
    terminal.process.send_signal(signal.SIGINT)
    code, shown = terminal.end()
    assert code == 130
    assert "interrupted" in shown
    assert "Traceback" not in shown
    assert Terminal(folder, "status", "1").end()[0] == 0


def test_headings_are_bold_on_a_terminal_unless_colours_are_refused(folder):
    Terminal(folder, "create", "spec.yaml").end()
    assert "\x1b[1mID" in Terminal(folder, "jobs", "list").end()[1]
    assert "\x1b" not in Terminal(folder, "jobs", "list", NO_COLOR="1").end()[1]
