"""Whatever is written: problems, never another exception; and the fast ways agree with the obvious ones."""

from __future__ import annotations

import copy
import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.spec.small_specs import nowhere, problems, reader, spec
from tests.unit.spec.test_report_and_write import RICH
from torc_core.spec.combinations import product
from torc_core.spec.findings import BadText
from torc_core.spec.model import JobSpec, WorkflowSpec
from torc_core.spec.parameters import values_of
from torc_core.spec.read import check_data
from torc_core.spec.report import as_data, as_lines
from torc_core.spec.tables import read_table
from torc_core.spec.template import compile_template, format_value, render
from torc_core.spec.write import spec_data

GRAMMAR = st.text(alphabet="0123456789:.,-+eE[]{}'\"@ax infnatINFNAT_ #\n", max_size=20)
SCALARS = st.one_of(st.integers(-9999, 9999), st.floats(), st.text(alphabet="ab{}%:$\\", max_size=4))
TEXTS = st.text(alphabet="ab{}:%$0.2df ^()[]*\\", max_size=12)
NAMES = st.sampled_from(["a", "b", "c", "a{i}", "b{i}", "{i}{k}", "f", "x y", ""])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(GRAMMAR)
def test_every_value_text_is_read_or_refused(text):
    try:
        values = values_of(text, reader({"a": "1\nx\n", "x": "\x00"}), limit=1000)
    except BadText as exc:
        assert str(exc)
    else:
        assert all(type(value) in (int, float, str) for value in values)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-7, 7).filter(bool))
def test_integer_ranges_count_like_a_loop(start, end, step):
    expected, value = [], start
    while value <= end if step > 0 else value >= end:
        expected.append(value)
        value += step
    assert list(values_of(f"{start}:{end}:{step}")) == expected


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(alphabet="abcz_/.", min_size=1, max_size=5))))
def test_plain_lists_survive_being_written_as_text(values):
    values = [v for v in values if not (isinstance(v, str) and v.strip(".").lower() in ("nan", "inf"))]
    assert list(values_of("[" + ", ".join(map(str, values)) + "]")) == values


@given(st.floats(allow_nan=False))
def test_floats_read_back_from_their_text(number):
    text = format_value(number)
    assert "e" not in text
    assert float(text) == number


@given(TEXTS, st.dictionaries(st.sampled_from("abd"), SCALARS, max_size=3))
def test_rendering_equals_replacing_by_hand_from_left_to_right(text, values):
    try:
        found = render(text, values)
    except BadText:
        return
    expected, rest = "", text
    while rest:
        end = rest.find("}")
        name, _, format_spec = rest[1:end].partition(":") if rest[0] == "{" and end > 0 else ("", "", "")
        if name in values:
            expected, rest = expected + format_value(values[name], format_spec), rest[end + 1 :]
        else:
            expected, rest = expected + rest[0], rest[1:]
    assert found == expected


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(SCALARS, min_size=1, max_size=4), min_size=1),
    st.text(alphabet="abcd{}%:.2f-", max_size=16),
)
def test_columns_equal_rendering_each_combination(values, text):
    made = product(values, 1000)
    ordered = sorted(values)
    rows = [dict(zip(ordered, row, strict=True)) for row in itertools.product(*(values[name] for name in ordered))]
    assert made.count == len(rows)
    try:
        template = compile_template(text, made.names)
    except BadText:
        return
    if template is not None:
        assert list(made.render(template)) == [render(text, row) for row in rows]


@given(st.sampled_from(["t.csv", "t.json", "t.jsonl"]), st.text(max_size=40))
def test_every_table_is_read_or_refused(name, text):
    try:
        table = read_table(name, reader({name: text}))
    except BadText as exc:
        assert name in str(exc)
    else:
        assert all(len(column) == table.row_count for column in table.columns.values())


def section(fields, values):
    return st.dictionaries(st.sampled_from(sorted(fields)), values, max_size=6)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(WorkflowSpec.FIELDS)), JSON, max_size=5) | JSON)
def test_any_data_gives_a_plan_and_problems(data):
    found = check_data(data, nowhere, "s.json", read_file=reader({}), limit=1000)
    assert found.problems or data.get("name") is not None


JOBS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "command": st.one_of(TEXTS, st.sampled_from(["${files.input.f}", "${files.output.a{i}}", "{i} {k:02d}"])),
    },
    optional={
        "parameters": st.dictionaries(st.sampled_from("ik"), st.sampled_from(["1:2", "[a,b]", "5:1", "1:x", "{n}"])),
        "parameter_mode": st.sampled_from(["zip", "product"]),
        "use_parameters": st.lists(st.sampled_from("ik"), max_size=2),
        "depends_on": st.lists(NAMES, max_size=3),
        "depends_on_regexes": st.lists(TEXTS, max_size=2),
        "input_files": st.lists(NAMES, max_size=2),
        "output_files": st.lists(NAMES, max_size=2),
        "env": st.dictionaries(st.sampled_from(["A", "1"]), TEXTS, max_size=2),
        "labels": st.lists(TEXTS, max_size=2),
    },
)
FILES = st.fixed_dictionaries(
    {"name": NAMES, "path": TEXTS}, optional={"parameters": st.just({"i": "1:2"}), "identifier": TEXTS}
)


@settings(max_examples=300)
@given(
    st.lists(JOBS, max_size=5),
    st.lists(FILES, max_size=3),
    st.sampled_from([{}, {"parameters": {"i": "1:2"}}, {"variables": {"n": "3"}}]),
)
def test_any_jobs_give_a_plan_whose_positions_exist(jobs, files, more):
    found = check_data(spec(jobs, files=files, **more), nowhere, "s.json", limit=1000)
    for job in found.jobs:
        assert all(0 <= i < len(found.jobs) for i in job.depends_on)
        assert all(0 <= i < len(found.files) for i in (*job.inputs, *job.outputs))
        assert list(job.depends_on) == sorted(set(job.depends_on))
    if all(problem.severity != "error" for problem in found.problems):
        assert len({job.name for job in found.jobs}) == len(found.jobs)
        assert all(i < position for position, job in enumerate(found.jobs) for i in job.depends_on)


def paths_of(data, path=()):
    """Return the path of every value inside ``data``."""
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in members for found in ((*path, key), *paths_of(value, (*path, key)))]


@settings(max_examples=400)
@given(st.sampled_from(paths_of(RICH)), st.one_of(JSON, NAMES))
def test_any_value_in_a_good_spec_can_be_anything(path, value):
    data = copy.deepcopy(RICH)
    inside = data
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    planned = check_data(data, nowhere, "s.json", limit=1000)
    json.dumps(as_data(planned))
    assert as_lines(planned).out
    if all(problem.severity != "error" for problem in planned.problems):
        assert spec_data(planned)["name"] == data["name"]


@settings(max_examples=100)
@given(section(JobSpec.FIELDS, JSON))
def test_any_fields_of_a_job_give_problems_with_a_path(fields):
    for problem in problems(spec([{"name": "j"} | fields]), limit=1000):
        assert problem.path[:1] in (("jobs",), ())
