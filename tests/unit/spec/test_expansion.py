"""Items with parameters: combinations, order, gathering, left-over tokens, shared parameters."""

from __future__ import annotations

import pytest

from tests.unit.spec.small_specs import names, plan, problem, problems, spec, waits
from torc_core.problems import NOTE, WARNING

SHARED = {"i": "1:3", "k": "1:2"}


def job_names(job, **sections):
    return names(plan(spec([job], **sections)))


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"name": "j{i}", "parameters": {"i": "1:3"}}, ["j1", "j2", "j3"]),  # E1
        ({"name": "j{i:02d}", "parameters": {"i": "8:10"}}, ["j08", "j09", "j10"]),  # E2
        (
            {"name": "p_{d}_{m}", "parameter_mode": "zip", "parameters": {"d": "['x','y']", "m": "['u','v']"}},
            ["p_x_u", "p_y_v"],
        ),  # E4
        ({"name": "j{i}", "parameters": {"i": "[]"}}, []),  # E7
        ({"name": "j{i}{k}", "parameters": {"i": "[]", "k": "1:3"}}, []),
        ({"name": "j{x}", "parameters": {"x": "0.0:0.3:0.1"}}, ["j0", "j0.1", "j0.2", "j0.30000000000000004"]),  # E8
        ({"name": "j{x:.1f}", "parameters": {"x": "0.0:0.3:0.1"}}, ["j0.0", "j0.1", "j0.2", "j0.3"]),  # E9
        ({"name": "j", "parameters": {"i": "1:2"}}, ["j"]),  # E6, gathered
        ({"name": "j", "parameters": {}}, ["j"]),
        ({"name": "j"}, ["j"]),
        ({"name": "j{i}", "parameters": {"i": [1, "a,b"]}}, ["j1", "ja,b"]),
    ],
)
def test_a_job_stands_for_these_jobs(job, expected):
    assert job_names(job) == expected


def test_product_goes_by_sorted_names_and_the_last_varies_fastest():  # E3, section 5
    job = {"name": "m{lr:.3f}_b{b}", "parameters": {"lr": "[0.1,0.01]", "b": "[8,16]"}}
    assert job_names(job) == ["m0.100_b8", "m0.010_b8", "m0.100_b16", "m0.010_b16"]


def test_three_parameters_make_every_combination_once():
    found = job_names({"name": "{c}{a}{b}", "parameters": {"c": "[x,y]", "a": "1:2", "b": "3:5"}})
    assert found == [f"{c}{a}{b}" for a in (1, 2) for b in (3, 4, 5) for c in "xy"]


def test_zip_of_unequal_lists_names_both_with_their_counts():  # E5
    job = {"name": "p_{d}_{m}", "parameter_mode": "zip", "parameters": {"d": "['x','y']", "m": "['u','v','w']"}}
    found = problem(spec([job]), "zip-length")
    assert found.path == ("jobs", 0, "parameters")
    assert '"d" has 2 values, "m" has 3' in found.message


def test_an_unknown_mode_means_product_and_gets_a_warning():  # E10
    job = {"name": "j{a}{b}", "parameter_mode": "zipp", "parameters": {"a": "1:2", "b": "1:2"}}
    assert len(job_names(job)) == 4
    found = problem(spec([job]), "mode-unknown")
    assert (found.severity, found.path) == (WARNING, ("jobs", 0, "parameter_mode"))
    assert '"zip"' in found.hint


def test_shared_parameters_apply_when_they_are_named():  # E12
    assert job_names({"name": "j{i}", "use_parameters": ["i"]}, parameters=SHARED) == ["j1", "j2", "j3"]


def test_own_parameters_win_over_shared_ones():  # E13
    job = {"name": "j{i}", "use_parameters": ["i"], "parameters": {"i": "7:8"}}
    assert job_names(job, parameters=SHARED) == ["j7", "j8"]


def test_own_empty_parameters_win_too():
    job = {"name": "j", "use_parameters": ["i"], "parameters": {}}
    planned = plan(spec([job], parameters=SHARED))
    assert names(planned) == ["j"]
    assert {p.code for p in planned.problems} == {"unused"}


