"""``torc workflows``, and ``torc cancel`` and ``torc delete``."""

import pytest

from tests.cli.programs import DIAMOND

ONE = "name: {}\ndescription: about {}\njobs: [{{name: a, command: echo a}}]"


@pytest.fixture
def three(torc):
    for name in ("ada", "bob", "cy"):
        torc.create(ONE.format(name, name))
    return torc


def names(torc, *words):
    return [workflow["name"] for workflow in torc.items("workflows", "list", *words)]


def test_lists_are_cut_sorted_and_turned(three):
    assert names(three) == ["ada", "bob", "cy"]
    assert names(three, "-l", 2) == ["ada", "bob"]
    assert names(three, "--limit", 1, "--offset", 1) == ["bob"]
    assert names(three, "--sort-by", "name", "--reverse-sort") == ["cy", "bob", "ada"]
    assert names(three, "-l", 0) == []
    assert three("workflows", "list", "--sort-by", "colour", code=2).out == ""


def test_archived_ones_and_those_of_others_are_shown_when_asked_for(three, monkeypatch):
    three("workflows", "archive", "true", 2)
    monkeypatch.setenv("USER", "grace")
    three.create(ONE.format("hers", "x"))
    assert names(three) == ["hers"]
    assert names(three, "--all-users") == ["ada", "cy", "hers"]
    assert names(three, "-a", "--include-archived") == ["ada", "bob", "cy", "hers"]
    assert names(three, "-a", "--archived-only") == ["bob"]
    assert "User" in three("workflows", "list", "-a").lines[0].split()
    assert "User" not in three("workflows", "list").lines[0].split()


def test_the_table_has_the_columns_of_the_reference(three):
    head = three("workflows", "list").lines[0].split()
    assert [name for name in head if name in ("ID", "Name", "Description", "Project", "Metadata", "Timestamp")] == [
        "ID", "Name", "Description", "Project", "Metadata", "Timestamp",
    ]  # fmt: skip
    assert three("workflows", "list").lines[-1] == "Total: 3 workflows"
    assert three("workflows", "list", "--archived-only").out == "No workflows.\n"


def test_one_is_shown_with_json_in_it_as_json(torc):
    spec = "name: w\nmetadata: {a: [1]}\nresource_monitor: {enabled: true}\nslurm_defaults: {qos: high}\njobs: []"
    id = torc.create(spec)
    body = torc.json("workflows", "get", id)
    assert body["metadata"] == {"a": [1]}
    assert body["resource_monitor_config"]["enabled"] is True
    assert body["slurm_defaults"] == {"qos": "high"}
    done = torc("workflows", "get")
    assert done.lines[0] == "Workflow 1"
    assert any(line.split() == ["name:", "w"] for line in done.lines)


def test_an_empty_one_is_made(torc):
    body = torc.json("workflows", "new", "-n", "fresh", "-d", "nothing yet")
    assert (body["id"], body["name"], body["description"], body["user"]) == (1, "fresh", "nothing yet", "ada")
    assert torc.json("status")["total_jobs"] == 0
    torc("workflows", "new", code=2)


def test_fields_are_changed_and_the_rest_stays(three):
    body = three.json(
        "workflows", "update", 2, "-n", "new", "--project", "p", "--metadata", '{"k": 1}', "--owner-user", "grace"
    )
    assert (body["name"], body["project"], body["metadata"], body["user"]) == ("new", "p", {"k": 1}, "grace")
    assert body["description"] == "about bob"
    assert "nothing to change" in three("workflows", "update", 2, code=2).err
    assert "--metadata is not JSON" in three("workflows", "update", 2, "--metadata", "{", code=1).err


def test_whether_it_is_complete(finished, torc):
    assert finished.json("workflows", "is-complete").items() >= {"is_complete": True, "is_canceled": False}.items()
    assert finished("workflows", "is-complete").out == "Is Complete: true\nIs Canceled: false\n"
    finished("workflows", "is-complete", "--exit-status")
    torc.create(DIAMOND)
    torc("workflows", "is-complete")
    torc("workflows", "is-complete", "--exit-status", code=1)


