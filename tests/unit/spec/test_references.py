"""References between sections, command variables, order of jobs and cycles."""

from __future__ import annotations

import pytest

from tests.unit.spec.small_specs import names, plan, problem, problems, spec, waits
from torc_core.problems import WARNING

FILES = [{"name": n, "path": f"/d/{n}"} for n in ("a", "b", "c")]


def test_lists_hold_positions_ascending_and_once():
    job = {"name": "j", "input_files": ["c", "a", "c"], "input_file_regexes": ["^[ab]$"]}
    assert plan(spec([job], files=FILES)).jobs[0].inputs == (0, 1, 2)


def test_exact_names_and_patterns_add_up():
    jobs = [{"name": n} for n in ("x1", "x2", "y")] + [{"name": "z", "depends_on": ["y"], "depends_on_regexes": ["^x"]}]
    assert waits(plan(spec(jobs)))["z"] == ["x1", "x2", "y"]


def test_equal_lists_are_one_object():
    first = [{"name": f"a{i}"} for i in range(5)]
    second = [{"name": f"b{i}", "depends_on": [f"a{k}" for k in range(5)]} for i in range(4)]
    planned = plan(spec(first + second))
    assert len({id(job.depends_on) for job in planned.jobs if job.depends_on}) == 1


def test_equal_lists_of_names_and_patterns_are_one_object():
    waiting = [{"name": f"z{i}", "depends_on": ["y"], "depends_on_regexes": ["^x"]} for i in range(3)]
    planned = plan(spec([{"name": n} for n in ("x1", "x2", "y")] + waiting))
    assert len({id(job.depends_on) for job in planned.jobs[3:]}) == 1


def test_a_pattern_that_matches_its_own_job_is_a_cycle():
    found = problem(spec([{"name": "x1"}, {"name": "x2", "depends_on_regexes": ["^x"]}]), "cycle")
    assert found.path == ("jobs", 1)
    assert '"x2" depends on itself' in found.message


# order


def test_jobs_are_ordered_by_level_and_then_by_place():
    jobs = [
        {"name": "last", "depends_on": ["mid"]},
        {"name": "root1"},
        {"name": "mid", "depends_on": ["root2", "root1"]},
        {"name": "root2"},
        {"name": "also_mid", "depends_on": ["root1"]},
    ]
    planned = plan(spec(jobs))
    assert names(planned) == ["root1", "root2", "mid", "also_mid", "last"]
    assert [job.depends_on for job in planned.jobs] == [(), (), (0, 1), (0,), (2,)]


def test_the_level_is_that_of_the_longest_way():
    jobs = [
        {"name": "a"},
        {"name": "b", "depends_on": ["a"]},
        {"name": "deep", "depends_on": ["a", "b"]},
        {"name": "flat", "depends_on": ["a"]},
    ]
    assert names(plan(spec(jobs))) == ["a", "b", "flat", "deep"]
    late = [{"name": "first", "depends_on": ["flat"]}]  # a dependency that stands behind its job
    assert names(plan(spec(late + jobs))) == ["a", "b", "flat", "first", "deep"]


def test_a_forward_chain_in_order_is_left_as_it_is():
    jobs = [{"name": "a"}, {"name": "b", "depends_on": ["a"]}, {"name": "c", "depends_on": ["b"]}]
    assert names(plan(spec(jobs))) == ["a", "b", "c"]


def test_actions_follow_the_order_of_jobs():
    jobs = [{"name": "late", "depends_on": ["early"]}, {"name": "early"}]
    action = {"trigger_type": "on_jobs_complete", "action_type": "run_commands", "commands": ["x"], "jobs": ["late"]}
    planned = plan(spec(jobs, actions=[action]))
    assert [planned.jobs[i].name for i in planned.actions[0]["jobs"]] == ["late"]


def test_files_do_not_change_the_order():
    jobs = [{"name": "reader", "input_files": ["a"]}, {"name": "writer", "output_files": ["a"]}]
    assert names(plan(spec(jobs, files=FILES))) == ["reader", "writer"]


# cycles


def test_a_cycle_is_shown_as_a_way_that_comes_back():
    jobs = [
        {"name": "a", "depends_on": ["c"]},
        {"name": "b", "depends_on": ["a"]},
        {"name": "c", "depends_on": ["b"]},
        {"name": "behind", "depends_on": ["c"]},
    ]
    found = problem(spec(jobs), "cycle")
    assert "a -> c -> b -> a" in found.message
    assert "behind" not in found.message


def test_separate_cycles_are_told_one_by_one():
    jobs = [{"name": n, "depends_on": [other]} for n, other in ("ab", "ba", "cd", "dc")]
    found = [p.message for p in problems(spec(jobs)) if p.code == "cycle"]
    assert len(found) == 2
    assert any("a -> b -> a" in text for text in found)
    assert any("c -> d -> c" in text for text in found)


def test_a_job_cannot_wait_for_itself():
    assert '"a" depends on itself' in problem(spec([{"name": "a", "depends_on": ["a"]}]), "cycle").message


def test_a_cycle_through_files_is_found():
    jobs = [
        {"name": "x", "input_files": ["a"], "output_files": ["b"]},
        {"name": "y", "input_files": ["b"], "output_files": ["a"]},
    ]
    found = problem(spec(jobs, files=FILES), "cycle")
    assert "x -> y -> x" in found.message
    assert "files" in found.message