@pytest.mark.parametrize("job", [{"name": "j{i}"}, {"name": "j{i}", "use_parameters": []}])  # E11
def test_a_shared_parameter_that_is_not_named_leaves_the_token_which_is_an_error(job):
    found = problem(spec([job], parameters=SHARED), "token-left")
    assert found.path == ("jobs", 0, "name")
    assert found.found == "{i}"
    assert "use_parameters: [i]" in found.hint


def test_an_unknown_shared_parameter_is_skipped_with_a_warning():  # E14
    found = problems(spec([{"name": "j{i}", "use_parameters": ["zz"]}], parameters=SHARED))
    assert ("use-unknown", ("jobs", 0, "use_parameters", 0)) in [(p.code, p.path) for p in found]
    assert "token-left" in [p.code for p in found]


def test_files_expand_in_name_and_path():  # E15
    planned = plan(spec(files=[{"name": "f{i}", "path": "/d/{i:03d}", "parameters": {"i": "1:2"}}]))
    assert [(f.name, f.path) for f in planned.files] == [("f1", "/d/001"), ("f2", "/d/002")]


def test_user_data_expands_in_name_and_every_text_but_not_in_keys():
    data = {"{i}": ["a{i}", {"deep": "{i:02d}"}, 7]}
    planned = plan(spec(user_data=[{"name": "u{i}", "data": data, "parameters": {"i": "1:2"}}]))
    assert [(u.name, u.data) for u in planned.data] == [
        ("u1", {"{i}": ["a1", {"deep": "01"}, 7]}),
        ("u2", {"{i}": ["a2", {"deep": "02"}, 7]}),
    ]


def test_failure_handlers_are_not_expanded():  # E16
    handler = {"name": "h1", "rules": []}
    job = {"name": "j{i}", "failure_handler": "h{i}", "parameters": {"i": "1:2"}}
    assert problem(spec([job], failure_handlers=[handler]), "handler-missing").found == "h{i}"
    literal = {"name": "h{i}", "rules": []}
    assert [j.handler for j in plan(spec([job], failure_handlers=[literal])).jobs] == [0, 0]


def test_every_field_that_takes_tokens_gets_its_own_combination():
    job = {
        "name": "j{i}", "command": "c{i}", "invocation_script": "s{i}", "resource_requirements": "r{i}",
        "scheduler": "n{i}", "input_files": ["f{i}"], "output_file_regexes": ["^g{i}$"], "input_user_data": ["u{i}"],
        "output_user_data": ["v{i}"], "env": {"A": "e{i}", "B": "same"}, "parameters": {"i": "1:2"},
    }  # fmt: skip
    planned = plan(
        spec(
            [job],
            resource_requirements=[{"name": f"r{i}", "num_cpus": i, "memory": "1g", "runtime": "PT1M"} for i in (1, 2)],
            slurm_schedulers=[{"name": f"n{i}", "account": "a"} for i in (1, 2)],
            files=[{"name": name, "path": name} for name in ("g2", "f1", "f2", "g1")],
            user_data=[{"name": name, "data": 1} for name in ("u1", "v1", "u2", "v2")],
        )
    )
    first, second = planned.jobs
    assert (first.name, first.command, first.invocation_script, first.env) == (
        "j1",
        "c1",
        "s1",
        {"A": "e1", "B": "same"},
    )
    assert (second.command, second.invocation_script, second.env) == ("c2", "s2", {"A": "e2", "B": "same"})
    assert [(j.requirements, j.scheduler) for j in planned.jobs] == [(0, 0), (1, 1)]
    assert [(j.inputs, j.outputs) for j in planned.jobs] == [((1,), (3,)), ((2,), (0,))]
    assert [(j.data_inputs, j.data_outputs) for j in planned.jobs] == [((0,), (1,)), ((2,), (3,))]


def test_labels_are_expanded_sorted_and_without_repeats():
    job = {"name": "j{i}", "labels": ["z", "n{i}", "z"], "parameters": {"i": "1:2"}}
    assert [j.labels for j in plan(spec([job])).jobs] == [("n1", "z"), ("n2", "z")]


