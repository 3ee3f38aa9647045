"""Jobs on the wire: how they are stored, changed, claimed, started, completed and retried."""

import pytest

from tests.server import seeding
from tests.server.seeding import OURS, PYTHON, RUST, RUST_NEW


def status_of(server, job):
    return server.get(f"/jobs/{job}")["status"]


def ask(server, method, path, body=None, agent=None):
    """Return status and JSON."""
    status, _, data = server.ask(method, path, body, headers=agent)
    return status, data


def test_a_new_job_is_uninitialized_whatever_was_sent(shared_server):
    workflow_id = seeding.workflow(shared_server)
    for number, sent in enumerate(("ready", "completed", 5, None)):
        body = {"workflow_id": workflow_id, "name": f"j{number}", "command": "true", "status": sent, "attempt_id": 7}
        made = shared_server.post("/jobs", body)
        assert made["status"] == "uninitialized"
        job = shared_server.get(f"/jobs/{made['id']}")
        assert (job["status"], job["attempt_id"]) == ("uninitialized", 1)
        [usual] = shared_server.get(f"/resource_requirements?workflow_id={workflow_id}&name=default")["items"]
        assert job["resource_requirements_id"] == usual["id"]


@pytest.mark.parametrize(
    "unknown",
    ["input_file_ids", "output_file_ids", "input_user_data_ids", "output_user_data_ids", "depends_on_job_ids",
     "resource_requirements_id", "failure_handler_id"],
)  # fmt: skip
def test_ids_that_are_not_there_are_refused_and_nothing_is_stored(shared_server, unknown):
    workflow_id = seeding.workflow(shared_server)
    other = seeding.workflow(shared_server)
    [theirs] = seeding.jobs(shared_server, other, "theirs")
    for number in (99_999_999, theirs if unknown == "depends_on_job_ids" else 99_999_998):
        body = {"workflow_id": workflow_id, "name": "a", "command": "true", unknown: [number]}
        if unknown.endswith("_id"):
            body[unknown] = number
        status, data = ask(shared_server, "POST", "/jobs", body)
        assert status in (404, 422), data
        assert ask(shared_server, "POST", "/bulk_jobs", {"jobs": [body]})[0] in (404, 422)
    assert shared_server.get(f"/jobs?workflow_id={workflow_id}")["items"] == []


