"""Which workflow is meant when its id is left out, and what is asked of whom."""

import json
import sys

import pytest

EMPTY = "name: {}\njobs: [{{name: a, command: echo a}}]"


class Terminal:
    """A standard input with somebody who has typed ``text`` beforehand."""

    def __init__(self, text):
        self._lines = text.splitlines(keepends=True)

    def isatty(self):
        return True

    def readline(self):
        return self._lines.pop(0) if self._lines else ""


@pytest.fixture
def typed(monkeypatch):
    """Says what a person at the terminal types."""

    def type_in(text):
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        monkeypatch.setattr("torc_core.cli.pick.is_interactive", lambda: True)

    return type_in


def test_the_only_workflow_is_taken_silently(torc):
    torc.create(EMPTY.format("one"))
    done = torc("status", "-f", "json")
    assert (done.json["workflow_name"], done.err) == ("one", "")


def test_without_workflows_the_user_is_named(torc):
    id = torc.create(EMPTY.format("one"))
    torc("delete", id, "--no-prompts")
    done = torc("status", code=1)
    assert done.out == ""
    assert "No workflows found for user: ada" in done.err


def test_of_several_none_is_taken_when_nobody_can_be_asked(torc):
    ids = [torc.create(EMPTY.format(name)) for name in "ab"]
    done = torc("jobs", "list", code=1)
    assert done.out == ""
    assert "a workflow id is required" in done.err
    assert all(str(id) in done.err for id in ids)
    assert torc("jobs", "list", "-f", "json", code=1).error["status"] == "error"


def test_of_several_a_person_chooses_from_a_table_on_standard_error(torc, typed):
    first = torc.create(EMPTY.format("a" * 40) + "\ndescription: something")
    torc.create(EMPTY.format("b"))
    typed(f"{first}\n")
    done = torc("status", "-f", "json")
    assert done.json["workflow_id"] == first
    head, *rows, last = done.err.splitlines()
    assert head.split() == ["ID", "Name", "Description", "Created"]
    assert len(rows) == 2
    assert last == "Enter workflow ID: "
    assert "a" * 27 + "..." in done.err
    assert "a" * 28 not in done.err


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("99\n", '"99" is none of these workflows'), ("x\n", '"x" is none of these workflows'),
        ("\n", "no workflow was chosen"), ("", "no workflow was chosen"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_of_them_is_an_error(torc, typed, answer, what):
    torc.create(EMPTY.format("a"))
    torc.create(EMPTY.format("b"))
    typed(answer)
    done = torc("status", code=1)
    assert done.out == ""
    assert f"{what}\n  Give one of the ids above" in done.err


def test_archived_workflows_and_those_of_others_are_not_offered(torc, monkeypatch):
    first = torc.create(EMPTY.format("old"))
    torc("workflows", "archive", "true", first)
    monkeypatch.setenv("USER", "grace")
    torc.create(EMPTY.format("hers"))
    monkeypatch.setenv("USER", "ada")
    kept = torc.create(EMPTY.format("mine"))
    assert torc.json("status")["workflow_id"] == kept


@pytest.mark.parametrize(
    "words", [("cancel",), ("workflows", "reset-status"), ("jobs", "delete-all"), ("files", "delete-all")]
)
def test_what_destroys_never_takes_the_only_workflow_silently(torc, typed, words):
    id = torc.create(EMPTY.format("precious"))
    done = torc(*words, code=1)
    assert "a workflow id is required" in done.err
    typed(f"{id}\ny\n")
    assert "precious" in torc(*words).err


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (("delete", "1"), 'Delete workflow 1 "asked" of ada with 1 job?'),
        (("workflows", "reset-status", "1"), "Reset all jobs of workflow 1?"),
        (("jobs", "delete-all", "1"), "Delete all jobs of workflow 1?"),
        (("jobs", "reset-status", "1"), "Reset 1 job and 0 downstream in workflow 1?"),
    ],
)
def test_who_says_no_changes_nothing_and_gets_0(torc, typed, words, question):
    torc.create(EMPTY.format("asked"))
    before = torc("workflows", "get", "1", "-f", "json").out, torc("jobs", "list", "1", "-f", "json").out
    for answer in ("n\n", "\n", "", "what\n"):
        typed(answer)
        done = torc(*words)
        assert done.out == ""
        assert f"{question} (y/N)" in done.err
        assert "Nothing was changed." in done.err
    assert before == (torc("workflows", "get", "1", "-f", "json").out, torc("jobs", "list", "1", "-f", "json").out)
    for answer in ("Y\n",):
        typed(answer)
        assert torc(*words).out != ""


def test_nobody_is_asked_without_a_terminal(torc):
    torc.create(EMPTY.format("asked"))
    for words in (("delete", "1"), ("workflows", "reset-status", "1"), ("jobs", "delete-all", "1")):
        done = torc(*words, code=1)
        assert "--no-prompts" in done.err
    assert torc.items("workflows", "list")[0]["id"] == 1


def test_nobody_is_asked_with_json_or_no_prompts(torc):
    torc.create(EMPTY.format("asked"))
    assert torc("jobs", "delete-all", "1", "--no-prompts").err == ""
    assert json.loads(torc("delete", "1", "-f", "json").out)[0]["name"] == "asked"
