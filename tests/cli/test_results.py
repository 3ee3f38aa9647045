"""``torc results`` and ``torc reports``."""

import pytest

from tests.cli.programs import DIAMOND


def names(results):
    return [result["job_name"] for result in results]


def test_results_have_the_fields_of_the_reference_and_the_name_of_the_job(finished):
    items = finished.items("results", "list")
    assert sorted(names(items)) == ["left", "right", "top"]
    assert set(items[0]) >= {
        "id", "job_id", "workflow_id", "run_id", "attempt_id", "compute_node_id", "return_code", "exec_time_minutes",
        "completion_time", "status",
    }  # fmt: skip
    assert finished("results", "list", "-x", "reason").head == (
        "ID Job ID Job Name WF ID Run ID Attempt Return Code Exec Time Peak Mem Peak CPU % Completion Time Status"
    )


def test_results_are_filtered(finished):
    assert names(finished.items("results", "list", "--failed")) == ["right"]
    assert names(finished.items("results", "list", "--return-code", 3)) == ["right"]
    assert names(finished.items("results", "list", "-s", "failed")) == ["right"]
    top = finished.items("jobs", "list", "--name", "top")[0]["id"]
    assert names(finished.items("results", "list", "-j", top)) == ["top"]
    assert finished.items("results", "list", "-r", 7) == []
    assert len(finished.items("results", "list", "--compute-node", 1)) == 3
    result = finished.items("results", "list", "--failed")[0]
    assert finished.json("results", "get", result["id"])["job_name"] == "right"


@pytest.fixture
def many(torc):
    """30 jobs, every third of which fails."""
    spec = "name: w\njobs: [{name: 'j{i}', command: 'exit $(( {i} % 3 == 0 ))', parameters: {i: '1:30'}}]"
    torc("run", torc.write("s.yaml", spec), "-j", 4)
    return torc


def test_the_limit_counts_only_failed_results(many):
    page = many.json("results", "list", "--failed", "-l", 4, "--offset", 2, "--sort-by", "job_id")
    assert names(page["items"]) == ["j9", "j12", "j15", "j18"]
    assert (page["count"], page["total_count"], page["has_more"]) == (4, 10, True)
    assert many.json("results", "list", "--failed", "--offset", 8)["count"] == 2


def test_earlier_runs_are_listed_when_asked_for(many):
    many("workflows", "reinit", 1)
    many("run", 1)
    assert many.json("results", "list")["count"] == 30
    assert many.json("results", "list", "--all-runs")["count"] == 40


def test_results_come_with_their_log_files_when_asked_for(finished):
    by_name = {r["job_name"]: r for r in finished.items("results", "list", "--include-logs")}
    assert (finished.path / by_name["right"]["job_stderr"]).read_text() == "broken\n"
    assert "torc_output/job_stdio/" in finished("results", "list", "--include-logs").out
    assert "nowhere" in finished("results", "list", "--include-logs", "-o", "nowhere", code=1).err
    finished("results", "list", "-o", "torc_output", code=2)


def test_memory_and_shares_are_written_for_people():
    from torc_core.cli.results import RESULTS
    from torc_core.records.resources import Result

    def cells(**known):
        result = Result(
            id=1, workflow_id=1, job_id=1, run_id=1, return_code=0, status="completed", exec_time_minutes=1.5,
            completion_time="", **known,
        )  # fmt: skip
        return [RESULTS.columns[title](result) for title in ("Exec Time", "Peak Mem", "Peak CPU %")]

    assert cells() == ["1m 30s", "-", "-"]
    assert cells(peak_memory_bytes=12_897_485, peak_cpu_percent=99.94) == ["1m 30s", "12.3MB", "99.9"]
    assert cells(peak_memory_bytes=1_288_490_189, peak_cpu_percent=-1.0)[1:] == ["1.20GB", "-"]
    assert cells(peak_memory_bytes=-1)[1] == "-"


def test_the_report_has_all_results_with_their_files(finished):
    body = finished("reports", "results").json
    assert (body["workflow_id"], body["workflow_name"], body["workflow_user"]) == (1, "diamond", "ada")
    assert (body["all_runs"], body["total_results"]) == (False, 3)
    by_name = {entry["job_name"]: entry for entry in body["results"]}
    right = by_name["right"]
    assert set(right) >= {
        "job_id", "job_name", "status", "run_id", "return_code", "completion_time", "exec_time_minutes",
        "compute_node_id", "job_stdout", "job_stderr", "compute_node_type", "job_runner_log",
    }  # fmt: skip
    assert (right["status"], right["return_code"], right["compute_node_type"]) == ("failed", 3, "local")
    assert (finished.path / right["job_runner_log"]).exists()
    one = finished.json("reports", "results", 1, "-j", right["job_id"])
    assert [entry["job_name"] for entry in one["results"]] == ["right"]


def test_the_report_warns_of_files_that_are_gone(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    [gone, *_] = sorted((torc.path / "torc_output" / "job_stdio").glob("*.o"))
    gone.unlink()
    done = torc("reports", "results")
    assert f"warning: torc_output/job_stdio/{gone.name} is not there" in done.err
    assert done.json["total_results"] == 3
    assert "there is no output folder nowhere" in torc("reports", "results", "-o", "nowhere", code=1).err


def test_the_report_of_nothing_is_empty(torc):
    torc.create(DIAMOND)
    done = torc("reports", "results")
    assert (done.json["total_results"], done.json["results"]) == (0, [])
    assert "has no results" in done.err
