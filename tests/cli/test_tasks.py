"""``torc tasks`` and ``workflows init|reinit --async --wait-timeout``."""

import pytest

from torc_core.records.tasks import Task
from torc_plugins.storage.sqlite_storage import SqliteStorage

SPEC = "name: w\njobs: [{name: j, command: 'true'}, {name: k, command: 'true', depends_on: [j]}]\n"


def statuses(torc):
    return [job["status"] for job in torc.items("jobs", "list", 1)]


def set_task(torc, **changes):
    storage = SqliteStorage(str(torc.path / "torc_output" / "torc.db"))
    with storage.transaction():
        storage.update(Task, changes, [])
    storage.close()


def test_init_in_the_background_answers_with_a_task(torc):
    torc.create(SPEC)
    body = torc.json("workflows", "init", 1, "--async")
    assert body.pop("message").startswith("task 1 ")
    assert body.pop("task_status") in ("queued", "running", "succeeded")
    assert body == {"status": "success", "workflow_id": 1, "task_id": 1, "task_operation": "begin_run"}
    assert torc.json("tasks", "wait", 1)["status"] == "succeeded"
    assert statuses(torc) == ["ready", "blocked"]


def test_reinit_that_waits_says_how_it_went(torc):
    torc.create(SPEC)
    body = torc.json("workflows", "reinit", 1, "--wait-timeout", 60)
    assert (body["status"], body["task_status"]) == ("success", "succeeded")
    assert "succeeded" in torc("workflows", "init", 1, "--no-prompts", "--wait-timeout", 60).out
    assert torc.json("status", 1)["run_id"] == 2


def test_what_cannot_begin_is_refused_at_once(torc):
    torc.create("name: w\njobs: [{name: j, command: 'true', input_files: [f]}]\nfiles: [{name: f, path: f.txt}]\n")
    assert "f.txt" in torc("workflows", "init", 1, "--async", code=1).err
    torc("tasks", "get", 1, code=1)


def test_a_task_that_failed_is_told_with_its_error(torc):
    torc.create(SPEC)
    torc("workflows", "init", 1, "--async")
    torc("tasks", "wait", 1)
    set_task(torc, status="failed", error="the disk is full")
    done = torc("tasks", "wait", 1, code=1)
    assert done.out == "Task 1 (begin_run of workflow 1) failed: the disk is full\n"
    assert torc.json("tasks", "wait", 1, code=1)["error"] == "the disk is full"
    assert torc.json("tasks", "get", 1)["status"] == "failed"


@pytest.mark.parametrize("words", [("tasks", "wait", 1), ("tasks", "get", 1)])
def test_an_unknown_task_is_an_error(torc, words):
    torc.create(SPEC)
    assert "no task with id 1" in torc(*words, code=1).err


def test_errors_of_a_wait_have_their_shape_in_json(torc):
    torc.create(SPEC)
    done = torc("tasks", "wait", 7, "-f", "json", code=1)
    assert done.error == {
        "status": "error", "error": "ApiError", "message": "there is no task with id 7", "task_id": 7,
    }  # fmt: skip
