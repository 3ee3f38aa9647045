"""Constants (``variables``): where they are put in, what they refuse."""

from __future__ import annotations

import pytest

from tests.unit.spec.small_specs import names, plan, problem, problems, spec
from torc_core.contracts.formats import Plain


def test_constants_are_put_into_every_text_before_anything_is_typed():
    data = spec(
        [{"name": "j_{tag}", "command": "{tool} --n {n:03d}", "env": {"K": "{tag}"}}],
        description="about {tag}",
        user_data=[{"name": "u", "data": {"{tag}": ["{tag}"]}}],
        slurm_defaults={"comment": "{tag}"},
        variables={"tag": "v2", "tool": "run", "n": "7"},
    )
    planned = plan(data)
    job = planned.jobs[0]
    assert (job.name, job.command, job.env) == ("j_v2", "run --n 7", {"K": "v2"})
    assert planned.workflow["description"] == "about v2"
    assert planned.workflow["slurm_defaults"] == {"comment": "v2"}
    assert planned.data[0].data == {"{tag}": ["v2"]}


def test_parameter_values_may_use_constants():
    data = spec([{"name": "j{i}", "parameters": {"i": "1:{n}"}}], variables={"n": "3"})
    assert names(plan(data)) == ["j1", "j2", "j3"]


def test_a_table_path_may_use_constants():
    data = spec([{"name": "j{a}", "parameters_file": "{kind}.csv"}], variables={"kind": "big"})
    assert names(plan(data, {"big.csv": "a\n1\n"})) == ["j1"]


def test_shell_variables_are_left_alone_but_not_the_names_inside_command_variables():
    data = spec(
        [{"name": "j", "command": "${n} ${files.input.f_{n}}"}],
        files=[{"name": "f_1", "path": "p"}],
        variables={"n": "1"},
    )
    assert plan(data).jobs[0].command == "${n} p"


def test_use_parameters_is_left_alone():
    data = spec([{"name": "j{i}", "use_parameters": ["i"]}], parameters={"i": "1:2"}, variables={"n": "3"})
    assert names(plan(data)) == ["j1", "j2"]
    literal = spec([{"name": "j", "use_parameters": ["{n}"]}], parameters={"i": "1:2"}, variables={"n": "i"})
    assert problem(literal, "use-unknown").found == "{n}"


def test_a_number_that_a_format_left_unquoted_can_be_a_constant():
    assert names(plan(spec([{"name": "j{n}"}], variables={"n": Plain("0.10", 0.1)}))) == ["j0.10"]


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"2n": "x"}, "2n"),
        ({"a-b": "x"}, "a-b"),
        ({"a": "{b}", "b": "x"}, "a"),
        ({"i": "x"}, "i"),
        ({"col": "x"}, "col"),
    ],
)
def test_bad_constants_are_refused(variables, key):
    jobs = [{"name": "j{i}", "parameters": {"i": "1:2"}}, {"name": "k{col}", "parameters_file": "t.csv"}]
    found = problem(spec(jobs, variables=variables), "variable", {"t.csv": "col\n1\n"})
    assert found.path == ("variables", key)


def test_a_constant_may_hold_shell_variables():
    assert plan(spec([{"name": "j", "command": "{v}"}], variables={"v": "${HOME}/x"})).jobs[0].command == "${HOME}/x"


def test_a_constant_must_be_text():
    found = problem(spec([{"name": "j"}], variables={"n": 5}), "type")
    assert found.path == ("variables", "n")


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"description": "{zz}"}, ("description",)),
        ({"user_data": [{"name": "u", "data": {"a": ["x{zz:03d}"]}}]}, ("user_data", 0, "data", "a", 0)),
    ],
)
def test_with_constants_every_unknown_token_is_an_error(sections, path):
    found = problem(spec([{"name": "j"}], variables={"n": "1"}, **sections), "token-unknown")
    assert found.path == path
    assert found.severity == "error"


def test_with_constants_an_unknown_token_in_a_command_is_an_error_told_once():
    found = problems(spec([{"name": "j", "command": '{zz} {} {"a": 1} { b }'}], variables={"n": "1"}))
    assert [(p.code, p.found) for p in found] == [("token-unknown", "{zz}")]


def test_with_constants_an_unknown_token_in_a_name_is_told_once():
    found = problems(spec([{"name": "j{zz}"}], variables={"n": "1"}))
    assert [p.code for p in found] == ["token-unknown"]


def test_tokens_of_other_items_are_known():
    jobs = [{"name": "j{i}", "parameters": {"i": "1:2"}}, {"name": "k", "command": "echo {i}"}]
    found = problems(spec(jobs, variables={"n": "1"}))
    assert [(p.code, p.severity) for p in found] == [("token-left", "warning")]


def test_an_empty_map_of_constants_changes_nothing():
    found = problems(spec([{"name": "j", "command": "awk '{print}'"}], variables={}))
    assert [(p.code, p.severity) for p in found] == [("token-left", "warning")]
