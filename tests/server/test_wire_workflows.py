"""Workflows on the wire: how they are stored, reset, archived, and what they say of their jobs as a whole."""

import time

import pytest

from tests.server import seeding
from tests.server.seeding import PYTHON, RUST_NEW


def ask(server, method, path, body=None, agent=None):
    """Return status and JSON."""
    status, _, data = server.ask(method, path, body, headers=agent)
    return status, data


@pytest.fixture
def w(shared_server):
    return seeding.workflow(shared_server)


def test_a_new_workflow_has_its_settings(shared_server):
    made = shared_server.post("/workflows", {"name": "w", "user": "ada"})
    found = shared_server.get(f"/workflows/{made['id']}")
    assert made["timestamp"] == found["timestamp"]
    assert time.strptime(found["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")
    assert found["timestamp"].endswith("Z")
    assert {
        "compute_node_wait_for_new_jobs_seconds": 90, "compute_node_wait_for_healthy_database_minutes": 20,
        "compute_node_min_time_for_new_jobs_seconds": 300, "compute_node_ignore_workflow_completion": False,
        "compute_node_expiration_buffer_seconds": None,
    }.items() <= found.items()  # fmt: skip
    [usual] = shared_server.get(f"/resource_requirements?workflow_id={made['id']}")["items"]
    assert {"name": "default", "num_cpus": 1, "num_gpus": 0, "num_nodes": 1, "memory": "1m"}.items() <= usual.items()


def test_a_workflow_keeps_what_an_update_leaves_out(shared_server, w):
    path = f"/workflows/{w}"
    shared_server.put(path, {"name": "new", "user": "ada", "description": "d", "project": "p"})
    found = shared_server.put(path, {"name": "newer", "user": "ada", "description": None})
    assert (found["name"], found["description"], found["project"]) == ("newer", "d", "p")


def test_workflows_are_found_by_name_user_and_part_of_their_description(shared_server):
    seeding.workflow(shared_server, name="findme", user="bob", description="one long text")
    for query in ("name=findme", "user=bob", "description=long", "user=bob&description=one"):
        assert shared_server.get(f"/workflows?{query}")["count"] == 1
    for query in ("name=find", "user=bo", "name=findme&user=ada"):
        assert shared_server.get(f"/workflows?{query}")["count"] == 0


def test_a_workflow_takes_everything_with_it(shared_server, w):
    job = seeding.jobs(shared_server, w, "a")[0]
    file = shared_server.post("/files", {"workflow_id": w, "name": "f", "path": "f"})["id"]
    status, gone = ask(shared_server, "DELETE", f"/workflows/{w}")
    assert (status, gone["id"], gone["name"]) == (200, w, "w")
    for path in (f"/workflows/{w}", f"/jobs/{job}", f"/files/{file}"):
        assert ask(shared_server, "GET", path)[0] == 404


def test_ids_are_not_used_again(shared_server):
    first = seeding.workflow(shared_server)
    shared_server.ask("DELETE", f"/workflows/{first}")
    assert seeding.workflow(shared_server) > first


@pytest.mark.parametrize(("agent", "is_raised"), [(PYTHON["0.22"], 0), (PYTHON["0.35"], 1), (RUST_NEW, 1)])
def test_newer_clients_have_the_run_raised_for_them(shared_server, agent, is_raised):
    workflow_id, _ = seeding.ready(shared_server, "a")
    before = shared_server.get(f"/workflows/{workflow_id}/status")["run_id"]
    status, data = ask(shared_server, "POST", f"/workflows/{workflow_id}/reset_status", agent=agent)
    assert status == 200
    assert data["id"] == workflow_id
    assert shared_server.get(f"/workflows/{workflow_id}/status")["run_id"] == before + is_raised


def test_older_clients_write_the_status_themselves(shared_server, w):
    body = {"run_id": 4, "is_canceled": False, "is_archived": False}
    assert shared_server.put(f"/workflows/{w}/status", body)["run_id"] == 4
    assert shared_server.get(f"/workflows/{w}/status")["run_id"] == 4


def test_an_archived_workflow_is_not_reset(shared_server, w):
    assert shared_server.post(f"/workflows/{w}/archive", {"is_archived": True})["is_archived"] is True
    assert shared_server.get("/workflows?is_archived=true&limit=1&reverse_sort=true")["items"][0]["id"] == w
    for query in ("", "?force=true"):
        assert ask(shared_server, "POST", f"/workflows/{w}/reset_status{query}")[0] == 422
    assert shared_server.post(f"/workflows/{w}/archive", {"is_archived": False})["is_archived"] is False
    assert ask(shared_server, "POST", f"/workflows/{w}/reset_status")[0] == 200


def test_changed_inputs_of_jobs_that_did_not_run_are_told(shared_server):
    workflow_id = seeding.workflow(shared_server)
    data = shared_server.post("/user_data", {"workflow_id": workflow_id, "name": "x", "data": 1})["id"]
    [job] = seeding.jobs(shared_server, workflow_id, "a", input_user_data_ids=[data])
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    shared_server.put(f"/user_data/{data}", {"workflow_id": workflow_id, "name": "x", "data": 2})
    assert shared_server.post(f"/workflows/{workflow_id}/process_changed_job_inputs")["reinitialized_jobs"] == ["a"]
    assert shared_server.get(f"/jobs/{job}")["status"] == "uninitialized"


def test_a_reset_waits_for_running_jobs_unless_forced(shared_server):
    workflow_id, _ = seeding.ready(shared_server, "a")
    shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")
    assert ask(shared_server, "POST", f"/workflows/{workflow_id}/reset_status")[0] == 422
    assert ask(shared_server, "POST", f"/workflows/{workflow_id}/reset_status?force=true")[0] == 200


def test_jobs_are_reset_all_or_those_that_failed(shared_server):
    workflow_id, [first, second, _] = seeding.ready(shared_server, "a", "b", "c")
    node = seeding.node(shared_server, workflow_id)
    seeding.complete(shared_server, workflow_id, first, node)
    seeding.complete(shared_server, workflow_id, second, node, status="failed", return_code=1)
    path = f"/workflows/{workflow_id}/reset_job_status"
    part = shared_server.post(path + "?failed_only=true")
    assert (part["updated_count"], part["reset_type"], part["workflow_id"]) == (1, "failed_only", workflow_id)
    assert shared_server.get(f"/jobs/{second}")["status"] == "uninitialized"
    assert shared_server.get(f"/jobs/{first}")["status"] == "completed"
    assert shared_server.post(path).get("reset_type") is None
    assert shared_server.get(f"/workflows/{workflow_id}/is_uninitialized") == {"is_uninitialized": True}


def test_changed_inputs_are_told_and_reset(shared_server):
    workflow_id = seeding.workflow(shared_server)
    data = shared_server.post("/user_data", {"workflow_id": workflow_id, "name": "x", "data": {"a": 1}})["id"]
    [job] = seeding.jobs(shared_server, workflow_id, "a", input_user_data_ids=[data])
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    seeding.complete(shared_server, workflow_id, job, seeding.node(shared_server, workflow_id))
    path = f"/workflows/{workflow_id}/process_changed_job_inputs"
    assert shared_server.post(path + "?dry_run=true") == {"reinitialized_jobs": []}
    shared_server.put(f"/user_data/{data}", {"workflow_id": workflow_id, "name": "x", "data": {"a": 2}})
    assert shared_server.post(path + "?dry_run=true") == {"reinitialized_jobs": ["a"]}
    assert shared_server.get(f"/jobs/{job}")["status"] == "completed"
    assert shared_server.post(path) == {"reinitialized_jobs": ["a"]}
    assert shared_server.get(f"/jobs/{job}")["status"] == "uninitialized"


def test_what_has_to_be_there_before_a_run(shared_server, w):
    read = shared_server.post("/files", {"workflow_id": w, "name": "r", "path": "r"})["id"]
    data = shared_server.post("/user_data", {"workflow_id": w, "name": "d"})["id"]
    seeding.jobs(shared_server, w, "a", input_file_ids=[read], input_user_data_ids=[data])
    assert shared_server.get(f"/workflows/{w}/required_existing_files") == {"files": [read]}
    assert shared_server.get(f"/workflows/{w}/missing_user_data") == {"user_data": [data]}


def test_what_ready_jobs_need_together(shared_server, w):
    needs = {"workflow_id": w, "name": "n", "num_cpus": 2, "memory": "1g", "runtime": "PT2H", "num_gpus": 1}
    number = shared_server.post("/resource_requirements", needs)["id"]
    seeding.jobs(shared_server, w, "a", "b", resource_requirements_id=number)
    shared_server.post(f"/workflows/{w}/initialize_jobs")
    found = shared_server.get(f"/workflows/{w}/ready_job_requirements")
    assert (found["num_jobs"], found["num_cpus"], found["memory_gb"], found["num_gpus"]) == (2, 4, 2.0, 2)
    assert (found["max_num_nodes"], found["max_runtime"]) == (1, "PT2H")


def test_a_long_start_can_go_on_as_a_task(shared_server, w):
    seeding.jobs(shared_server, w, "a")
    status, task = ask(shared_server, "POST", f"/workflows/{w}/initialize_jobs?async=true")
    assert status == 202
    assert {"id", "workflow_id", "operation", "status", "created_at_ms"} <= task.keys()
    assert ask(shared_server, "GET", f"/tasks/{task['id']}")[0] == 200
    assert ask(shared_server, "GET", f"/workflows/{w}/active_task")[0] == 200
    assert ask(shared_server, "GET", "/tasks/99999")[0] == 404
