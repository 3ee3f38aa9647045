"""``torc jobs`` and ``torc job-dependencies``."""

from types import SimpleNamespace

import pytest

from tests.cli.programs import DIAMOND


def names(jobs):
    return [job["name"] for job in jobs]


def test_lists_are_filtered_and_cut(finished):
    assert len(finished.items("jobs", "list")) == 4
    assert names(finished.items("jobs", "list", "-s", "failed")) == ["right"]
    assert names(finished.items("jobs", "list", "--status", "canceled", "1")) == ["bottom"]
    assert names(finished.items("jobs", "list", "--name", "left")) == ["left"]
    assert names(finished.items("jobs", "list", "--sort-by", "name", "-l", 2)) == ["bottom", "left"]
    top = finished.items("jobs", "list", "--name", "top")[0]["id"]
    assert sorted(names(finished.items("jobs", "list", "--upstream-job-id", top))) == ["left", "right"]
    page = finished.json("jobs", "list", "-l", 1, "--offset", 1)
    assert (page["count"], page["total_count"], page["has_more"], page["offset"]) == (1, 4, True, 1)
    for status in ("pending_failed", "terminated", "uninitialized"):
        assert finished("jobs", "list", "-s", status).out == "No jobs.\n"


def test_a_table_that_is_cut_says_of_how_many(torc):
    torc.create("name: w\njobs: [{name: a, command: x}, {name: b, command: x}, {name: b2, command: x}]")
    for words, told in (
        (["--limit", 1], "Total: 1 of 3 jobs"), (["--offset", 1], "Total: 2 of 3 jobs"), ([], "Total: 3 jobs"),
        (["--name", "b", "--limit", 1], "Total: 1 of 2 jobs"), (["--name", "b2", "--limit", 9], "Total: 1 job"),
    ):  # fmt: skip
        assert torc("jobs", "list", 1, *words).lines[-1] == told


def test_relations_are_listed_when_asked_for(finished):
    assert "depends_on_job_ids" not in finished.items("jobs", "list", "--name", "bottom")[0]
    bottom = finished.items("jobs", "list", "--name", "bottom", "--include-relationships")[0]
    assert len(bottom["depends_on_job_ids"]) == 2


def test_the_table_shows_commands_on_one_short_line(torc):
    torc.create('name: w\njobs: [{name: a, command: "echo 1\\necho 2"}, {name: b, command: \'' + "x" * 99 + "'}]")
    rows = torc("jobs", "list").lines
    assert rows[2].endswith("echo 1...")
    assert rows[3].endswith("x" * 57 + "...")
    assert "x" * 58 not in rows[3]


def test_a_job_is_made_with_all_it_needs(torc):
    torc.create("name: w\njobs: [{name: a, command: echo}]\nfiles: [{name: f, path: f}, {name: g, path: g}]")
    needs = torc.json("resource-requirements", "create", 1, "-n", "big", "--num-cpus", 4)["id"]
    body = torc.json(
        "jobs", "create", 1, "-n", "b", "-c", "echo b", "-r", needs, "-b", 1, "-i", "1,2", "-o", 2, "--priority", 5,
        "--label", "x,y", "--env", '{"A": "1"}', "--supports-termination",
    )  # fmt: skip
    assert (body["name"], body["command"], body["resource_requirements_id"]) == ("b", "echo b", needs)
    assert (body["depends_on_job_ids"], body["input_file_ids"], body["output_file_ids"]) == ([1], [1, 2], [2])
    assert (body["priority"], body["labels"], body["env"]) == (5, ["x", "y"], {"A": "1"})
    assert body["supports_termination"] is True
    assert torc.json("jobs", "get", body["id"]).items() >= {"name": "b", "input_file_ids": [1, 2]}.items()
    assert torc.json("jobs", "create", 1, "-n", "c", "-c", "x", "-b", 1, "-b", 2)["depends_on_job_ids"] == [1, 2]


