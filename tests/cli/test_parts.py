"""Files, user data, requirements, failure handlers, compute nodes and events."""

import json
from datetime import UTC, datetime

import pytest


@pytest.fixture
def one(torc):
    """A workflow with two jobs and nothing else."""
    torc.create("name: w\njobs: [{name: a, command: echo}, {name: b, command: echo}]")
    return torc


def test_files_live_through_their_commands(one):
    body = one.json("files", "create", 1, "-n", "f", "-p", "data/f.txt")
    assert body.items() >= {"id": 1, "workflow_id": 1, "name": "f", "path": "data/f.txt"}.items()
    assert "st_mtime" not in body
    one("files", "create", "--name", "g", "--path", "g.txt")
    assert [f["name"] for f in one.items("files", "list")] == ["f", "g"]
    assert one.items("files", "list", "--name", "g")[0]["path"] == "g.txt"
    assert one("files", "list").lines[0].split() == ["ID", "Name", "Path", "Modified", "Time"]
    assert one.json("files", "update", 1, "-p", "new.txt").items() >= {"name": "f", "path": "new.txt"}.items()
    assert one.json("files", "get", 1)["path"] == "new.txt"
    assert one.json("files", "delete", 1)["name"] == "f"
    assert "no file with id 1" in one("files", "get", 1, code=1).err
    one("files", "create", 1, "-n", "x", code=2)


def test_files_that_must_exist_and_who_makes_files(torc):
    spec = """
name: w
jobs: [{name: a, command: c, input_files: [i], output_files: [o]}, {name: b, command: c, input_files: [o]}]
files: [{name: i, path: i}, {name: o, path: o}, {name: unused, path: u}]
"""
    torc.create(spec)
    by_name = {f["name"]: f["id"] for f in torc.items("files", "list")}
    assert torc.json("files", "list-required-existing") == {"files": [by_name["i"]]}
    assert torc("files", "list-required-existing").out == f"{by_name['i']}\n"
    a = torc.items("jobs", "list", "--name", "a")[0]["id"]
    assert [f["name"] for f in torc.items("files", "list", "--produced-by-job-id", a)] == ["o"]
    assert [f["name"] for f in torc.items("files", "list", "--is-output", "false")] == ["i", "unused"]


