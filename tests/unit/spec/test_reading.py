"""Texts of specs through a format: places of problems, changes by plugins, what is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.spec.small_specs import reader, sound
from torc_core.contracts.formats import FormatError, ParsedSpec, Plain, SpecFormat
from torc_core.errors import UsageError
from torc_core.problems import Problem
from torc_core.spec.read import check_data, check_spec
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat
from torc_plugins.formats.kdl_format import KdlFormat
from torc_plugins.formats.yaml_format import YamlFormat

TEXT = """{
  "name": "w",
  "jobs": [
    {"name": "train_{i}", "command": "run {i}", "parameters": {"i": "1:x"}},
    {"name": "eval", "command": "x", "depends_on": ["trian"], "priority": "high"},
    {"name": "trial", "comand": "x"}
  ],
  "resource_requirements": [{"name": "r", "num_cpus": 1, "memory": "2gb"}]
}
"""


def place(code: str, problems: list[Problem]) -> str:
    [found] = [p for p in problems if p.code == code]
    return found.place


def test_every_problem_has_its_line_and_column():
    found = check_spec(TEXT, "jobs.json", JsonFormat()).problems
    lines = TEXT.splitlines()
    for code, line, written in (
        ("param-value", 4, '"1:x"'),
        ("dep-missing", 5, '"trian"'),
        ("type", 5, '"high"'),
        ("value", 8, '"2gb"'),
        ("unknown-field", 6, '"comand"'),
    ):
        assert place(code, found) == f"jobs.json:{line}:{lines[line - 1].index(written) + 1}"
    assert place("missing", found).startswith("jobs.json:6:")
    assert next(p.message for p in found if p.code == "value").startswith("memory: cannot read '2gb'")
    assert next(p.message for p in found if p.code == "missing").startswith("jobs[2]: 'command' is required")
    assert [p.line for p in found] == sorted(p.line for p in found)
    assert len(found) == 6


@pytest.mark.parametrize(
    ("format", "text", "expected"),
    [
        (YamlFormat(), "name: w\njobs: []\ncolor: red\n", "f:3:1"),
        (YamlFormat(), "name: w\njobs:\n  - {name: a, command: b, 'color' : red}\n", "f:3:27"),
        (YamlFormat(), "\ufeffcolor: {a: 1}\nname: w\njobs: []\n", "f:1:1"),
        (YamlFormat(), "name: w\r\njobs: []\r\ncolor:\r\n  a: 1\r\n", "f:3:1"),
        (YamlFormat(), "name: w\njobs: []\ncolor:\n- 1\n", "f:3:1"),
        (YamlFormat(), "name: w\njobs: []\ncolor: &x red\n", "f:3:1"),
        (YamlFormat(), "name: w\njobs: []\ncolor: # which?\n  red\n", "f:4:3"),
        (YamlFormat(), "name: w\njobs: []\nxcolor: 1\n", "f:3:1"),
        (JsonFormat(), '{"name": "w", "jobs": [],\n "color": null}', "f:2:2"),
        (JsonFormat(), '{"name": "w", "jobs": [],\n "color":\n 5}', "f:2:2"),
        (Json5Format(), "{name: 'w', jobs: [],\n  color: 'red'}", "f:2:3"),
        (KdlFormat(), 'name "w"\njob "a" {\n  command "b"\n  color "red"\n}\n', "f:4:3"),
    ],
)
def test_an_unknown_field_is_shown_at_its_name(format, text, expected):
    assert place("unknown-field", check_spec(text, "f", format).problems) == expected


def test_a_text_that_cannot_be_parsed_is_one_problem_with_its_place():
    [found] = check_spec('{"name": "w",\n "jobs": [,]}', "jobs.json", JsonFormat()).problems
    assert (found.file, found.line) == ("jobs.json", 2)


def test_checking_a_text_that_cannot_be_parsed_gives_an_empty_plan():
    plan = check_spec("{", "jobs.json", JsonFormat())
    assert (plan.jobs, len(plan.problems)) == ([], 1)


def test_warnings_and_notes_are_kept_with_the_plan():
    text = '{"name": "w", "jobs": [\n {"name": "j", "command": "awk {print}"}]}'
    [found] = check_spec(text, "jobs.json", JsonFormat()).problems
    assert (found.code, found.place) == ("token-left", "jobs.json:2:27")


def test_a_plugin_can_change_the_data_before_it_is_checked():
    def amend(data):
        data["jobs"].append({"name": "added", "command": "x"})

    text = '{"name": "w", "jobs": [{"name": "j", "command": "x", "depends_on": ["added"]}]}'
    plan = sound(check_spec(text, "jobs.json", JsonFormat(), amend=amend))
    assert [job.name for job in plan.jobs] == ["added", "j"]


def test_files_that_the_spec_names_come_from_the_caller():
    text = '{"name": "w", "jobs": [{"name": "j{a}", "command": "x", "parameters_file": "t.csv"}]}'
    plan = sound(check_spec(text, "jobs.json", JsonFormat(), read_file=reader({"t.csv": "a\n1\n2\n"})))
    assert [job.name for job in plan.jobs] == ["j1", "j2"]
    assert [p.code for p in check_spec(text, "jobs.json", JsonFormat()).problems] == ["table"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), UsageError("t.csv:3:1: not UTF-8 text")])
def test_a_file_that_cannot_be_read_is_a_problem_with_the_reason(error):
    def read_file(name):
        raise error

    text = '{"name": "w", "jobs": [{"name": "j", "command": "x", "parameters_file": "t.csv"}]}'
    [found] = check_spec(text, "jobs.json", JsonFormat(), read_file=read_file).problems
    assert found.code == "table"
    assert ("Permission denied" in found.message) or ("not UTF-8" in found.message)


class Unquoted(SpecFormat):
    """A format that hands out what it was given, as formats with unquoted scalars do."""

    name = "unquoted"
    suffixes = (".unquoted",)

    def __init__(self, data):
        self.data = data

    def loads(self, text):
        if text == "bad":
            raise FormatError(Problem("unquoted-syntax", "no", line=3, column=4))
        return ParsedSpec(self.data, lambda path: (len(path), 1))

    def dumps(self, data):
        raise NotImplementedError


def test_fields_of_text_take_unquoted_scalars_as_written():
    data = {
        "name": Plain("1.10", 1.1),
        "jobs": [
            {
                "name": Plain("007", 7),
                "command": Plain("true", True),
                "env": {"V": Plain("1e3", 1000.0)},
                "priority": Plain("3", 3),
            },
            {
                "name": "j{x}",
                "command": "x",
                "parameters": {"x": [Plain("0.5", 0.5), Plain("2", 2), "t"]},
                "labels": None,
            },
            {"name": "k{x}", "command": "x", "parameters": {"x": Plain("5", 5)}, "scheduler": Plain("~", None)},
        ],
        "user_data": [{"name": "u", "data": {"n": Plain("1.50", 1.5), "z": Plain("null", None)}}],
    }
    plan = sound(check_spec("", "s.unquoted", Unquoted(data)))
    job = plan.jobs[0]
    assert (plan.workflow["name"], job.name, job.command, job.env, job.priority) == (
        "1.10",
        "007",
        "true",
        {"V": "1e3"},
        3,
    )
    assert [j.name for j in plan.jobs[1:]] == ["j0.5", "j2", "jt", "k5"]
    assert plan.jobs[4].scheduler == -1
    assert plan.data[0].data == {"n": 1.5, "z": None}


def test_the_place_given_by_a_format_is_kept():
    [found] = check_spec("bad", "s.unquoted", Unquoted({})).problems
    assert found.place == "s.unquoted:3:4"


def test_data_that_was_parsed_already_can_be_planned():
    [found] = check_data({"name": "w", "jobs": [{"name": "j"}]}, lambda path: (7, len(path)), "s").problems
    assert found.place == "s:7:3"


def test_reading_a_spec_imports_nothing_heavy():
    code = (
        "import sys; from torc_core.spec.read import check_data\n"
        "check_data({'name': 'w', 'jobs': [{'name': 'j{i}', 'command': 'x', 'parameters': {'i': '1:3'}}]},"
        " lambda p: (0, 0), 's')\n"
        "heavy = {'click', 'yaml', 'csv', 'json', 'decimal', 'difflib', 'pyparsing', 'dataclasses'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