@pytest.mark.parametrize(
    "words",
    [["-n", "x"], ["-c", "x"], ["-n", "x", "-c", "x", "-b", "a"], ["-n", "x", "-c", "x", "--priority", "high"]],
    ids=" ".join,
)
def test_a_job_that_cannot_be_read_is_wrong_usage(torc, words):
    torc.create("name: w\njobs: []")
    torc("jobs", "create", 1, *words, code=2)
    assert torc.json("jobs", "list")["count"] == 0


def test_a_job_that_cannot_be_is_an_error(torc):
    torc.create("name: w\njobs: [{name: a, command: echo}]")
    assert "a" in torc("jobs", "create", 1, "-n", "a", "-c", "x", code=1).err
    assert "99" in torc("jobs", "create", 1, "-n", "b", "-c", "x", "-b", 99, code=1).err
    assert "priority" in torc("jobs", "create", 1, "-n", "b", "-c", "x", "--priority", -1, code=1).err


def test_a_job_is_changed(torc):
    torc.create("name: w\njobs: [{name: a, command: echo, labels: [x]}, {name: b, command: echo}]")
    body = torc.json("jobs", "update", 1, "-n", "new", "-c", "echo new", "--priority", 2, "--label", "p,q")
    assert (body["name"], body["command"], body["priority"], body["labels"]) == ("new", "echo new", 2, ["p", "q"])
    assert "labels" not in torc.json("jobs", "update", 1, "--clear-labels")
    assert torc.json("jobs", "get", 1)["name"] == "new"
    assert "nothing to change" in torc("jobs", "update", 1, code=2).err
    torc("jobs", "update", 1, "--label", "a", "--clear-labels", code=2)
    torc("jobs", "update", 9, "-n", "x", code=1)


def test_the_run_time_of_a_job_is_that_of_its_shared_requirements(torc):
    torc.create("name: w\njobs: [{name: a, command: echo}, {name: b, command: echo}]")
    torc("jobs", "update", 1, "--runtime", "PT7M")
    assert [row["runtime"] for row in torc.json("jobs", "list-resource-requirements")] == ["PT7M", "PT7M"]
    assert "PT" in torc("jobs", "update", 1, "--runtime", "7 minutes", code=1).err


def test_jobs_are_deleted_all_or_none(torc):
    torc.create("name: w\njobs: [{name: 'j{i}', command: echo, parameters: {i: '1:4'}}]")
    error = torc("jobs", "delete", 1, 98, 99, "-f", "json", code=1).error
    assert error["missing_ids"] == [98, 99]
    assert torc.json("jobs", "list")["count"] == 4
    assert names(torc.items("jobs", "delete", 1, 3)) == ["j1", "j3"]
    assert names(torc.items("jobs", "delete", 2)) == ["j2"]
    assert torc.json("jobs", "delete-all", 1) == {"count": 1}
    assert torc.json("jobs", "list")["count"] == 0


def test_requirements_of_jobs_are_listed_with_the_fields_of_the_reference(finished):
    rows = finished.json("jobs", "list-resource-requirements")
    assert len(rows) == 4
    assert set(rows[0]) == {
        "job_id", "job_name", "rr_id", "rr_name", "workflow_id", "num_cpus", "num_gpus", "num_nodes", "memory",
        "runtime",
    }  # fmt: skip
    [row] = finished.json("jobs", "list-resource-requirements", "-j", 2)
    assert row["job_id"] == 2
    done = finished("jobs", "list-resource-requirements")
    assert done.head == "Job ID Job Name RR ID RR Name CPUs GPUs Nodes Memory Runtime"


def test_failure_handlers_of_jobs_are_listed_with_a_summary(torc):
    spec = """
name: w
failure_handlers:
  - name: again
    rules:
      - {exit_codes: [1, 2], max_retries: 4, recovery_script: fix.sh}
      - {match_all_exit_codes: true, max_retries: 1}
jobs: [{name: a, command: echo, failure_handler: again}, {name: b, command: echo}]
"""
    torc.create(spec)
    [row] = torc.json("jobs", "list-failure-handlers")
    assert set(row) == {"job_id", "job_name", "failure_handler_id", "failure_handler_name", "rules"}
    assert (row["job_name"], row["failure_handler_name"], len(row["rules"])) == ("a", "again", 2)
    assert "1,2: 4 retries+script; any: 1 retries" in torc("jobs", "list-failure-handlers").out
    assert torc.json("jobs", "list-failure-handlers", "-j", 2) == []


