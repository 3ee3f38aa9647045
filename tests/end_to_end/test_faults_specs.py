"""Spec files that are none: a clear refusal that names the file, the place and the next step, and nothing is stored."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.faults import TORC, assert_clear, refused, start, told, torc, unprivileged, wait_for, works_again

FORMATS = ("json", "json5", "yaml", "kdl")
VALID = {
    "json": '{"name": "w", "jobs": [{"name": "a", "command": "true"}]}',
    "json5": "{name: 'w', jobs: [{name: 'a', command: 'true'}]}",
    "yaml": 'name: w\njobs:\n- name: a\n  command: "true"\n',
    "kdl": 'name "w"\njob "a" {\n  command "true"\n}\n',
}
COMMENTS = {"json": "// x\n", "json5": "// x\n/* y */\n", "yaml": "# x\n# y\n", "kdl": "// x\n/* y */\n"}
DEEP = {"json": ("[", "]"), "json5": ("[", "]"), "yaml": ("[", "]"), "kdl": ("a {", "}")}
DUPLICATES = {
    "json": '{"name": "w",\n"name": "v", "jobs": []}',
    "json5": '{name: "w",\n"name": "v", jobs: []}',
    "yaml": "name: w\nname: v\njobs: []\n",
    "kdl": 'name "w"\nname "v"\n',
}
EACH = pytest.mark.parametrize("ending", FORMATS)


def check(folder: Path, ending: str, data: str | bytes, *parts: str) -> str:
    """Check that the text is refused by ``spec check`` and by ``create``, and that nothing is stored."""
    name = f"bad.{ending}"
    if isinstance(data, str):
        data = data.encode()
    (folder / name).write_bytes(data)
    said = refused(torc(folder, "spec", "check", name), name, *parts)
    refused(torc(folder, "create", name), name, *parts)
    assert not (folder / "torc_output/torc.db").exists()
    return said


@EACH
def test_an_empty_file_is_refused(ending, tmp_path):
    check(tmp_path, ending, "", ":1:1:", "empty", 'A spec has at least "name" and "jobs"')


@EACH
def test_a_file_with_nothing_but_comments_is_refused(ending, tmp_path):
    check(tmp_path, ending, COMMENTS[ending], ":1:1:", "JSON has no comments" if ending == "json" else "empty")


@EACH
def test_binary_garbage_is_refused_at_the_first_byte_that_is_no_text(ending, tmp_path):
    garbage = b"\nab" + bytes(128 + random.Random(ending).randrange(64) for _ in range(5000))  # no UTF-8 begins so
    check(tmp_path, ending, garbage, ":2:3:", "not UTF-8 text", "Save it as UTF-8")


@EACH
def test_utf_16_is_named(ending, tmp_path):
    check(tmp_path, ending, VALID[ending].encode("utf-16"), "UTF-16", "UTF-8")
    check(tmp_path, ending, VALID[ending].encode("utf-16-le"), "UTF-16", "UTF-8")
    check(tmp_path, ending, VALID[ending].encode("utf-16-be"), "UTF-16", "UTF-8")


@EACH
def test_latin_1_is_refused_with_its_place(ending, tmp_path):
    text = VALID[ending].replace("true", "echo \u00e4")
    line = text.count("\n", 0, text.index("\u00e4")) + 1
    column = text.index("\u00e4") - text.rfind("\n", 0, text.index("\u00e4"))
    check(tmp_path, ending, text.encode("latin-1"), f":{line}:{column}:", "0xe4", "UTF-8")


@EACH
def test_a_byte_order_mark_does_no_harm(ending, tmp_path):
    (tmp_path / f"ok.{ending}").write_text("\ufeff" + VALID[ending])
    assert torc(tmp_path, "spec", "check", f"ok.{ending}").returncode == 0


@EACH
def test_zero_bytes_are_refused_with_their_place(ending, tmp_path):
    check(tmp_path, ending, VALID[ending].replace("true", "tr\0ue"), "U+0000", "Remove it")
    check(tmp_path, ending, VALID[ending] + "\0", "U+0000")


@EACH
def test_ten_thousand_levels_are_refused_not_descended(ending, tmp_path):
    opening, closing = DEEP[ending]
    check(tmp_path, ending, opening * 10_000 + closing * 10_000, ":1:", "nested deeper than 200 levels")


def test_ten_thousand_levels_of_other_kinds_are_refused(tmp_path):
    check(tmp_path, "json", '{"a":' * 10_000 + "1" + "}" * 10_000, "nested deeper than 200 levels")
    check(tmp_path, "yaml", "- " * 10_000 + "x\n", "nested deeper than 200 levels")
    check(tmp_path, "kdl", "/*" * 10_000 + "*/" * 10_000, "empty")


def test_a_bomb_of_aliases_is_refused(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    check(tmp_path, "yaml", "\n".join([*lines, "name: w", "jobs: []"]), "aliases", "1,000,000 values")


@EACH
def test_a_key_given_twice_is_refused_with_both_places(ending, tmp_path):
    check(tmp_path, ending, DUPLICATES[ending], ":2:1:", '"name" is given twice, first on line 1')


@pytest.mark.parametrize("ending", ["json", "json5", "yaml"])
def test_a_spec_is_a_mapping(ending, tmp_path):
    check(tmp_path, ending, "[1, 2]", ":1:1:", "expected a mapping, found a list")
    check(tmp_path, ending, "5", ":1:1:", "expected a mapping, found 5")


@EACH
def test_unknown_fields_are_all_named_with_the_nearest_known(ending, tmp_path):
    text = VALID[ending].replace("command", "comand").replace("name", "nmae", 1)
    check(tmp_path, ending, text, 'Did you mean "command"?', 'Did you mean "name"?')


@EACH
def test_fifty_megabytes_are_read_and_fifty_broken_ones_refused(ending, tmp_path):
    names, command = [f"j{i}" for i in range(2500)], "echo " + "x" * 20_000
    text = {
        "json": json.dumps({"name": "w", "jobs": [{"name": n, "command": command} for n in names]}),
        "json5": "{name: 'w', jobs: [" + ",\n".join(f"{{name: '{n}', command: '{command}'}}" for n in names) + "]}",
        "yaml": "name: w\njobs:\n" + "".join(f"- name: {n}\n  command: {command}\n" for n in names),
        "kdl": 'name "w"\n' + "".join(f'job "{n}" {{\n  command "{command}"\n}}\n' for n in names),
    }[ending]
    assert len(text) > 50_000_000
    (tmp_path / f"big.{ending}").write_text(text)
    done = torc(tmp_path, "spec", "check", f"big.{ending}")
    assert done.returncode == 0 and "2500" in done.stdout, done.stderr
    (tmp_path / f"big.{ending}").write_text(text + ("x: [" if ending == "yaml" else "}"))
    refused(torc(tmp_path, "spec", "check", f"big.{ending}"), f"big.{ending}:")


@EACH
def test_a_message_about_a_huge_word_does_not_repeat_it(ending, tmp_path):
    check(tmp_path, ending, "x" * 5_000_000, ":1:1:")


def test_a_million_jobs_are_expanded_and_more_refused(tmp_path):
    def product(i: str, j: str) -> str:
        job = {"name": "a_{i}_{j}", "command": "true", "parameters": {"i": i, "j": j}}
        return json.dumps({"name": "w", "jobs": [job]})

    (tmp_path / "million.json").write_text(product("1:1000", "1:1000"))
    done = torc(tmp_path, "spec", "check", "million.json")
    assert done.returncode == 0 and "1000000 (expanded from 1 job" in done.stdout, done.stderr
    check(tmp_path, "json", product("1:1000000", "1:1000000"), "1,000,000,000,000 combinations; at most 1,000,000")
    check(tmp_path, "json", product("1:1000000000000000000", "1:2"), "more than 1,000,000 values")


def test_a_missing_file_a_folder_and_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "workflow.yaml").write_text(VALID["yaml"])
    (tmp_path / "specs.json").mkdir()
    for command in ("run", "create"):
        refused(torc(tmp_path, command, "workflo.yaml"), "workflo.yaml", 'Did you mean "workflow.yaml"?')
        refused(torc(tmp_path, command, "specs.json"), "specs.json is a folder", "Name a file in it")
        refused(torc(tmp_path, command, "workflow.yaml/x"), "workflow.yaml/x", "Not a directory")
    works_again(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "secret.yaml").write_text(VALID["yaml"])
    (tmp_path / "secret.yaml").chmod(0)
    done = torc(tmp_path, "spec", "check", "secret.yaml", before=unprivileged())
    refused(done, "secret.yaml", "Permission denied", "Look at the rights")


@pytest.mark.parametrize("ending", ["json", "yaml", "kdl"])
def test_a_spec_with_another_ending_or_none_is_known_by_its_content(ending, tmp_path):
    for name in ("spec", "spec.txt"):
        (tmp_path / name).write_text(VALID[ending])
        done = torc(tmp_path, "spec", "check", name)
        assert done.returncode == 0 and "PASSED" in done.stdout, done.stderr
    (tmp_path / "spec.txt").write_text("no spec at all }{")
    what = 'the ending ".txt" says no format, and the text cannot be read as json, json5, yaml or kdl'
    said = refused(torc(tmp_path, "spec", "check", "spec.txt"), "spec.txt:1:", what, "spec check --from FORMAT")
    assert said.count("error[") == 1


def test_a_pipe_that_nobody_writes_to_is_waited_for_aloud(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    waiting = start(tmp_path, "create", "pipe.json")
    try:
        wait_for(lambda: "pipe.json is a pipe" in (tmp_path / "err.txt").read_text(), "a word about the pipe")
        assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(60) == 130
    finally:
        waiting.kill()
    assert_clear((tmp_path / "err.txt").read_text())


def test_a_spec_comes_through_a_pipe_with_a_slow_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    waiting = start(tmp_path, "create", "pipe.yaml")
    try:
        wait_for(lambda: "waiting" in (tmp_path / "err.txt").read_text(), "a word about the pipe")
        (tmp_path / "pipe.yaml").write_text(VALID["yaml"])
        assert waiting.wait(60) == 0
    finally:
        waiting.kill()
    assert told(tmp_path, "jobs", "list", "1")["total_count"] == 1


def test_process_substitution_and_standard_input_are_specs(tmp_path):
    script = f"{' '.join(TORC)} create <(cat; sleep 0.01)"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, input=VALID["json"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert torc(tmp_path, "create", "-", input=VALID["kdl"]).returncode == 0
    refused(torc(tmp_path, "create", "-", input=""), "<stdin> is empty", 'at least "name" and "jobs"')
    refused(torc(tmp_path, "create", "/dev/null"), "/dev/null is empty")
    assert told(tmp_path, "workflows", "list")["total_count"] == 2


def test_a_device_without_an_end_is_refused(tmp_path):
    refused(torc(tmp_path, "create", "/dev/zero"), "/dev/zero is larger than 1 GiB")
