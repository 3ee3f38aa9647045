"""The benchmarks: how figures become verdicts and tables, that peers get the same graph, and that each row works."""

import json
import shutil

import pytest

from benchmarks import __main__ as command
from benchmarks import graphs, machine, table
from benchmarks.bench import Bench, Row
from benchmarks.peers import by_torc
from benchmarks.results import Figure, Result, as_json, ratios
from benchmarks.timing import BenchmarkError, Usage, in_turn, run


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.9], "aim"),
        ([0.91], "must"),
        ([1.3], "must"),
        ([1.31], "missed"),
        ([0.5, 1.0, 9.0], "must"),  # the median counts, not the best run and not the mean
    ],
)
def test_a_limit_is_met_when_the_median_is_no_greater(samples, expected):
    assert Figure("wall", "x", samples, must=1.3, aim=0.9).verdict() == expected


def test_there_is_no_verdict_without_a_limit_or_below_the_size_it_is_meant_for():
    assert Figure("wall", "x", [1.0]).verdict() == ""
    assert Figure("wall", "x", [9.0], must=1.0, aim=1.0).verdict(is_full_size=False) == ""


def test_ratios_are_taken_pair_by_pair():
    ours, peer = [Usage(2, 1, 1), Usage(9, 1, 1)], [Usage(1, 1, 1), Usage(3, 4, 1)]
    assert ratios(ours, peer, "wall_s") == [2, 3]
    assert ratios(ours, peer, "cpu_s") == [1, 0.25]


def test_contenders_take_turns_after_a_warm_up_that_does_not_count(tmp_path):
    calls = []

    def contender(name):
        def attempt(folder):
            assert list(folder.iterdir()) == []
            calls.append(name)
            return Usage(len(calls), 0, 0)

        return attempt

    usages = in_turn({"a": contender("a"), "b": contender("b")}, 2, tmp_path)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert {name: [u.wall_s for u in each] for name, each in usages.items()} == {"a": [3, 5], "b": [4, 6]}


def test_a_command_is_charged_for_the_processes_it_waits_for(tmp_path):
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    alone, parent = (run(["sh", "-c", text], tmp_path) for text in (":", f"sh -c '{busy}'; :"))
    assert parent.cpu_s > alone.cpu_s
    assert parent.wall_s > 0 and parent.peak_mb > 0


def test_a_command_that_fails_is_not_timed_but_told(tmp_path):
    with pytest.raises(BenchmarkError, match=r"exited 3, not 0: no such luck"):
        run(["sh", "-c", "echo no such luck >&2; exit 3"], tmp_path)


def test_variables_that_would_change_what_is_measured_are_taken_away(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TORC_LOG_LEVEL", "trace")
    run(["sh", "-c", 'test -z "$PYTHONDONTWRITEBYTECODE$TORC_LOG_LEVEL"'], tmp_path)


@pytest.mark.parametrize(
    ("graph", "jobs", "waits"),
    [
        (graphs.independent(7), 7, 0),
        (graphs.chain(7), 7, 6),
        (graphs.layers(3, 4), 12, 32),  # two times 4 jobs wait for 4
        (graphs.gather(7), 8, 7),
    ],
)
def test_graphs_have_as_many_jobs_and_dependencies_as_they_are_said_to(graph, jobs, waits):
    groups = graph.groups
    assert len(graph.tasks) == jobs
    assert sum(len(groups[task.after]) for task in graph.tasks if task.after) == waits


def test_torc_reads_the_dependencies_that_a_graph_has(tmp_path):
    graph = graphs.layers(2, 3)
    graphs.write_spec(graph, tmp_path)
    torc = shutil.which("torc")
    if torc is None:
        pytest.skip("torc is not on the path")
    run([torc, "create", "spec.yaml"], tmp_path)
    run([torc, "-f", "json", "job-dependencies", "job-job", "1"], tmp_path)
    links = json.loads((tmp_path / ".printed").read_text())["items"]
    assert {(link["depends_on_job_name"], link["job_name"]) for link in links} == {
        (f"l0x{i}", f"l1x{k}") for i in range(3) for k in range(3)
    }


def test_a_run_that_left_jobs_out_is_an_error(tmp_path, monkeypatch):
    write = graphs.write_spec
    monkeypatch.setattr(graphs, "write_spec", lambda graph, folder: write(graphs.independent(2), folder))
    with pytest.raises(BenchmarkError, match="torc ran 2 of 3 jobs"):
        by_torc(graphs.independent(3))(tmp_path)


def test_a_table_has_the_figures_limits_and_verdicts():
    row = Row("1", "work", lambda bench: Result([], {}))
    result = Result([Figure("wall / ninja", "x", [1.0, 1.2, 1.1], 1.3, 0.9), Figure("own", "us", [123.4])], {})
    lines = table.figures_table([(row, result)], is_full_size=True).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells == [
        ["1", "work", "wall / ninja", "1.10x", "1.00x to 1.20x", "<= 1.30x", "<= 0.90x", "must, not aim"],
        ["", "", "own", "123 us", "", "", "", ""],
    ]
    assert len({len(line) for line in lines}) == 1


def test_the_document_keeps_what_is_outside_the_markers():
    text = f"before\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n"
    assert table.between_markers(text, "new") == f"before\n\n{table.BEGIN}\n\nnew\n\n{table.END}\n\nafter\n"
    with pytest.raises(ValueError, match="figures: begin"):
        table.between_markers("no place", "new")


def test_the_document_of_this_project_has_a_place_for_the_figures():
    table.between_markers(command.DOCUMENT.read_text(), "new")


def test_json_holds_every_sample():
    result = Result([Figure("wall", "s", [1.0, 3.0], 2.0, 1.0)], {"torc": [Usage(1, 2, 3)]})
    assert as_json(result, True) == {
        "figures": [
            {
                "label": "wall", "unit": "s", "median": 2.0, "samples": [1.0, 3.0], "must": 2.0, "aim": 1.0,
                "verdict": "must",
            }
        ],
        "commands": {"torc": [{"wall_s": 1, "cpu_s": 2, "peak_mb": 3}]},
    }  # fmt: skip


def test_the_machine_is_called_busy_by_its_load(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (1.1, 0, 0))
    facts = machine.facts(tmp_path)
    assert facts["is_busy"]
    assert "busy" in table.machine_lines(facts)[-1]
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.9, 8, 8))
    assert not machine.facts(tmp_path)["is_busy"]


@pytest.mark.parametrize("row", command.ROWS, ids=lambda row: f"row {row.name}")
def test_each_row_can_be_measured(row, tmp_path):
    if row.name in {"1", "2", "3", "4", "4s"} and not shutil.which("ninja"):
        pytest.skip("ninja is not installed")
    result = row.measure(Bench(tmp_path, repeats=1, scale=0.002))
    assert result.figures
    assert row.name == "4s" or any(figure.must is not None for figure in result.figures)
    assert all(len(figure.samples) == 1 for figure in result.figures)
    assert all(usage.wall_s > 0 for usages in result.usages.values() for usage in usages)
