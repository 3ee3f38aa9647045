"""Parameter tables: kinds of files, typing of cells, exclusive sources."""

from __future__ import annotations

import pytest

from tests.unit.spec.small_specs import names, plan, problem, problems, reader, spec
from torc_core.spec.findings import BadText
from torc_core.spec.tables import MISSING, read_table

CSV = "model,lr\nresnet,0.001\nvit,0.0001\n"


def columns(name, text):
    return read_table(name, reader({name: text})).columns


def test_each_row_of_a_table_is_one_combination_in_file_order():
    job = {"name": "train_{model}_{lr:.4f}", "parameters_file": "sweep.csv"}
    assert names(plan(spec([job]), {"sweep.csv": CSV})) == ["train_resnet_0.0010", "train_vit_0.0001"]


def test_csv_cells_are_trimmed_and_typed():
    found = columns("t.CSV", 'a, b ,c\n 007 , 1e-1, x y\n"p,q",,"say ""hi"""\n')
    assert found == {"a": [7, "p,q"], "b": [0.1, ""], "c": ["x y", 'say "hi"']}


def test_blank_lines_and_a_byte_order_mark_do_not_count():
    assert columns("t.csv", "\ufeffa\n\n1\n\n2\n") == {"a": [1, 2]}


def test_json_text_stays_text_and_other_values_become_json():
    text = '[{"a": "007", "b": 1, "c": 1.5}, {"a": true, "b": null, "c": [1, {"k": 2}]}, {"a": 9223372036854775808}]'
    found = columns("t.json", text)
    assert found["a"] == ["007", "true", 9223372036854775808.0]
    assert found["b"][:2] == [1, "null"]
    assert found["c"][:2] == [1.5, '[1,{"k":2}]']
    assert found["b"][2] is MISSING


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.JSONL"])
def test_json_lines_hold_one_object_each(name):
    assert columns(name, '{"a": 1}\n\n{"a": 2}\n') == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.csv", "a,b\n1,2\n\n3\n", "line 4 has 1 cell, but there are 2 columns"),
        ("t.csv", "a;b\n1;2\n", "separated by ';'"),
        ("t.csv", "a\tb\n1\t2\n", "separated by a tab"),
        ("t.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("t.csv", "a, \n1,2\n", "column 2 has no name"),
        ("t.csv", "a\n", "no rows"),
        ("t.csv", "", "no rows"),
        ("t.csv", 'a\n"open\n', "line 2"),
        ("t.json", "[]", "no rows"),
        ("t.json", "{}", "list of objects"),
        ("t.json", '[{"a": 1}, 7]', "element 2"),
        ("t.json", '[{"a": 1},\n]', "line [12]"),  # Python 3.13 and later point at the comma
        ("t.json", '[{"": 1}]', "element 1: a key is empty"),
        ("t.json", "[" * 100_000, "t.json"),
        ("t.jsonl", '{"a": 1}\n[1]\n', "line 2: expected an object"),
        ("t.jsonl", '{"a": 1}\n{"a"\n', "line 2, column 5: "),
        ("t.txt", "a\n1\n", "no kind of table"),
        ("t", "a\n1\n", "no kind of table"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(name, text, reason):
    with pytest.raises(BadText, match=reason) as caught:
        read_table(name, reader({name: text}))
    assert caught.value.code == "table"
    assert name in str(caught.value)


def test_a_missing_table_is_a_problem_at_the_field():
    found = problem(spec([{"name": "j{a}", "parameters_file": "no.csv"}]), "table")
    assert found.path == ("jobs", 0, "parameters_file")
    assert "No such file" in found.message


def test_the_table_of_the_workflow_serves_items_that_ask_for_it():
    jobs = [{"name": "j_{model}", "use_parameters_file": True}, {"name": "plain", "use_parameters_file": False}]
    files = [{"name": "f_{model}", "path": "{lr}", "use_parameters_file": True}]
    data = [{"name": "u_{model}", "data": "{lr}", "use_parameters_file": True}]
    planned = plan(spec(jobs, files=files, user_data=data, parameters_file="s.csv"), {"s.csv": CSV})
    assert names(planned) == ["j_resnet", "j_vit", "plain"]
    assert [(f.name, f.path) for f in planned.files] == [("f_resnet", "0.001"), ("f_vit", "0.0001")]
    assert [(u.name, u.data) for u in planned.data] == [("u_resnet", "0.001"), ("u_vit", "0.0001")]


def test_a_broken_shared_table_is_told_at_the_workflow():
    data = spec([{"name": "j{a}", "use_parameters_file": True}], parameters_file="s.csv")
    assert problem(data, "table", {"s.csv": "a,b\n1\n"}).path == ("parameters_file",)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"parameters": {"a": "1"}}, "parameters"),
        ({"parameters": {}}, "parameters"),
        ({"use_parameters": ["a"]}, "use_parameters"),
        ({"parameter_mode": "zip"}, "parameter_mode"),
        ({"use_parameters_file": True}, "use_parameters_file"),
    ],
)
def test_a_table_excludes_every_other_source_of_the_item(extra, words):
    job = {"name": "j_{model}", "parameters_file": "s.csv"} | extra
    found = problem(spec([job]), "table-exclusive", {"s.csv": CSV})
    assert found.path == ("jobs", 0, "parameters_file")
    assert words in found.message
    assert "j_{model}" in found.message


