"""Standard output carries the result and nothing else; what goes wrong is told on standard error, once."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.programs import DEADLINE_S, clean_environment, program

MANY = "name: many\njobs: [{name: 'job_{i}', command: 'echo {i}', parameters: {i: '1:2000'}}]"
TORC = [sys.executable, "-m", "torc_core.cli"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with a workflow whose list is larger than a pipe holds."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "spec.yaml").write_text(MANY)
    program(folder, "create", "spec.yaml")
    return folder


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_reader_that_goes_ends_a_command_quietly(many, form):
    command = [*TORC, "jobs", "list", "-f", form]
    process = subprocess.Popen(
        command, cwd=many, env=clean_environment(many), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(DEADLINE_S) == 0


def test_a_reader_that_was_never_there_is_no_traceback(many):
    for words in (["--help"], ["jobs", "list"], ["spec", "codes"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*TORC, *words], cwd=many, env=clean_environment(many), stdout=writer, stderr=subprocess.PIPE, check=False,
            timeout=DEADLINE_S,
        )  # fmt: skip
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")  # noqa: PTH110
@pytest.mark.parametrize("words", [["jobs", "list"], ["jobs", "list", "-f", "json"], ["ping"], ["--help"]])
def test_a_full_disk_is_an_error_and_no_traceback(many, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*TORC, *words], cwd=many, env=clean_environment(many), stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=DEADLINE_S,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    if "json" in words:
        assert json.loads(done.stderr)["status"] == "error"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_streams_that_the_shell_closed_do_no_harm(many, closed):
    command = f'"{sys.executable}" -m torc_core.cli jobs list -l 1 {closed}'
    done = subprocess.run(
        command, shell=True, cwd=many, env=clean_environment(many), capture_output=True, text=True, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert ("job_1" in done.stdout) == ("1>&-" not in closed)


def test_a_closed_standard_input_is_no_spec(many):
    command = f'"{sys.executable}" -m torc_core.cli create - 0<&-'
    done = subprocess.run(
        command, shell=True, cwd=many, env=clean_environment(many), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing comes on standard input" in done.stderr


def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path):
    """``torc exec ... 2>&1 | head -1`` must not lose jobs."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*TORC, "--log-level", "debug", "exec", "-c", "sleep 0.3; touch a", "-c", "sleep 0.6; touch b"]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(tmp_path), stdout=writer, stderr=writer, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def test_colours_are_for_terminals(many):
    done = program(many, "jobs", "list", "-l", "1", FORCE_COLOR="", TERM="xterm")
    assert "\x1b" not in done.out + done.err
    assert "\x1b" not in program(many, "jobs", "get", "99999", code=1, TERM="xterm").err


def test_a_specification_and_commands_come_from_standard_input(tmp_path):
    done = program(tmp_path, "create", "-", "-f", "json", input="name: piped\njobs: [{name: a, command: echo a}]\n")
    assert done.json["status"] == "success"
    done = program(tmp_path, "create", "-", "-f", "json", input='{"name": "braces", "jobs": []}')
    assert done.code == 0
    assert program(tmp_path, "create", "-", code=2, input="").err.startswith("Error: <stdin> is empty")
    done = program(tmp_path, "exec", "-C", "-", "-f", "json", input="# two\ntrue\n\ntrue\n")
    assert done.json["completed"] == 2
    names = [w["name"] for w in program(tmp_path, "workflows", "list", "-f", "json").json["items"]]
    assert names[:2] == ["piped", "braces"]


def test_a_defect_leaves_no_traceback_but_a_file(torc, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken(*_):
        raise ZeroDivisionError("one by nothing")

    monkeypatch.setattr("torc_core.cli.system.echo", broken)
    (torc.path / "torc_output").mkdir()
    done = torc("completions", "bash", code=1)
    assert done.out == ""
    assert "internal error: ZeroDivisionError: one by nothing" in done.err
    assert "Traceback" not in done.err
    [report] = tmp_path.glob("torc-error-*.txt")
    assert str(report) in done.err
    assert "Traceback" in report.read_text()
    assert torc("completions", "bash", "-f", "json", code=1).error["hint"].startswith("This is a defect of torc")


def test_names_cannot_send_commands_to_a_terminal(torc):
    name = "a\x1b[2J\r\x9bb"
    torc("exec", "-n", name, "-c", "false", code=1)
    for words in (["status"], ["workflows", "get"], ["workflows", "list"], ["wait"], ["run", "1"], ["delete", "1"]):
        done = torc(*words, code=None)
        assert not set("\x1b\r\x9b") & set(done.out + done.err), words
    assert torc.json("workflows", "get")["name"] == name
