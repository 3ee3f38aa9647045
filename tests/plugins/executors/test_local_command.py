"""Which commands need no shell."""

from __future__ import annotations

import pytest

from torc_plugins.executors.local_command import direct_argv, find_program, simple_words

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sleep 1", ["sleep", "1"]),
        ("python3 train.py --lr=0.1 -x a,b", ["python3", "train.py", "--lr=0.1", "-x", "a,b"]),
        ("/opt/x/run.sh  a\tb", ["/opt/x/run.sh", "a", "b"]),
        ("./run @file user@host:/p 50%", ["./run", "@file", "user@host:/p", "50%"]),
        ("true", ["true"]),
        ("echo hello world", ["echo", "hello", "world"]),
    ],
)
def test_plain_words_need_no_shell(command, words):
    assert simple_words(command, ENV) == words


@pytest.mark.parametrize(
    "command",
    [
        "", "  ", " sleep 1", "sleep 1\n", "a\nb", "a; b", "a & b", "a | b", "a && b", "a > f", "a < f", "a 2>&1",
        "echo 'x'", 'echo "x"', "echo a\\b", "echo $X", "echo ${X}", "echo $(x)", "echo `x`", "ls *.txt", "ls ?",
        "ls [ab]", "echo {a,b}", "ls ~", "a ~/x", "a # b", "#a", "! true", "A=1 env", "A=1", "x+=1", "(a)",
        "a ^ b", "echo !x",
        "cd /", "exit 3", "export A", "source f", ". f", "umask 0", "time ls", "test 1", "kill 1", "printf x", "pwd",
        "if true", "while true", "for x", "function f", "exec ls", "wait", "trap", ":", "let x", "ulimit -c 0",
        "echo -n x", "echo --version", "true --help",
    ],
)  # fmt: skip
def test_everything_else_goes_to_bash(command):
    assert simple_words(command, ENV) is None


@pytest.mark.parametrize("name", ["BASH_ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_sleep%%"])
def test_variables_that_change_what_bash_does_bring_it_back(name):
    assert simple_words("sleep 1", {**ENV, name: "x"}) is None


def test_a_function_of_another_name_does_not_matter():
    assert simple_words("sleep 1", {**ENV, "BASH_FUNC_module%%": "() { :; }"}) == ["sleep", "1"]


def test_a_program_that_is_not_found_is_left_to_bash(tmp_path):
    assert direct_argv("no-such-program-at-all x", ENV) is None
    assert direct_argv("sleep 1", {"PATH": str(tmp_path)}) is None


def test_the_first_directory_that_has_the_program_wins(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "b" / "tool").chmod(0o755)
    path = f"{tmp_path}/a:{tmp_path}/b"
    assert find_program("tool", path) == str(tmp_path / "b" / "tool")


def test_a_directory_is_no_program(tmp_path):
    (tmp_path / "tool").mkdir()
    assert find_program("tool", str(tmp_path)) is None