# dependencies between items with parameters (section 8)


def gen(name="gen_{i}", **values):
    return {"name": name, "parameters": values or {"i": "1:3"}}


def test_equal_parameters_give_one_to_one_dependencies():
    planned = plan(spec([gen(), gen("use_{i}") | {"depends_on": ["gen_{i}"]}]))
    assert waits(planned) | {"gen_1": [], "gen_2": [], "gen_3": []} == waits(planned)
    assert [waits(planned)[f"use_{i}"] for i in (1, 2, 3)] == [["gen_1"], ["gen_2"], ["gen_3"]]


def test_a_combination_without_its_producer_is_an_error_that_names_it():
    found = problem(spec([gen(), gen("use_{i}", i="1:4") | {"depends_on": ["gen_{i}"]}]), "dep-missing")
    assert found.path == ("jobs", 1, "depends_on", 0)
    assert found.found == "gen_4"


def test_a_token_in_the_dependencies_of_a_plain_job_is_an_error():
    found = problem(spec([gen(), {"name": "sum", "depends_on": ["gen_{i}"]}]), "token-left")
    assert found.path == ("jobs", 1, "depends_on", 0)


def test_a_pattern_gathers_all_expansions():
    planned = plan(spec([gen(), {"name": "sum", "depends_on_regexes": [r"^gen_\d+$"]}]))
    assert waits(planned)["sum"] == ["gen_1", "gen_2", "gen_3"]


def test_several_jobs_can_wait_for_the_same_one():
    planned = plan(spec([gen(i="1:2"), gen("use_{i}_{j}", i="1:2", j="1:3") | {"depends_on": ["gen_{i}"]}]))
    found = waits(planned)
    assert all(found[f"use_{i}_{j}"] == [f"gen_{i}"] for i in (1, 2) for j in (1, 2, 3))


def test_an_unknown_second_token_stays_and_is_an_error():
    jobs = [gen("gen_{i}_{j}", i="1:2", j="1:2"), gen("use_{i}", i="1:2") | {"depends_on": ["gen_{i}_{j}"]}]
    assert problem(spec(jobs), "token-left").found == "{j}"


def test_a_pattern_with_a_token_gathers_for_each_value():
    jobs = [gen("gen_{i}_{j}", i="1:2", j="1:2"), gen("use_{i}", i="1:2") | {"depends_on_regexes": ["^gen_{i}_"]}]
    found = waits(plan(spec(jobs)))
    assert (found["use_1"], found["use_2"]) == (["gen_1_1", "gen_1_2"], ["gen_2_1", "gen_2_2"])


def test_formats_must_agree_between_producer_and_consumer():
    good = [gen("gen_{i:02d}"), gen("use_{i}") | {"depends_on": ["gen_{i:02d}"]}]
    assert waits(plan(spec(good)))["use_2"] == ["gen_02"]
    bad = [gen("gen_{i:02d}"), gen("use_{i}") | {"depends_on": ["gen_{i}"]}]
    assert problem(spec(bad), "dep-missing").found == "gen_1"


# gathering (section 8.1)


def test_a_job_without_tokens_in_its_name_waits_for_all_combinations():
    planned = plan(spec([gen("train_{i}"), {"name": "sum", "depends_on": ["train_{i}"], "parameters": {"i": "1:3"}}]))
    assert names(planned) == ["train_1", "train_2", "train_3", "sum"]
    assert waits(planned)["sum"] == ["train_1", "train_2", "train_3"]


def test_gathering_is_told_as_a_note_with_the_number_of_combinations():
    train = gen("train_{a}_{b}", a="1:6", b="1:3")
    jobs = [train, {"name": "aggregate", "depends_on": ["train_{a}_{b}"], "parameters": train["parameters"]}]
    found = problem(spec(jobs), "gathered")
    assert found.severity == NOTE
    assert found.message == 'job "aggregate": 18 combinations gathered into one'


