"""Options that every command takes, before it or after it, and what they do to output."""

import csv
import io
import json

import pytest

LISTS = [
    ("workflows", "list"), ("jobs", "list"), ("files", "list"), ("user-data", "list"), ("events", "list"),
    ("results", "list"), ("resource-requirements", "list"), ("failure-handlers", "list"), ("compute-nodes", "list"),
    ("job-dependencies", "job-job"), ("job-dependencies", "job-file"), ("job-dependencies", "job-user-data"),
    ("jobs", "running"), ("workflows", "list-actions"),
]  # fmt: skip
PAGE = {"items", "offset", "max_limit", "count", "total_count", "has_more"}


@pytest.mark.parametrize(
    "words",
    [
        "-f json jobs list", "--format=json jobs list", "jobs -f json list", "jobs list -f json", "jobs list -fjson",
        "-f table jobs list -f json", "-f csv jobs -f table list --format json",
    ],
)  # fmt: skip
def test_options_stand_anywhere_and_the_last_one_wins(finished, words):
    assert finished(*words.split()).json["count"] == 4


def test_the_table_can_be_had_although_json_is_configured(torc):
    torc.write("torc.toml", 'client.format = "json"')
    assert torc("create", torc.write("s.yaml", "name: a\njobs: []")).json["status"] == "success"
    assert torc("-f", "table", "workflows", "list").lines[0].split()[:2] == ["ID", "Name"]
    assert torc("status", "9", code=1).error["message"] == "there is no workflow with id 9"


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_list_has_the_api_shape_and_one_record_a_line(finished, words):
    done = finished(*words, "-f", "json")
    assert set(done.json) == PAGE
    records = [line for line in done.lines if line.startswith("    {")]
    assert len(records) == done.json["count"] == len(done.json["items"])
    assert all(None not in item.values() for item in done.json["items"])


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_lists_can_be_written_as_csv_under_the_titles_of_the_table(finished, words):
    rows = list(csv.reader(io.StringIO(finished(*words, "-f", "csv").out)))
    assert len(rows) - 1 == finished.json(*words)["count"]
    if len(rows) > 1:
        assert finished(*words).lines[0].split() == " ".join(rows[0]).split()


def test_older_scripts_get_lists_under_the_name_of_their_kind(finished, monkeypatch):
    monkeypatch.setenv("TORC_JSON_LISTS", "named")
    for words, name in (("jobs list", "jobs"), ("files list", "files"), ("workflows list", "workflows"),
                        ("results list", "results"), ("events list", "events"), ("user-data list", "user_data"),
                        ("compute-nodes list", "compute_nodes"), ("workflows list-actions", "actions")):  # fmt: skip
        assert list(finished.json(*words.split())) == [name]


def test_csv_is_for_lists_only(finished):
    assert "only lists" in finished("status", "-f", "csv", code=2).err
    assert finished("jobs", "get", "1", "-f", "csv", code=2).out == ""


def test_columns_can_be_left_out(finished):
    done = finished("jobs", "list", "-x", "command", "--exclude", "Priority")
    assert done.lines[0].split() == ["ID", "Name", "Status"]
    assert finished("jobs", "list", "-x", "id,name,status,priority", "-f", "csv").lines[0] == "Command"
    done = finished("jobs", "list", "-x", "colour", code=2)
    assert "colour" in done.err
    assert "Columns: ID, Name, Status, Priority, Command" in done.err


def test_an_unknown_format_is_wrong_usage(finished):
    done = finished("-f", "xml", "jobs", "list", code=2)
    assert done.out == ""
    assert "xml" in done.err


def test_the_database_is_named_before_or_after(torc):
    torc.write("s.yaml", "name: there\njobs: []")
    torc("create", "s.yaml", "--db", "deep/er/x.db")
    assert (torc.path / "deep/er/x.db").exists()
    assert not (torc.path / "torc_output").exists()
    assert torc("--db", "deep/er/x.db", "-s", "workflows", "list", "-f", "json").json["items"][0]["name"] == "there"
    done = torc("workflows", "list", code=1)
    assert "torc_output/torc.db" in done.err
    assert "torc create SPEC" in done.err
    assert not (torc.path / "torc_output").exists()


def test_a_wrong_configuration_is_named_with_file_and_reason(torc):
    torc.write("torc.toml", "[client]\nformat = 'xml'\n")
    done = torc("status", code=1)
    assert "torc.toml:2:1" in done.err
    assert "xml" in done.err
    assert done.out == ""
    body = json.loads(torc("status", "-f", "json", code=1).err)
    assert body["status"] == "error"


def test_errors_are_json_with_the_workflow_they_are_about(finished):
    error = finished("workflows", "get", "77", "-f", "json", code=1).error
    assert (error["status"], error["workflow_id"]) == ("error", 77)
    assert "77" in error["message"]
    error = finished("jobs", "get", "77", "-f", "json", code=1).error
    assert (error["status"], error["error"], error["id"]) == ("error", "NotFound", 77)


def test_words_after_two_dashes_are_no_options(torc):
    done = torc("exec", "--no-such", "--", "grep", "-f", "json", code=2)
    assert "--no-such" in done.err
    assert not done.err.startswith("{")
