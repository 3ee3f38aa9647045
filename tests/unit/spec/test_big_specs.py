"""Limits and large shapes: what is refused before it is made, and what is shared instead of copied."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.spec.small_specs import names, plan, problem, problems, spec
from torc_core.spec import combinations


def test_a_million_fold_product_is_refused_before_it_is_made(monkeypatch):
    def never(*_):
        raise AssertionError("a combination was made")

    monkeypatch.setattr(combinations.Combinations, "render", never)
    job = {"name": "j{a}{b}", "parameters": {"a": "1:1000000", "b": "1:1000000"}}
    found = problem(spec([job]), "expansion-too-large")
    assert "1,000,000,000,000 combinations" in found.message
    assert found.path == ("jobs", 0, "parameters")


def test_the_limit_of_one_item_is_exact():
    job = {"name": "j{a}_{b}", "parameters": {"a": "1:5", "b": "1:2"}}
    assert len(plan(spec([job]), limit=10).jobs) == 10
    assert problem(spec([job]), "expansion-too-large", limit=9)


def test_all_items_together_may_come_to_twice_the_limit():
    jobs = [{"name": f"j{n}_{{a}}", "parameters": {"a": "1:10"}} for n in range(3)]
    assert len(plan(spec(jobs[:2]), limit=10).jobs) == 20
    found = problems(spec(jobs), limit=10)
    assert [(p.code, p.path) for p in found] == [("expansion-too-large", ("jobs", 2))]


def test_files_count_towards_the_same_total():
    jobs = [{"name": f"j{n}_{{a}}", "parameters": {"a": "1:10"}} for n in range(2)]
    files = [{"name": "f{a}", "path": "{a}", "parameters": {"a": "1:10"}}]
    assert [p.code for p in problems(spec(jobs, files=files), limit=10)] == ["expansion-too-large"]


def test_layers_share_one_list_for_each_layer():
    jobs = [{"name": f"l{k:02d}_{{i}}", "parameters": {"i": "1:50"}} for k in range(20)]
    for k in range(1, 20):
        jobs[k]["depends_on_regexes"] = [f"^l{k - 1:02d}_"]
    planned = plan(spec(jobs))
    lists = {id(job.depends_on): job.depends_on for job in planned.jobs if job.depends_on}
    assert len(lists) == 19
    assert {len(found) for found in lists.values()} == {50}
    assert planned.jobs[999].depends_on == tuple(range(900, 950))


def test_a_thousand_jobs_that_wait_for_a_thousand_share_their_list_also_when_reordered():
    second = {"name": "b{i}", "parameters": {"i": "1:1000"}, "depends_on_regexes": ["^a"]}
    first = {"name": "a{i}", "parameters": {"i": "1:1000"}}
    planned = plan(spec([second, first]))
    assert names(planned)[0] == "a1"
    assert len({id(job.depends_on) for job in planned.jobs[1000:]}) == 1
    assert planned.jobs[1999].depends_on == tuple(range(1000))


def test_expansions_share_what_does_not_differ():
    env = {"A": "x"}
    job = {
        "name": "j{i}",
        "command": "same",
        "env": env,
        "labels": ["l"],
        "depends_on": ["root"],
        "parameters": {"i": "1:100"},
    }
    made = plan(spec([{"name": "root"}, job])).jobs[1:]
    for slot in ("command", "env", "labels", "depends_on", "path"):
        assert len({id(getattr(j, slot)) for j in made}) == 1, slot


def test_single_dependencies_on_the_same_job_are_one_object():
    jobs = [
        {"name": "g{i}", "parameters": {"i": "1:10"}},
        {"name": "u{i}_{k}", "depends_on": ["g{i}"], "parameters": {"i": "1:10", "k": "1:20"}},
    ]
    assert len({id(job.depends_on) for job in plan(spec(jobs)).jobs[10:]}) == 10


def test_a_large_sweep_has_the_names_of_the_product_in_order():
    job = {"name": "j_{a:03d}_{b}", "command": "{b} {a}", "parameters": {"a": "0:99", "b": "0:99"}}
    planned = plan(spec([job]))
    expected = [(f"j_{a:03d}_{b}", f"{b} {a}") for a, b in itertools.product(range(100), range(100))]
    assert [(j.name, j.command) for j in planned.jobs] == expected


def test_a_chain_of_many_jobs_written_backwards_is_ordered():
    count = 5000
    jobs = [{"name": f"j{i}", "depends_on": [f"j{i - 1}"] if i else []} for i in reversed(range(count))]
    planned = plan(spec(jobs))
    assert names(planned) == [f"j{i}" for i in range(count)]
    assert planned.jobs[-1].depends_on == (count - 2,)


def test_many_mistakes_are_all_told_and_suggestions_stay_few():
    jobs = [{"name": f"job_{i}"} for i in range(300)]
    jobs += [{"name": f"user_{i}", "depends_on": [f"jobb_{i}"]} for i in range(300)]
    found = [p for p in problems(spec(jobs)) if p.code == "dep-missing"]
    assert len(found) == 300
    assert all(p.hint for p in found)
    assert sum(p.hint.startswith("Did you mean") for p in found) == 20


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_product_with_every_number_of_parameters_is_complete(count):
    parameters = {f"p{n}": "1:3" for n in range(count)}
    name = "_".join(f"{{p{n}}}" for n in range(count))
    found = names(plan(spec([{"name": name, "parameters": parameters}])))
    assert found == ["_".join(c) for c in itertools.product("123", repeat=count)]