def test_gathering_with_a_different_command_is_an_error_that_shows_two_values():
    jobs = [gen("train_{i}"), {"name": "sum", "command": "sum {i}", "parameters": {"i": "1:3"}}]
    found = problem(spec(jobs), "gather-differs")
    assert found.path == ("jobs", 1, "command")
    assert "'sum 1' (i=1)" in found.message
    assert "'sum 2' (i=2)" in found.message
    assert "{i}" in found.hint


@pytest.mark.parametrize(
    "field",
    [
        {"env": {"A": "{i}"}}, {"invocation_script": "s{i}"}, {"labels": ["l{i}"]}, {"resource_requirements": "r{i}"},
        {"scheduler": "r{i}"},
    ],
)  # fmt: skip
def test_gathering_with_anything_else_different_is_an_error(field):
    job = {"name": "sum", "parameters": {"i": "1:2"}} | field
    needs = [{"name": f"r{i}", "num_cpus": 1, "memory": "1g"} for i in (1, 2)]
    nodes = [{"name": f"r{i}", "account": "a", "walltime": "9:00:00"} for i in (1, 2)]
    found = problem(spec([job], resource_requirements=needs, slurm_schedulers=nodes), "gather-differs")
    assert next(iter(field)) in found.message


def test_a_name_with_some_parameters_gathers_for_each_name():
    files = [{"name": "d_{r}_{m}", "path": "{r}{m}", "parameters": {"r": "[a,b]", "m": "1:2"}}]
    job = {"name": "rep_{r}", "input_files": ["d_{r}_{m}"], "parameters": {"r": "[a,b]", "m": "1:2"}}
    planned = plan(spec([job], files=files))
    inputs = {j.name: [planned.files[i].name for i in j.inputs] for j in planned.jobs}
    assert inputs == {"rep_a": ["d_a_1", "d_a_2"], "rep_b": ["d_b_1", "d_b_2"]}


def test_gathering_per_name_keeps_what_differs_between_names():
    job = {"name": "rep_{r}", "command": "run {r}", "parameters": {"r": "[a,b]", "m": "1:2"}}
    assert [j.command for j in plan(spec([job])).jobs] == ["run a", "run b"]


def test_gathering_works_with_zip_and_unions_patterns_too():
    values = {"a": "1:2", "b": "[x,y]"}
    producer = {"name": "p_{a}_{b}_{c}", "parameters": values | {"c": "1:2"}}
    job = {"name": "sum", "parameter_mode": "zip", "parameters": values, "depends_on_regexes": ["^p_{a}_{b}_"]}
    assert waits(plan(spec([producer, job])))["sum"] == ["p_1_x_1", "p_1_x_2", "p_2_y_1", "p_2_y_2"]


def test_files_without_tokens_are_gathered_and_different_paths_are_an_error():
    same = {"name": "f", "path": "p", "parameters": {"i": "1:3"}}
    assert len(plan(spec(files=[same])).files) == 1
    other = {"name": "f", "path": "p{i}", "parameters": {"i": "1:3"}}
    assert problem(spec(files=[other]), "gather-differs").path == ("files", 0, "path")


def test_user_data_without_tokens_is_gathered_and_different_data_is_an_error():
    assert len(plan(spec(user_data=[{"name": "u", "data": {"a": 1}, "parameters": {"i": "1:3"}}])).data) == 1
    other = {"name": "u", "data": ["{i}"], "parameters": {"i": "1:3"}}
    assert problem(spec(user_data=[other]), "gather-differs").path == ("user_data", 0, "data")


def test_a_format_that_makes_names_equal_gathers_or_complains():
    values = {"x": "[0.11,0.12]"}
    assert job_names({"name": "j{x:.1f}", "parameters": values}) == ["j0.1"]
    assert problem(spec([{"name": "j{x:.1f}", "command": "{x}", "parameters": values}]), "gather-differs")


