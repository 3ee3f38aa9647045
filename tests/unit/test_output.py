import io
import json
import sys

import pytest

from torc_core.cli.output import echo, echo_error, echo_json, echo_problems, echo_table
from torc_core.errors import NotFound
from torc_core.problems import Problem, ProblemsFound


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_columns_are_aligned_numbers_at_the_right(capsys):
    echo_table(("ID", "Name", "CPUs"), [(1, "a", 2.5), (10, "longer", None)], total="jobs")
    assert capsys.readouterr().out == (
        "ID  Name    CPUs\n"
        "--  ------  ----\n"
        " 1  a        2.5\n"
        "10  longer\n"
        "\nTotal: 2 jobs\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("things", "told"),
    [
        ("jobs", "1 job"), ("compute nodes", "1 compute node"), ("ro crate entities", "1 ro crate entity"),
        ("user data", "1 user data"), ("resource requirements", "1 resource requirements"),
        ("jobs with a failure handler", "1 job with a failure handler"),
    ],
)  # fmt: skip
def test_one_row_is_one_thing(capsys, things, told):
    echo_table(("ID",), [(1,)], total=things)
    assert capsys.readouterr().out.splitlines()[-1] == f"Total: {told}"


def test_wide_and_combining_characters_keep_the_columns_straight(capsys):
    echo_table(("A", "B"), [("日本", "x"), ("e\u0301", "x"), ("abcd", "x")])
    assert capsys.readouterr().out.splitlines()[2:] == ["日本  x", "e\u0301     x", "abcd  x"]


def test_what_would_break_a_terminal_is_escaped(capsys):
    echo_table(("A",), [("a\nb\x1b[31m\t",)])
    assert capsys.readouterr().out.splitlines()[2:] == ["a\\nb\\x1b[31m\\t"]


def test_truths_and_lists_are_words(capsys):
    echo_table(("A", "B"), [(True, ["x", "y"]), (False, [])])
    assert capsys.readouterr().out.splitlines()[2:] == ["yes  x, y", "no"]


def test_an_empty_table_has_its_head(capsys):
    echo_table(("A", "Long"), [])
    assert capsys.readouterr().out == "A  Long\n-  ----\n"


def test_characters_that_the_terminal_does_not_have_are_escaped(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    echo("é → x")
    stream.flush()
    assert stream.buffer.getvalue() == b"\xe9 \\u2192 x\n"


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(monkeypatch, variables, colored):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    echo_error(NotFound("no job 7"))
    assert ("\x1b[" in sys.stderr.getvalue()) is colored


def test_an_error_goes_to_standard_error_with_its_hint(capsys):
    echo_error(NotFound("no job 7", hint='See "torc jobs list"'))
    out, err = capsys.readouterr()
    assert (out, err) == ("", 'Error: no job 7\n  See "torc jobs list"\n')


def test_an_error_as_json_is_one_object_on_standard_error(capsys):
    echo_error(NotFound("no job 7", hint="look", workflow_id=3), as_json=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "status": "error", "message": "no job 7", "error": "NotFound", "workflow_id": 3, "hint": "look",
    }  # fmt: skip


PROBLEMS = [
    Problem("dep-missing", 'no job "x"', ("jobs", 1, "depends_on"), hint="Add it", file="w.yaml", line=3, column=9),
    Problem("odd", "odd", severity="warning"),
]


def test_problems_are_lines_with_their_places(capsys):
    echo_problems(iter(PROBLEMS))
    out, err = capsys.readouterr()
    assert (out, err) == ("", 'w.yaml:3:9: error[dep-missing] no job "x". Add it\nwarning[odd] odd\n')


def test_problems_as_json_are_one_object(capsys):
    echo_error(ProblemsFound("w.yaml", PROBLEMS), as_json=True)
    body = json.loads(capsys.readouterr().err)
    assert (body["status"], body["message"]) == ("error", "1 error found")
    assert [(p["code"], p["line"], p["path"]) for p in body["problems"]] == [
        ("dep-missing", 3, "jobs[1].depends_on"), ("odd", 0, ""),
    ]  # fmt: skip


def test_json_is_indented_and_keeps_characters(capsys):
    echo_json({"name": "é"})
    assert capsys.readouterr().out == '{\n  "name": "é"\n}\n'