def test_a_file_of_commands_becomes_jobs(torc, monkeypatch):
    torc.create("name: w\njobs: [{name: job2, command: echo}]")
    torc.write("commands.txt", "echo 1\n\n# no\n  echo 2\n")
    body = torc.json("jobs", "create-from-file", 1, "commands.txt", "--cpus-per-job", 2, "--memory-per-job", "3g")
    assert (body["status"], body["workflow_id"], body["jobs_created"]) == ("success", 1, 2)
    made = torc.items("jobs", "list")[1:]
    assert [(job["name"], job["command"]) for job in made] == [("job2_1", "echo 1"), ("job3", "echo 2")]
    needs = torc.json("resource-requirements", "get", made[0]["resource_requirements_id"])
    assert needs["name"].startswith("batch_jobs_req_")
    assert (needs["num_cpus"], needs["memory"], needs["runtime"]) == (2, "3g", "PT1M")
    monkeypatch.setattr("torc_core.cli.jobs.time", SimpleNamespace(time=lambda: int(needs["name"].rpartition("_")[2])))
    torc("jobs", "create-from-file", 1, "commands.txt")
    assert torc.items("resource-requirements", "list")[-1]["name"] == f"{needs['name']}_1"
    torc.write("empty.txt", "# nothing\n")
    assert "no commands" in torc("jobs", "create-from-file", 1, "empty.txt", code=1).err
    torc("jobs", "create-from-file", 1, "gone.txt", code=2)
    before = torc.json("resource-requirements", "list")["count"]
    torc("jobs", "create-from-file", 9, "commands.txt", code=1)
    assert torc.json("resource-requirements", "list")["count"] == before


def test_logs_of_a_job_are_printed(finished, torc):
    right = finished.items("jobs", "list", "--name", "right")[0]["id"]
    assert finished("jobs", "logs", right).out == "broken\n"
    body = finished.json("jobs", "logs", right)
    assert (body["job_id"], body["return_code"], len(body["files"])) == (right, 3, 2)
    bottom = finished.items("jobs", "list", "--name", "bottom")[0]["id"]
    assert "no result" in finished("jobs", "logs", bottom, code=1).err
    assert "there is no output folder nowhere" in finished("jobs", "logs", right, "-o", "nowhere", code=1).err
    torc("exec", "-c", "printf out; printf err >&2", "-c", "true")
    assert torc("jobs", "logs", 1).out == "out\nerr\n"
    quiet = torc("jobs", "logs", 2)
    assert (quiet.out, quiet.err) == ("", "job 2 wrote nothing\n")


def test_who_waits_for_whom(torc):
    torc.create(DIAMOND)
    pairs = {(d["job_name"], d["depends_on_job_name"]) for d in torc.items("job-dependencies", "job-job")}
    assert pairs == {("left", "top"), ("right", "top"), ("bottom", "left"), ("bottom", "right")}
    assert torc("job-dependencies", "job-job").head == "Job ID Job Name Blocked By Job ID Blocked By Job Name"
    rows = torc.items("job-dependencies", "job-file")
    assert {row["file_name"] for row in rows} == {"top"}
    assert {row.get("producer_job_name") for row in rows} - {None} == {"top"}
    assert {row.get("consumer_job_name") for row in rows} - {None} == {"left", "right"}
    page = torc.json("job-dependencies", "job-job", "-l", 1, "--offset", 1)
    assert (page["count"], page["total_count"]) == (1, 4)


def test_nothing_runs(finished):
    assert finished("jobs", "running").out == "No running jobs.\n"


def test_more_commands_than_one_request_takes_become_jobs(torc, monkeypatch):
    monkeypatch.setattr("torc_core.cli.jobs.MAX_LIMIT", 2)
    torc.create("name: w\njobs: []")
    torc.write("commands.txt", "".join(f"echo {i}\n" for i in range(5)))
    torc("jobs", "create-from-file", 1, "commands.txt")
    assert names(torc.items("jobs", "list")) == ["job1", "job2", "job3", "job4", "job5"]