# left-over tokens (section 8.2)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (spec([{"name": "j{k}"}]), ("jobs", 0, "name")),
        (spec([{"name": "j", "resource_requirements": "r{k}"}]), ("jobs", 0, "resource_requirements")),
        (spec([{"name": "j", "scheduler": "r{k}"}]), ("jobs", 0, "scheduler")),
        (spec([{"name": "j", "input_files": ["a{k}"]}]), ("jobs", 0, "input_files", 0)),
        (spec([{"name": "j", "output_user_data_regexes": ["a{k}"]}]), ("jobs", 0, "output_user_data_regexes", 0)),
        (spec([{"name": "j", "labels": ["a{k}"]}]), ("jobs", 0, "labels", 0)),
        (spec(files=[{"name": "f", "path": "/{k:03d}"}]), ("files", 0, "path")),
        (spec(user_data=[{"name": "u{k}"}]), ("user_data", 0, "name")),
    ],
)
def test_left_over_tokens_are_errors_where_nothing_else_can_be_meant(data, path):
    found = problem(data, "token-left")
    assert found.severity == "error"
    assert found.path == path


@pytest.mark.parametrize("field", [{"command": "awk '{print}'"}, {"invocation_script": "{k} x"}, {"env": {"A": "{k}"}}])
def test_left_over_tokens_are_warnings_where_the_shell_may_mean_them(field):
    found = problem(spec([{"name": "j"} | field]), "token-left")
    assert found.severity == WARNING


def test_the_same_token_in_many_commands_is_told_once_with_their_number():
    jobs = [{"name": f"j{i}", "command": "awk '{print}'"} for i in range(50)]
    assert "49 other items" in problem(spec(jobs), "token-left").message


def test_the_message_has_the_nearest_parameter_or_all_of_them():
    near = {"name": "j{indx}", "parameters": {"index": "1:2"}}
    assert '"index"' in problem(spec([near]), "token-left").hint
    far = {"name": "j{zzz}", "parameters": {"index": "1:2", "size": "1:2"}}
    assert "index, size" in problem(spec([far]), "token-left").hint


def test_values_with_braces_are_no_left_over_tokens():  # T30
    planned = plan(spec([{"name": "j", "command": "{a} {b}", "parameters": {"a": ["{b}"], "b": "9"}}]))
    assert planned.jobs[0].command == "{b} 9"
    assert [p.code for p in planned.problems] == []


# everything together


def test_parameters_come_before_command_variables():
    job = {"name": "j{i}", "command": "x ${files.input.in_{i}}", "parameters": {"i": "3:4"}}
    planned = plan(spec([job], files=[{"name": "in_{i}", "path": "/d/{i}", "parameters": {"i": "1:4"}}]))
    assert [j.command for j in planned.jobs] == ["x /d/3", "x /d/4"]
    assert [j.inputs for j in planned.jobs] == [(2,), (3,)]


def test_a_vanished_item_gets_a_warning():
    found = problem(spec([{"name": "j{i}", "parameters": {"i": "5:1"}}]), "param-empty")
    assert (found.severity, found.path) == (WARNING, ("jobs", 0, "parameters"))


def test_references_to_an_item_that_could_not_be_expanded_are_not_judged():
    jobs = [
        {"name": "gen_{i}", "parameters": {"i": "1:x"}},
        {"name": "use", "depends_on": ["gen_3"]},
        {"name": "all", "depends_on_regexes": ["^gen_"]},
        {"name": "lost", "depends_on": ["gem_3"]},
    ]
    found = {(p.code, p.path) for p in problems(spec(jobs))}
    assert found == {
        ("param-value", ("jobs", 0, "parameters", "i")),
        ("dep-missing", ("jobs", 3, "depends_on", 0)),
    }


def test_a_job_that_cannot_be_expanded_still_has_its_plain_references_checked():
    job = {
        "name": "j{i}", "parameters": {"i": "1:x"}, "depends_on": ["f{i}", "nobody"], "resource_requirements": "none",
        "failure_handler": "none", "input_file_regexes": ["("],
    }  # fmt: skip
    codes = {p.code: p.path for p in problems(spec([job]))}
    assert codes["dep-missing"] == ("jobs", 0, "depends_on", 1)
    assert {"rr-missing", "handler-missing", "file-in-regex-bad"} <= set(codes)