def test_moments_are_written_in_utc_whatever_the_zone_and_however_far(one, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    one.create(
        "name: w\nfiles: [{name: f, path: f, st_mtime: 86400.5}, {name: g, path: g, st_mtime: 1.0e+300}]\njobs: []"
    )
    rows = [line.split() for line in one("files", "list", 2).lines]
    assert rows[2][1:] == ["f", "f", "1970-01-02T00:00:00Z"]
    assert rows[3][1:] == ["g", "g", "1e+300"]
    assert one("workflows", "list").lines[2].endswith("Z")


def test_user_data_live_through_their_commands(one):
    body = one.json("user-data", "create", 1, "-n", "numbers", "-d", '{"a": [1, null]}')
    assert (body["name"], body["data"], body["is_ephemeral"]) == ("numbers", {"a": [1, None]}, False)
    one("user-data", "create", 1, "-n", "short", "--ephemeral")
    assert [d["name"] for d in one.items("user-data", "list", "--is-ephemeral", "true")] == ["short"]
    assert [d["name"] for d in one.items("user-data", "list", "--name", "numb")] == ["numbers"]
    assert [d["name"] for d in one.items("user-data", "list", "-l", 1, "-o", 1)] == ["short"]
    assert one("user-data", "list").lines[0].split() == ["ID", "Name", "Ephemeral", "Data", "Preview"]
    assert one.json("user-data", "update", 2, "-d", '"text"', "--ephemeral", "false")["data"] == "text"
    assert one.json("user-data", "get", 2)["is_ephemeral"] is False
    for words in (["create", 1, "-n", "x"], ["update", 1]):
        done = one("user-data", *words, "-d", "{bad", code=1)
        assert "--data is not JSON" in done.err
    assert one.json("user-data", "delete", 2)["name"] == "short"
    assert one.json("user-data", "delete-all", 1) == {"count": 1}


def test_long_data_are_cut_in_the_table_only(one):
    one("user-data", "create", 1, "-n", "long", "-d", json.dumps("x" * 100))
    assert "x" * 60 not in one("user-data", "list").out
    assert one.items("user-data", "list")[0]["data"] == "x" * 100


def test_user_data_are_given_to_jobs(one):
    id = one.json("user-data", "create", 1, "-n", "d", "--producer-job-id", 1, "--consumer-job-id", 2)["id"]
    assert one.json("jobs", "get", 1)["output_user_data_ids"] == [id]
    assert one.json("jobs", "get", 2)["input_user_data_ids"] == [id]
    assert [d["id"] for d in one.items("user-data", "list", "--producer-job-id", 1)] == [id]
    assert one.items("user-data", "list", "--consumer-job-id", 1) == []
    [pair] = [r for r in one.items("job-dependencies", "job-user-data") if r.get("consumer_job_id") == 2]
    assert pair["user_data_name"] == "d"
    one("user-data", "create", 1, "-n", "e", "--consumer-job-id", 77, code=1)
    one("user-data", "create", 1, "-n", "e", "--producer-job-id", 1, "--consumer-job-id", 77, code=1)
    assert one.json("jobs", "get", 1)["output_user_data_ids"] == [id]
    other = one.create("name: other\njobs: []")
    assert "workflow" in one("user-data", "create", other, "-n", "e", "--consumer-job-id", 2, code=1).err
    assert one.json("user-data", "list", 1)["count"] == 1


def test_missing_user_data_are_listed(one):
    id = one.json("user-data", "create", 1, "-n", "d", "--consumer-job-id", 2)["id"]
    assert one.json("user-data", "list-missing") == {"user_data": [id]}
    one("user-data", "update", id, "-d", "1")
    assert one.json("user-data", "list-missing") == {"user_data": []}
    assert one("user-data", "list-missing").out == "No user data is missing.\n"


def test_a_wrong_value_is_named_in_the_words_of_people(one):
    done = one("resource-requirements", "create", 1, "-n", "big", "-m", "4gb", code=1)
    assert done.err.startswith("Error: resource requirements: memory: cannot read '4gb'")


def test_requirements_have_defaults_and_units(one):
    body = one.json("resource-requirements", "create", 1, "-n", "usual")
    told = {name: body[name] for name in ("num_cpus", "num_gpus", "num_nodes", "memory", "runtime")}
    assert told == {"num_cpus": 1, "num_gpus": 0, "num_nodes": 1, "memory": "1m", "runtime": "PT1M"}
    body = one.json(
        "resource-requirements", "create", 1, "-n", "big", "--num-cpus", 8, "--num-gpus", 1, "-m", "4g", "-r", "P0DT2H"
    )
    assert (body["num_cpus"], body["num_gpus"], body["memory"], body["runtime"]) == (8, 1, "4g", "P0DT2H")
    id = body["id"]
    assert one.json("resource-requirements", "update", id, "--memory", "5g")["memory"] == "5g"
    names = [r["name"] for r in one.items("resource-requirements", "list")]
    assert {"default", "usual", "big"} == set(names)
    for words in (["-m", "4gb"], ["-r", "2h"], ["--num-cpus", "-1"]):
        one("resource-requirements", "update", id, *words, code=1)
    one("resource-requirements", "update", id, "--num-cpus", "many", code=2)
    assert one.json("resource-requirements", "delete", id)["name"] == "big"


def test_failure_handlers_are_shown(torc):
    torc.create("name: w\njobs: []\nfailure_handlers: [{name: h, rules: [{exit_codes: [3], max_retries: 2}]}]")
    [handler] = torc.items("failure-handlers", "list")
    assert handler["name"] == "h"
    assert torc.json("failure-handlers", "get", handler["id"])["rules"][0]["exit_codes"] == [3]
    assert torc("failure-handlers", "list").lines[0].split() == ["ID", "Name", "Rules"]


def test_compute_nodes_are_shown(finished):
    [node] = finished.items("compute-nodes", "list")
    assert node["is_active"] is False
    assert node["compute_node_type"] == "local"
    assert node["pid"] > 1
    assert node["duration_seconds"] >= 0
    done = finished("compute-nodes", "list")
    assert done.head == "ID Hostname PID CPUs Memory (GB) GPUs Active Start Time Duration Labels"
    assert finished.items("compute-nodes", "list", "--is-active", "true") == []
    assert finished.items("compute-nodes", "list", "-l", 1, "-o", 1, "-s", "pid", "-r") == []
    assert finished.json("compute-nodes", "get", node["id"])["hostname"] == node["hostname"]


def test_events_are_made_and_shown(one):
    first = one.json("events", "create", 1, "-d", '{"category": "note", "text": "one"}')
    one("events", "create", "--data", '{"category": "other", "severity": "warning"}')
    items = one.items("events", "list")
    assert [event["data"].get("category") for event in items][-2:] == ["note", "other"]
    assert all(event["timestamp_formatted"] for event in items)
    assert [e["id"] for e in one.items("events", "list", "-t", "note")] == [first["id"]]
    assert one.items("events", "list", "--category", "other")[0]["data"]["severity"] == "warning"
    assert one.items("events", "list", "-s", "id", "-r", "-l", 1)[0]["id"] == items[-1]["id"]
    done = one("events", "list")
    assert done.lines[0].split() == ["ID", "Timestamp", "Level", "Event", "Type", "Data"]
    assert "warning" in done.lines[-3]
    latest = one.json("events", "get-latest-event")
    assert (latest["id"], latest["data"]["category"]) == (items[-1]["id"], "other")
    at = datetime.fromtimestamp(latest["timestamp"] // 1000, UTC)
    assert latest["timestamp_formatted"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    one("events", "delete", first["id"])
    assert first["id"] not in [event["id"] for event in one.items("events", "list")]


def test_the_type_of_an_event_without_category_is_what_happened(one):
    one("events", "create", "--data", '{"event_type": "job_retried"}')
    one("events", "create", "--data", '{"event_type": "action_failed", "category": "action"}')
    one("events", "create", "--data", '["neither"]')
    types = [line.split()[3] for line in one("events", "list").lines[-5:-2]]
    assert types == ["job_retried", "action", '["neither"]']


def test_without_events_there_is_no_latest_one(torc):
    torc.create("name: w\njobs: []")
    for event in torc.items("events", "list"):
        torc("events", "delete", event["id"])
    assert "has no events" in torc("events", "get-latest-event", code=1).err
