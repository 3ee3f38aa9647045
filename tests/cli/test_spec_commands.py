"""``torc spec``: check, expand, convert and lint."""

import json

import pytest

from tests.cli.programs import DIAMOND, program

PARAMETERS = "name: w\njobs: [{name: 'j{i}', command: 'echo {i}', parameters: {i: '1:3'}}]\n"


def test_a_check_is_the_dry_run_of_create(torc):
    spec = torc.write("s.yaml", DIAMOND)
    assert torc("spec", "check", spec).out == torc("create", spec, "--dry-run").out
    assert torc.json("spec", "check", spec) == torc.json("create", spec, "--dry-run")
    torc.write("bad.yaml", "name: w")
    torc("spec", "check", "bad.yaml", code=1)


def test_expanding_writes_every_job(torc):
    spec = torc.write("s.yaml", PARAMETERS)
    expanded = torc("spec", "expand", spec, "--to", "json").json
    assert [job["name"] for job in expanded["jobs"]] == ["j1", "j2", "j3"]
    assert torc("spec", "expand", spec, "-f", "json").json == expanded
    done = torc("spec", "expand", spec, "-o", "out.json")
    assert (done.out, done.err) == ("", "Wrote out.json\n")
    assert json.loads((torc.path / "out.json").read_text()) == expanded
    assert torc.json("spec", "expand", spec, "-o", "out.json") == {"status": "success", "output": "out.json"}


@pytest.mark.parametrize("to", ["yaml", "json", "json5", "kdl"])
def test_conversions_lose_nothing(torc, to):
    spec = torc.write("s.yaml", DIAMOND)
    torc("spec", "convert", spec, "-o", f"out.{to}")
    back = torc("spec", "expand", f"out.{to}", "--to", "json").json
    assert back == torc("spec", "expand", spec, "--to", "json").json


def test_a_conversion_needs_a_target(torc):
    assert "--to" in torc("spec", "convert", torc.write("s.yaml", DIAMOND), code=2).err
    torc("spec", "convert", "s.yaml", "--to", "cuneiform", code=1)
    torc("spec", "convert", torc.write("bad.yaml", "a: [1"), "--to", "json", code=1)


def test_a_second_file_of_a_conversion_is_shown_its_place(torc):
    told = torc("spec", "convert", "hello.yaml", "hello.json", code=2).err
    assert "too many words: hello.json. To write to a file add: -o hello.json\n" in told
    assert "too many words: 2\n" in torc("status", "1", "2", code=2).err


def test_a_failed_command_leaves_an_older_file_alone(torc):
    torc.write("out.json", "old")
    torc("spec", "expand", torc.write("bad.yaml", "name: w\njobs: [{name: a}]"), "-o", "out.json", code=1)
    assert (torc.path / "out.json").read_text() == "old"
    assert [p.name for p in torc.path.iterdir() if p.name.endswith(".part")] == []


def test_a_link_is_written_through(torc):
    torc.write("real.json", "old")
    (torc.path / "link.json").symlink_to("real.json")
    torc("spec", "expand", torc.write("s.yaml", PARAMETERS), "-o", "link.json")
    assert (torc.path / "link.json").is_symlink()
    assert json.loads((torc.path / "real.json").read_text())["name"] == "w"


def test_the_format_is_named_or_told_by_the_content(torc):
    torc.write("spec.txt", '{"name": "w", "jobs": []}')
    assert torc.json("spec", "check", "spec.txt", "--from", "json")["valid"] is True
    torc.write("spec", PARAMETERS)
    assert torc.json("spec", "check", "spec")["summary"]["job_count"] == 3


@pytest.mark.parametrize("words", [("check",), ("expand", "--to", "json"), ("convert", "--to", "json"), ("lint",)])
def test_a_format_that_is_named_counts_whatever_ending_and_content_say(torc, words):
    text = "{name: 'w', description: 'd', jobs: [{name: 'a', command: 'b',},]}"  # YAML and JSON5, and no JSON
    assert torc("spec", *words, torc.write("s.yaml", text), "--from", "json5").code == 0
    assert "s.yaml:1:2: error[json-syntax]" in torc("spec", *words, "s.yaml", "--from", "json", code=1).err
    assert (
        'spec format "cuneiform" is not available' in torc("spec", *words, "s.yaml", "--from", "cuneiform", code=1).err
    )


@pytest.mark.parametrize("words", [("check",), ("expand", "--to", "json"), ("convert", "--to", "json"), ("lint",)])
def test_the_format_of_standard_input_can_be_named(tmp_path, words):
    text = '{"name": "w", "description": "d", "jobs": []}'
    program(tmp_path, "spec", *words, "-", "--from", "json", input=text)
    assert (
        "<stdin>:1:1: error[kdl-syntax]"
        in program(tmp_path, "spec", *words, "-", "--from", "kdl", input=text, code=1).err
    )


def test_lint_tells_notes_and_can_be_strict(torc):
    good = torc.write("good.yaml", "name: w\ndescription: d\njobs: [{name: a, command: echo a}]")
    noted = torc.write("noted.yaml", "name: w\njobs: [{name: a, command: x}]\nfiles: [{name: f, path: f}]")
    assert torc("spec", "lint", good).out == "good.yaml: nothing to say\n"
    assert torc.json("spec", "lint", good) == {"problems": []}
    problems = torc.json("spec", "lint", noted)["problems"]
    assert problems
    assert {problem["severity"] for problem in problems} <= {"note", "warning"}
    torc("spec", "lint", noted)
    torc("spec", "lint", noted, "--strict", code=1)
    torc("spec", "lint", torc.write("bad.yaml", "name: w\njobs: [{name: a}]"), code=1)


def test_a_file_that_is_no_text_has_a_report_too(torc):
    (torc.path / "s.yaml").write_bytes("name: w\ndescription: \xfc".encode("latin-1"))
    body = torc("spec", "check", "s.yaml", "-f", "json", code=1).json
    assert body["valid"] is False
    [problem] = body["problems"]
    assert (problem["code"], problem["file"], problem["line"], problem["column"]) == ("encoding", "s.yaml", 2, 14)
    done = torc("spec", "check", "s.yaml", code=1)
    assert "Jobs:" not in done.out
    assert "s.yaml:2:14: error[encoding] not UTF-8 text (byte 0xfc). Save it as UTF-8" in done.err
    assert "error[encoding]" in torc("spec", "lint", "s.yaml", code=1).err
    assert "error[encoding]" in torc("create", "s.yaml", code=1).err


def test_codes_of_problems_are_listed(torc):
    codes = torc.json("spec", "codes")
    assert all(code == code.lower() and meaning for code, meaning in codes.items())
    assert torc("spec", "codes").lines[-1] == f"Total: {len(codes)} codes"
    assert {"encoding", "json-syntax", "yaml-alias", "kdl-node", "dep-missing"} <= codes.keys()


@pytest.mark.parametrize("command", ["expand", "convert"])
def test_a_spec_is_not_written_over(torc, command):
    spec = torc.write("s.yaml", f"# a comment\n{PARAMETERS}")
    (torc.path / "link.yaml").symlink_to("s.yaml")
    for name in ("s.yaml", "./s.yaml", "link.yaml"):
        assert "is the spec itself" in torc("spec", command, spec, "-o", name, code=2).err
    assert (torc.path / "s.yaml").read_text() == f"# a comment\n{PARAMETERS}"
    torc.write("old.json", "{}")
    torc("spec", command, spec, "-o", "old.json")
    assert json.loads((torc.path / "old.json").read_text())["name"] == "w"