def test_a_cycle_through_user_data_and_a_dependency_is_found():
    jobs = [{"name": "x", "input_user_data": ["u"]}, {"name": "y", "depends_on": ["x"], "output_user_data": ["u"]}]
    assert "x -> y -> x" in problem(spec(jobs, user_data=[{"name": "u"}]), "cycle").message


def test_a_job_that_reads_what_it_writes_would_never_start():
    job = {"name": "x", "input_files": ["a"], "output_files": ["a"]}
    assert "reads what it writes" in problem(spec([job], files=FILES), "cycle").message


def test_cycles_through_files_are_told_beside_those_of_depends_on():
    jobs = [
        {"name": "a", "depends_on": ["b"]},
        {"name": "b", "depends_on": ["a"]},
        {"name": "x", "input_files": ["a"], "output_files": ["b"]},
        {"name": "y", "input_files": ["b"], "output_files": ["a"]},
    ]
    found = [p.message for p in problems(spec(jobs, files=FILES)) if p.code == "cycle"]
    assert len(found) == 2
    assert any("a -> b -> a" in text and "files" not in text for text in found)
    assert any("x -> y -> x" in text and "files" in text for text in found)


def test_a_long_cycle_is_shortened():
    jobs = [{"name": f"j{i}", "depends_on": [f"j{(i + 1) % 500}"]} for i in range(500)]
    found = problem(spec(jobs), "cycle")
    assert "488 more" in found.message
    assert len(found.message) < 300


def test_readers_before_writers_are_no_cycle():
    jobs = [{"name": "reader", "input_files": ["a"]}, {"name": "writer", "output_files": ["a"]}]
    assert not [p for p in problems(spec(jobs, files=FILES)) if p.code == "cycle"]


def test_two_writers_of_a_file_are_a_warning():
    jobs = [{"name": "x", "output_files": ["a"]}, {"name": "y", "output_files": ["a"]}]
    found = problem(spec(jobs, files=FILES), "output-shared")
    assert (found.severity, found.path) == (WARNING, ("jobs", 1))
    assert all(f'"{n}"' in found.message for n in ("a", "x", "y"))


# command variables


def test_command_variables_become_paths_and_relations():
    job = {"name": "j", "command": "x ${files.input.a} > ${files.output.b}"}
    [made] = plan(spec([job], files=FILES)).jobs
    assert (made.command, made.inputs, made.outputs) == ("x /d/a > /d/b", (0,), (1,))


def test_names_that_are_only_listed_count_too_with_a_warning():
    job = {"name": "j", "command": "x ${files.input.a} > ${files.output.b}", "input_files": ["a", "c"]}
    planned = plan(spec([job], files=FILES))
    assert planned.jobs[0].inputs == (0, 2)
    [found] = planned.problems
    assert (found.code, found.path) == ("var-union", ("jobs", 0, "input_files"))
    assert '"c"' in found.message


def test_the_invocation_script_counts_as_well():
    job = {"name": "j", "command": "x ${files.input.a}", "invocation_script": "s ${files.input.b}"}
    [made] = plan(spec([job], files=FILES)).jobs
    assert (made.invocation_script, made.inputs) == ("s /d/b", (0, 1))


def test_user_data_becomes_compact_json_with_sorted_keys():
    data = [{"name": "u", "data": {"b": [1, "é"], "a": None}}, {"name": "v", "data": 0}]
    job = {"name": "j", "command": "x '${user_data.input.u}' ${user_data.output.v}"}
    [made] = plan(spec([job], user_data=data)).jobs
    assert made.command == """x '{"a":null,"b":[1,"é"]}' 0"""
    assert (made.data_inputs, made.data_outputs) == ((0,), (1,))


def test_user_data_without_data_stays_a_token_with_a_warning():
    job = {"name": "j", "command": "x ${user_data.output.u}"}
    planned = plan(spec([job], user_data=[{"name": "u"}]))
    assert planned.jobs[0].command == "x ${user_data.output.u}"
    assert planned.jobs[0].data_outputs == ()
    assert "var-no-data" in [p.code for p in planned.problems]


@pytest.mark.parametrize(
    ("token", "hint"),
    [("files.input.aa", '"a"'), ("files.inputs.a", "files.input.NAME"), ("files.a", "files.input.NAME")],
)
def test_a_variable_that_names_nothing_is_an_error(token, hint):
    found = problem(spec([{"name": "j", "command": f"x ${{{token}}}"}], files=FILES), "var-unknown")
    assert found.path == ("jobs", 0, "command")
    assert found.found == f"${{{token}}}"
    assert hint in found.hint


def test_other_shell_variables_stay():
    assert plan(spec([{"name": "j", "command": "x ${HOME} $a ${filesX}"}])).jobs[0].command == "x ${HOME} $a ${filesX}"


def test_variables_reach_every_expansion():
    job = {"name": "j{i}", "command": "${files.input.f{i}} ${files.input.a}", "parameters": {"i": "1:2"}}
    files = [*FILES, {"name": "f{i}", "path": "p{i}", "parameters": {"i": "1:2"}}]
    planned = plan(spec([job], files=files))
    assert [j.command for j in planned.jobs] == ["p1 /d/a", "p2 /d/a"]
    assert [j.inputs for j in planned.jobs] == [(0, 3), (0, 4)]