def test_asking_for_a_shared_table_that_is_not_there_is_an_error():
    found = problem(spec([{"name": "j", "use_parameters_file": True}]), "table-exclusive")
    assert found.path == ("jobs", 0, "use_parameters_file")


def test_a_workflow_has_parameters_or_a_table():
    data = spec([{"name": "j_{model}", "use_parameters_file": True}], parameters={"a": "1"}, parameters_file="s.csv")
    assert problem(data, "table-exclusive", {"s.csv": CSV}).path == ("parameters_file",)


def test_a_row_without_a_column_keeps_the_token_which_is_an_error_in_names():
    rows = '[{"a": 1, "b": 2}, {"a": 3}]'
    found = problem(spec([{"name": "j{a}{b}", "parameters_file": "t.json"}]), "token-left", {"t.json": rows})
    assert found.severity == "error"
    assert "row 2" in found.message


def test_a_row_without_a_column_keeps_the_token_in_commands():
    rows = '[{"a": 1, "b": 2}, {"a": 3}]'
    data = spec([{"name": "j{a}", "command": "x {b:02d}", "parameters_file": "t.json"}])
    planned = plan(data, {"t.json": rows})
    assert [j.command for j in planned.jobs] == ["x 02", "x {b:02d}"]
    assert [p.code for p in planned.problems] == ["token-left"]


def test_tables_gather_like_other_parameters():
    jobs = [
        {"name": "t_{model}", "parameters_file": "s.csv"},
        {"name": "sum", "depends_on": ["t_{model}"], "parameters_file": "s.csv"},
    ]
    assert plan(spec(jobs), {"s.csv": CSV}).jobs[2].depends_on == (0, 1)


def test_a_table_is_read_once_however_many_items_use_it():
    asked = []

    def read_file(name):
        asked.append(name)
        return CSV

    from tests.unit.spec.small_specs import nowhere
    from torc_core.spec.read import check_data

    jobs = [{"name": f"j{n}_{{model}}", "parameters_file": "s.csv"} for n in range(3)]
    check_data(spec(jobs, variables={"v": "1"}), nowhere, "s.json", read_file=read_file)
    assert asked == ["s.csv"]


def test_a_table_over_the_limit_is_refused():
    rows = "a\n" + "\n".join(map(str, range(11)))
    found = problems(spec([{"name": "j{a}", "parameters_file": "t.csv"}]), {"t.csv": rows}, limit=10)
    assert [p.code for p in found] == ["expansion-too-large"]