def test_archiving_tells_what_was_done_and_what_not(three):
    body = three.json("workflows", "archive", "true", 1, 99, 2, code=1)
    assert (body["updated_workflows"], body["is_archived"], body["status"]) == ([1, 2], True, "error")
    assert len(body["errors"]) == 1
    assert three.json("workflows", "archive", "no", 1, 2) == {
        "status": "success", "updated_workflows": [1, 2], "is_archived": False,
    }  # fmt: skip
    assert names(three) == ["ada", "bob", "cy"]
    three("workflows", "archive", "perhaps", 1, code=2)


@pytest.mark.parametrize("words", [["cancel"], ["workflows", "cancel"]], ids=" ".join)
def test_canceling(torc, words):
    id = torc.create(DIAMOND)
    body = torc.json(*words, id)
    assert (body["status"], body["workflow_id"], body["canceled_slurm_jobs"]) == ("success", id, [])
    assert torc.json("status")["is_canceled"] is True
    assert torc(*words, "--no-prompts").out == f"Canceled workflow {id}\n"
    assert "workflow with id 9" in torc(*words, 9, code=1).err


@pytest.mark.parametrize("words", [["delete"], ["workflows", "delete"]], ids=" ".join)
def test_deleting_gives_the_deleted_records(three, words):
    body = three.json(*words, 1, 3)
    assert [(workflow["id"], workflow["name"]) for workflow in body] == [(1, "ada"), (3, "cy")]
    assert names(three) == ["bob"]
    assert three(*words, 2, "--no-prompts").out == "Deleted workflow 2\n"
    three(*words, code=2)


def test_deleting_fails_only_when_nothing_was_deleted(three):
    done = three("delete", 99, 1, "--force")
    assert done.out == "Deleted workflow 1\n"
    assert "99" in done.err
    done = three("delete", 99, 98, "-f", "json", code=1)
    assert done.json == []
    assert names(three) == ["bob", "cy"]


def test_only_the_owner_deletes(three, monkeypatch):
    monkeypatch.setenv("USER", "grace")
    done = three("delete", 1, "--no-prompts", code=1)
    assert "belongs to ada" in done.err
    assert names(three, "-a") == ["ada", "bob", "cy"]


def test_actions_are_listed_with_how_far_they_are(torc):
    spec = """
name: acts
jobs: [{name: 'j{i}', command: echo, parameters: {i: '1:7'}}]
actions:
  - {trigger_type: on_workflow_start, action_type: run_commands, commands: [echo hi]}
  - {trigger_type: on_jobs_complete, action_type: run_commands, jobs: [j1, j2], commands: [echo two]}
  - {trigger_type: on_jobs_complete, action_type: run_commands, job_name_regexes: ['j.'], commands: [echo all]}
"""
    torc.create(spec)
    rows = torc("workflows", "list-actions").lines
    assert rows[0].split()[:4] == ["ID", "Trigger", "Action", "Progress"]
    assert "(all jobs)" in rows[2]
    assert "0/1" in rows[2]
    assert "Waiting" in rows[3]
    assert "1, 2" in rows[3]
    assert "1, 2, 3 ... (+4 more)" in rows[4]
    items = torc.items("workflows", "list-actions")
    assert [action["trigger_type"] for action in items] == ["on_workflow_start", *["on_jobs_complete"] * 2]
    assert items[0]["action_config"] == {"commands": ["echo hi"]}


def test_workflows_of_a_group_are_listed_whoever_owns_them(torc):
    from torc_core.records.access import AccessGroup
    from torc_core.records.resources import Workflow
    from torc_core.service.local import LocalService
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    torc.create(DIAMOND)
    service = LocalService(SqliteStorage(str(torc.path / "torc_output/torc.db")))
    group = service.create(AccessGroup(name="solar"))
    other = service.create(Workflow(name="theirs", user="bob"))
    service.add_workflow_to_group(other.id, group.id)
    service.close()
    listed = torc("workflows", "list", "-g", "solar")
    assert listed.head.startswith("ID User Name")
    assert [w["id"] for w in torc.items("workflows", "list", "--access-group", "solar")] == [other.id]
    assert torc.items("workflows", "list", "-g", "nobody") == []
