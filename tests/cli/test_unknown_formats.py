"""Specs whose ending says no format, and which no format can read: one error, of the format that was meant."""

import pytest

from tests.cli.programs import program

BROKEN = {
    "a quote that is never closed": ("name: w\njobs:\n  - {name: a, command: \"x}\n", "yaml", "3:24"),
    "a wrong indentation, and behind it a quote that KDL misses": (
        "name: w\njobs:\n  - name: a\n   command: x\n  - name: b\n    command: echo \"don", "yaml", "4:4",
    ),
    "comments first": ("# first\n\n# second\nname: w\njobs: [\n", "yaml", "5:7"),
    "a comma missing": ('{"name": "w",\n "jobs": [{"name": "a" "command": "x"}]}', "json", "2:24"),
    "a comment in JSON5": ("{\n  // who\n  name: 'w',\n  jobs: [nobody],\n}", "json5", "4:10"),
    "a block left open": ('name "w"\njob "a" {\n  command "x"\n', "kdl", "2:1"),
    "a KDL comment first": ('// who\nname "w"\njob "a" "b" {\n}', "kdl", "3:9"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["spec", "spec.txt"])
@pytest.mark.parametrize(("text", "meant", "place"), BROKEN.values(), ids=BROKEN)
def test_a_broken_spec_has_one_error_of_the_format_that_was_meant(torc, name, text, meant, place):
    torc.write(name, text)
    [told] = torc("spec", "lint", name, code=1).err.splitlines()
    [alone] = torc("spec", "lint", name, "--from", meant, code=1).err.splitlines()
    assert told.startswith(f"{name}:{place}: error[{meant}-")
    what = alone.partition("] ")[2]  # what is wrong, and perhaps what to do
    assert f"cannot be read as json, json5, yaml or kdl; as {meant}, the likeliest: {what}" in told
    assert told.endswith(" To name the format: torc spec check --from FORMAT")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("spec.txt", 'the ending ".txt" says no format, and'), ("spec", "no ending says the format, and")],
)
def test_it_is_told_why_the_content_was_looked_at(torc, name, reason):
    torc.write(name, "name: [")
    [problem] = torc.json("spec", "check", name, code=1)["problems"]
    assert problem["message"].startswith(reason)
    assert (problem["file"], problem["line"], problem["column"]) == (name, 1, 7)
    assert reason in torc("create", name, code=1).err


def test_standard_input_has_no_ending(tmp_path):
    done = program(tmp_path, "spec", "lint", "-", input="name: [", code=1)
    assert done.err.startswith("<stdin>:1:7: error[yaml-syntax] no ending says the format, and the text cannot")


@pytest.mark.parametrize(
    ("text", "meant", "found"), [("hello", "yaml", "a single value"), ("[1, 2]", "json", "a list")]
)
def test_text_that_is_something_else_in_a_format_is_told_so(torc, text, meant, found):
    torc.write("spec", text)
    [told] = torc("spec", "lint", "spec", code=1).err.splitlines()
    assert told.startswith("spec:1:1: error[type] ")
    assert f"; as {meant}, the likeliest: expected a mapping, found {found}. To name" in told