def test_a_scheduler_id_is_not_looked_at(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [job] = seeding.jobs(shared_server, workflow_id, "a", scheduler_id=99_999)
    assert shared_server.get(f"/jobs/{job}")["scheduler_id"] == 99_999


def test_many_jobs_are_stored_in_order_or_not_at_all(shared_server):
    first, second = seeding.workflow(shared_server), seeding.workflow(shared_server)
    names = [f"j{n}" for n in range(50, 0, -1)]
    seeding.jobs(shared_server, first, *names)
    assert [job["name"] for job in shared_server.get(f"/jobs?workflow_id={first}")["items"]] == names
    mixed = [{"workflow_id": w, "name": "x", "command": "true"} for w in (first, second)]
    assert ask(shared_server, "POST", "/bulk_jobs", {"jobs": mixed})[0] == 422
    broken = [{"workflow_id": second, "name": "x", "command": "true"}, {"workflow_id": second, "command": "true"}]
    status, data = ask(shared_server, "POST", "/bulk_jobs", {"jobs": broken})
    assert status == 422
    assert "name" in data["error"]["field"]
    assert shared_server.get(f"/jobs?workflow_id={second}")["total_count"] == 0


@pytest.mark.parametrize(
    ("agent", "status"),
    [(PYTHON["0.12"], 200), (PYTHON["0.22"], 200), (RUST, 200), (PYTHON["0.35"], 422), (RUST_NEW, 422), (None, 200)],
)
def test_a_name_twice_in_one_call_depends_on_who_asks(shared_server, agent, status):
    workflow_id = seeding.workflow(shared_server)
    twice = [{"workflow_id": workflow_id, "name": "x", "command": "true"}] * 2
    assert ask(shared_server, "POST", "/bulk_jobs", {"jobs": twice}, agent)[0] == status


def test_names_may_repeat_in_single_calls_but_not_for_our_own_client(shared_server):
    workflow_id = seeding.workflow(shared_server)
    body = {"workflow_id": workflow_id, "name": "x", "command": "true"}
    assert [ask(shared_server, "POST", "/jobs", body)[0] for _ in range(2)] == [200, 200]
    assert ask(shared_server, "POST", "/jobs", body, OURS)[0] in (409, 422)


@pytest.mark.parametrize("agent", [PYTHON["0.22"], RUST, PYTHON["0.35"], RUST_NEW, None])
def test_an_empty_list_of_jobs_is_fine(shared_server, agent):
    assert ask(shared_server, "POST", "/bulk_jobs", {"jobs": []}, agent) == (200, {"jobs": []})


def test_relationships_have_ascending_ids(shared_server):
    workflow_id = seeding.workflow(shared_server)
    first = seeding.jobs(shared_server, workflow_id, "a", "b", "c")
    files = [
        shared_server.post("/files", {"workflow_id": workflow_id, "name": n, "path": n})["id"] for n in ("x", "y", "z")
    ]
    [job] = seeding.jobs(
        shared_server, workflow_id, "d", depends_on_job_ids=first[::-1], input_file_ids=files[::-1],
        output_file_ids=[],
    )  # fmt: skip
    found = shared_server.get(f"/jobs/{job}")
    assert (found["depends_on_job_ids"], found["input_file_ids"]) == (first, files)
    assert found.get("output_file_ids") is None


def test_what_may_be_changed_depends_on_whether_it_is_initialized(shared_server):
    workflow_id = seeding.workflow(shared_server)
    first, second = seeding.jobs(shared_server, workflow_id, "a", "b")
    [needs] = [
        shared_server.post("/resource_requirements", {"workflow_id": workflow_id, "name": "big", "num_cpus": 4})["id"]
    ]
    body = {"workflow_id": workflow_id, "name": "a", "command": "false", "depends_on_job_ids": [second]}
    changed = shared_server.put(f"/jobs/{first}", body)
    assert (changed["command"], shared_server.get(f"/jobs/{first}")["depends_on_job_ids"]) == ("false", [second])
    shared_server.put(f"/jobs/{first}", {**body, "depends_on_job_ids": []})
    assert shared_server.get(f"/jobs/{first}").get("depends_on_job_ids") is None
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    whole = shared_server.get(f"/jobs/{first}")
    assert ask(shared_server, "PUT", f"/jobs/{first}", whole)[0] == 200  # nothing is otherwise
    for name, value in (("scheduler_id", 7), ("resource_requirements_id", needs), ("priority", 3)):
        shared_server.put(f"/jobs/{first}", {**whole, name: value})
        assert shared_server.get(f"/jobs/{first}")[name] == value
    assert ask(shared_server, "PUT", f"/jobs/{first}", {**whole, "command": "other"})[0] == 422
    assert ask(shared_server, "PUT", f"/jobs/{first}", {**whole, "status": "completed"})[0] == 422


def test_a_job_can_be_disabled_before_it_is_initialized(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [job] = seeding.jobs(shared_server, workflow_id, "a")
    body = {"workflow_id": workflow_id, "name": "a", "command": "true"}
    assert ask(shared_server, "PUT", f"/jobs/{job}", {**body, "status": "ready"})[0] == 422
    shared_server.put(f"/jobs/{job}", {**body, "status": "disabled"})
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    assert status_of(shared_server, job) == "disabled"
    assert shared_server.get(f"/workflows/{workflow_id}/is_complete")["is_complete"] is True


def test_a_claim_gives_jobs_by_priority_and_all_of_a_job(shared_server):
    workflow_id = seeding.workflow(shared_server)
    out = shared_server.post("/files", {"workflow_id": workflow_id, "name": "o", "path": "o"})["id"]
    low, high = seeding.jobs(shared_server, workflow_id, "low", "high", output_file_ids=[out])
    shared_server.put(f"/jobs/{high}", {"workflow_id": workflow_id, "name": "high", "command": "true", "priority": 9})
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    [job] = shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs?limit=1")["jobs"]
    assert (job["id"], job["status"], job["attempt_id"], job["output_file_ids"]) == (high, "pending", 1, [out])
    [job] = shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")["jobs"]
    assert job["id"] == low
    assert shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")["jobs"] == []


def test_a_claim_gives_ten_unless_told_otherwise(shared_server):
    workflow_id, _ = seeding.ready(shared_server, *(f"j{n}" for n in range(15)))
    assert len(shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")["jobs"]) == 10


def test_a_canceled_workflow_gives_nothing(shared_server):
    workflow_id, _ = seeding.ready(shared_server, "a")
    status, data = ask(shared_server, "PUT", f"/workflows/{workflow_id}/cancel")
    assert (status, data["is_canceled"], data["id"]) == (200, True, workflow_id)
    assert ask(shared_server, "PUT", f"/workflows/{workflow_id}/cancel")[0] == 200
    assert shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")["jobs"] == []


def fits(server, workflow_id, limit=10, query="", **more):
    node = {"num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1, **more}
    return ask(server, "POST", f"/workflows/{workflow_id}/claim_jobs_based_on_resources/{limit}{query}", node)


def test_jobs_are_claimed_that_fit_together(shared_server):
    workflow_id = seeding.workflow(shared_server)
    needs = {"workflow_id": workflow_id, "name": "n", "num_cpus": 3, "memory": "2g", "runtime": "PT1H"}
    number = shared_server.post("/resource_requirements", needs)["id"]
    seeding.jobs(shared_server, workflow_id, "a", "b", "c", resource_requirements_id=number)
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    assert fits(shared_server, workflow_id, time_limit="PT30M")[1]["jobs"] == []
    status, data = fits(shared_server, workflow_id, time_limit="soon")
    assert (status, data["error"]["field"], data["error"]["value"]) == (422, "time_limit", "soon")
    assert fits(shared_server, workflow_id, limit=0)[1]["jobs"] == []
    query = "?sort_method=gpus_runtime_memory&strict_scheduler_match=false"
    assert [job["name"] for job in fits(shared_server, workflow_id, query=query)[1]["jobs"]] == ["a"]
    assert [job["name"] for job in fits(shared_server, workflow_id, num_nodes=2)[1]["jobs"]] == ["b", "c"]


def test_more_memory_than_there_can_be_is_enough_for_everything(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    assert [found["id"] for found in fits(shared_server, workflow_id, memory_gb=1e308)[1]["jobs"]] == [job]


def test_jobs_of_no_status_are_none(shared_server):
    workflow_id, _ = seeding.ready(shared_server, "a")
    status, data = ask(shared_server, "POST", f"/workflows/{workflow_id}/reset_jobs", {"statuses": []})
    assert (status, "no job" in data["error"]["message"]) == (422, True)


def test_a_started_job_says_where(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    node = seeding.node(shared_server, workflow_id)
    assert ask(shared_server, "PUT", f"/jobs/{job}/start_job/0/{node}")[0] == 422  # nobody has claimed it
    shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")
    assert ask(shared_server, "PUT", f"/jobs/{job}/start_job/9/{node}")[0] == 422
    started = shared_server.put(f"/jobs/{job}/start_job/0/{node}")
    assert started["status"] == "running"
    found = shared_server.get(f"/jobs/{job}")
    assert (found["compute_node_id"], found["start_time"] is not None) == (node, True)
    [running] = shared_server.get(f"/workflows/{workflow_id}/running_jobs")["items"]
    assert (running["job_id"], running["compute_node_name"], running["scheduler_type"]) == (job, "h", "local")
    listed = shared_server.get(f"/jobs?workflow_id={workflow_id}&active_compute_node_id={node}")["items"]
    assert [found["id"] for found in listed] == [job]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 200),
        ({"status": "failed", "return_code": 3}, 200),
        ({"status": "terminated", "return_code": -1}, 200),
        ({"status": "canceled", "return_code": 1}, 200),
        ({"run_id": 4}, 422),
        ({"status": "ready"}, 422),
        ({"status": "running"}, 422),
    ],
)
def test_how_a_job_may_end(shared_server, more, status):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    node = seeding.node(shared_server, workflow_id)
    found, data = seeding.complete(shared_server, workflow_id, job, node, **more)
    assert found == status
    if status == 200:
        assert data["status"] == more.get("status", "completed")
        assert seeding.complete(shared_server, workflow_id, job, node, **more)[0] == 422  # it has ended already
    else:
        assert status_of(shared_server, job) == "ready"
        assert shared_server.get(f"/results?workflow_id={workflow_id}&all_runs=true")["items"] == []


@pytest.mark.parametrize("name", ["job_id", "workflow_id", "run_id", "status"])
def test_a_result_that_disagrees_is_refused(shared_server, name):
    workflow_id, [job, other] = seeding.ready(shared_server, "a", "b")
    node = seeding.node(shared_server, workflow_id)
    body = seeding.result(workflow_id, job, node)
    body[name] = {"job_id": other, "workflow_id": workflow_id + 1, "run_id": 3, "status": "failed"}[name]
    assert ask(shared_server, "POST", f"/jobs/{job}/complete_job/completed/0", body)[0] in (404, 422)
    assert status_of(shared_server, job) == "ready"


def test_many_jobs_end_in_one_call_each_by_itself(shared_server):
    workflow_id, [first, second, third] = seeding.ready(shared_server, "a", "b", "c")
    node = seeding.node(shared_server, workflow_id)

    def entry(job, status="completed", **more):
        found = seeding.result(workflow_id, job, node, status=status, **more)
        return {"job_id": job, "status": status, "run_id": 0, "result": found}

    entries = [
        entry(first),
        entry(first),
        entry(99_999),
        entry(second, "failed", return_code=1),
        entry(third, run_id=7),
    ]
    answer = shared_server.post(f"/workflows/{workflow_id}/batch_complete_jobs", {"completions": entries})
    assert answer["completed"] == [first, second]
    assert [error["job_id"] for error in answer["errors"]] == [first, 99_999, third]
    assert all(error["message"] for error in answer["errors"])
    statuses = [status_of(shared_server, job) for job in (first, second, third)]
    assert statuses == ["completed", "failed", "ready"]
    empty = shared_server.post(f"/workflows/{workflow_id}/batch_complete_jobs", {"completions": []})
    assert empty == {"completed": [], "errors": []}
    assert ask(shared_server, "POST", "/workflows/99999/batch_complete_jobs", {"completions": []})[0] == 404


def test_a_status_is_changed_by_hand(shared_server):
    _, [job] = seeding.ready(shared_server, "a")

    def change(status, run=0):
        return ask(shared_server, "PUT", f"/jobs/{job}/manage_status_change/{status}/{run}")

    assert change("ready")[0] == 200  # as it is
    assert change("completed")[0] == 422
    assert change("blocked", 5)[0] == 422
    assert change("0")[1]["status"] == "uninitialized"


def test_an_ended_job_goes_back_with_those_behind_it(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [first] = seeding.jobs(shared_server, workflow_id, "a")
    [second] = seeding.jobs(shared_server, workflow_id, "b", depends_on_job_ids=[first])
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    node = seeding.node(shared_server, workflow_id)
    assert status_of(shared_server, second) == "blocked"
    seeding.complete(shared_server, workflow_id, first, node)
    assert status_of(shared_server, second) == "ready"
    seeding.complete(shared_server, workflow_id, second, node)
    shared_server.put(f"/jobs/{first}/manage_status_change/uninitialized/0")
    assert [status_of(shared_server, job) for job in (first, second)] == ["uninitialized"] * 2


def test_a_failed_job_is_retried_as_often_as_is_said(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    node = seeding.node(shared_server, workflow_id)
    retry = f"/jobs/{job}/retry/0?max_retries="
    assert ask(shared_server, "POST", retry + "3")[0] == 422  # it has not failed
    for attempt in (1, 2):
        found, _ = seeding.complete(
            shared_server, workflow_id, job, node, status="failed", return_code=1, attempt_id=attempt
        )
        assert found == 200
        status, data = ask(shared_server, "POST", retry + "2")
        if attempt == 1:
            assert (status, data["status"], data["attempt_id"], data["origin"]) == (200, "ready", 2, "retry")
        else:
            assert status == 422
    assert ask(shared_server, "POST", f"/jobs/{job}/retry/5?max_retries=9")[0] == 422
    assert shared_server.get(f"/results?workflow_id={workflow_id}")["count"] == 1
    assert shared_server.get(f"/results?workflow_id={workflow_id}&all_runs=true")["count"] == 2


def test_a_deleted_job_sets_free_what_waited_for_it_alone(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [first] = seeding.jobs(shared_server, workflow_id, "a")
    [second] = seeding.jobs(shared_server, workflow_id, "b", depends_on_job_ids=[first])
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    status, data = ask(shared_server, "DELETE", f"/jobs/{first}")
    assert (status, data["id"]) == (200, first)
    assert status_of(shared_server, second) == "ready"
    assert shared_server.get(f"/workflows/{workflow_id}/job_ids") == {"job_ids": [second], "count": 1}
