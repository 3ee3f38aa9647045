"""Everything but jobs and workflows on the wire: what is stored, refused, listed and deleted, by kind."""

import time

import pytest

from tests.server import seeding
from tests.server.seeding import MOMENT, PYTHON, RUST_NEW


def ask(server, method, path, body=None, agent=None):
    """Return status and JSON."""
    status, _, data = server.ask(method, path, body, headers=agent)
    return status, data


@pytest.fixture
def w(shared_server):
    return seeding.workflow(shared_server)


# files and user data


def test_files_are_found_and_changed(shared_server, w):
    body = {"workflow_id": w, "name": "f", "path": "some/place.csv", "st_mtime": 5}
    file = shared_server.post("/files", body)
    assert file["st_mtime"] == 5.0
    [job] = seeding.jobs(shared_server, w, "a", output_file_ids=[file["id"]])
    base = f"/files?workflow_id={w}&"
    for query in ("name=f", "path=some/place.csv", "is_output=true", f"produced_by_job_id={job}"):
        assert shared_server.get(base + query)["count"] == 1
    for query in ("name=g", "path=place", "is_output=false", "produced_by_job_id=9999"):
        assert shared_server.get(base + query)["count"] == 0
    assert ask(shared_server, "GET", base + "path=place", agent=RUST_NEW)[1]["count"] == 1
    changed = shared_server.put(f"/files/{file['id']}", {"workflow_id": w, "name": "f", "path": "p"})
    assert (changed["path"], changed.get("st_mtime")) == ("p", None)
    assert shared_server.get(f"/files/{file['id']}").get("st_mtime") is None


def test_a_file_stays_in_its_workflow(shared_server, w):
    file = shared_server.post("/files", {"workflow_id": w, "name": "f", "path": "f"})["id"]
    other = seeding.workflow(shared_server)
    shared_server.ask("PUT", f"/files/{file}", {"workflow_id": other, "name": "f", "path": "f"})
    assert shared_server.get(f"/files/{file}")["workflow_id"] == w


def test_files_and_data_are_stored_together(shared_server, w):
    files = [{"workflow_id": w, "name": n, "path": n} for n in "ab"]
    assert [f["name"] for f in shared_server.post("/bulk_files", {"files": files})["files"]] == ["a", "b"]
    data = [{"workflow_id": w, "name": n, "data": [n]} for n in "ab"]
    assert [d["data"] for d in shared_server.post("/bulk_user_data", {"user_data": data})["user_data"]] == [
        ["a"],
        ["b"],
    ]


@pytest.mark.parametrize("value", [5, 0, 1.5, "text", "", True, False, [], [1], {}, {"a": None}, "é\u2028", 2**70])
def test_user_data_may_be_any_json(shared_server, w, value):
    made = shared_server.post("/user_data", {"workflow_id": w, "name": "x", "data": value})
    assert made["data"] == value
    assert shared_server.get(f"/user_data/{made['id']}")["data"] == value
    assert shared_server.get(f"/user_data?workflow_id={w}")["items"][0]["data"] == value


def test_user_data_without_a_value_is_listed(shared_server, w):
    shared_server.post("/user_data", {"workflow_id": w, "name": "x"})
    [found] = shared_server.get(f"/user_data?workflow_id={w}")["items"]
    assert found.get("data") is None


def test_user_data_is_linked_and_found(shared_server, w):
    first, second = seeding.jobs(shared_server, w, "a", "b")
    query = f"?producer_job_id={first}&consumer_job_id={second}"
    made = shared_server.post("/user_data" + query, {"workflow_id": w, "name": "some data", "is_ephemeral": True})
    assert shared_server.get(f"/jobs/{first}")["output_user_data_ids"] == [made["id"]]
    assert shared_server.get(f"/jobs/{second}")["input_user_data_ids"] == [made["id"]]
    base = f"/user_data?workflow_id={w}&"
    for query in (f"producer_job_id={first}", f"consumer_job_id={second}", "name=data", "is_ephemeral=true"):
        assert shared_server.get(base + query)["count"] == 1
    for query in (f"producer_job_id={second}", "name=d%25a", "is_ephemeral=false"):
        assert shared_server.get(base + query)["count"] == 0
    [row] = shared_server.get(f"/workflows/{w}/job_user_data_relationships")["items"]
    assert (row["producer_job_name"], row["consumer_job_name"], row["user_data_name"]) == ("a", "b", "some data")


def test_files_between_jobs_are_told_pair_by_pair(shared_server, w):
    both, out, alone = (
        shared_server.post("/files", {"workflow_id": w, "name": n, "path": n})["id"] for n in ("both", "out", "alone")
    )
    seeding.jobs(shared_server, w, "maker", output_file_ids=[both, out])
    seeding.jobs(shared_server, w, "reader1", "reader2", input_file_ids=[both])
    rows = shared_server.get(f"/workflows/{w}/job_file_relationships")["items"]
    pairs = [(r["file_name"], r.get("producer_job_name"), r.get("consumer_job_name")) for r in rows]
    assert sorted(pairs, key=str) == sorted(
        [("both", "maker", "reader1"), ("both", "maker", "reader2"), ("out", "maker", None)], key=str
    )
    assert alone not in {row["file_id"] for row in rows}


# requirements


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("memory", "512", 200), ("memory", "4g", 200), ("memory", "4G", 200), ("memory", " 4g ", 200),
        ("memory", "4 apples", 422), ("memory", "", 422), ("memory", "-4g", 422),
        ("runtime", "PT1.5H", 422), ("runtime", "P1DT12H", 200), ("runtime", "P1W", 200), ("runtime", "PT0S", 200),
        ("runtime", "pt5m", 422), ("runtime", "-PT5M", 422), ("runtime", "5 minutes", 422),
        ("num_nodes", 0, 422), ("num_cpus", -1, 422), ("name", "default", 422),
    ],
)  # fmt: skip
def test_what_requirements_may_say(shared_server, w, field, value, status):
    found, data = ask(shared_server, "POST", "/resource_requirements", {"workflow_id": w, "name": "n", field: value})
    assert found == status
    if status == 200:
        assert data[field] == value
    else:
        assert data["error"]["field"] == field


def test_requirements_that_jobs_need_stay(shared_server, w):
    number = shared_server.post("/resource_requirements", {"workflow_id": w, "name": "n", "runtime": "PT90S"})["id"]
    [job] = seeding.jobs(shared_server, w, "a", resource_requirements_id=number)
    base = f"/resource_requirements?workflow_id={w}&"
    assert shared_server.get(base + "runtime=90")["count"] == 1
    assert shared_server.get(base + f"job_id={job}")["items"][0]["name"] == "n"
    assert ask(shared_server, "DELETE", f"/resource_requirements/{number}")[0] in (409, 422)
    assert shared_server.get(f"/jobs/{job}")["resource_requirements_id"] == number


# schedulers and nodes


def test_schedulers_are_kept(shared_server, w):
    local = shared_server.post("/local_schedulers", {"workflow_id": w, "memory": "4g", "num_cpus": 2, "name": "l"})
    assert shared_server.get(f"/local_schedulers?workflow_id={w}&memory=4g&num_cpus=2")["items"] == [local]
    assert shared_server.get(f"/local_schedulers?workflow_id={w}&num_cpus=3")["items"] == []
    slurm = {"workflow_id": w, "name": "s", "account": "acc", "nodes": 1, "walltime": "04:00:00"}
    made = shared_server.post("/slurm_schedulers", slurm)
    assert shared_server.put(f"/slurm_schedulers/{made['id']}", {**slurm, "account": "b"})["account"] == "b"
    assert ask(shared_server, "DELETE", f"/slurm_schedulers/{made['id']}")[1]["id"] == made["id"]


def test_nodes_are_found_by_name_and_allocation(shared_server, w):
    slurm = {"workflow_id": w, "name": "s", "account": "acc", "nodes": 1, "walltime": "04:00:00"}
    config = shared_server.post("/slurm_schedulers", slurm)["id"]
    planned = {"workflow_id": w, "scheduler_id": 77, "scheduler_config_id": config, "scheduler_type": "slurm",
               "status": "pending"}  # fmt: skip
    allocation = shared_server.post("/scheduled_compute_nodes", planned)["id"]
    seeding.node(shared_server, w, hostname="node17", scheduler={"scheduler_id": allocation, "type": "slurm"})
    base = f"/compute_nodes?workflow_id={w}&"
    for query in ("hostname=node17", "is_active=true", f"scheduled_compute_node_id={allocation}"):
        assert shared_server.get(base + query)["count"] == 1
    for query in ("hostname=node1", "is_active=false", "scheduled_compute_node_id=9999"):
        assert shared_server.get(base + query)["count"] == 0
    assert ask(shared_server, "GET", base + "hostname=node1", agent=PYTHON["0.35"])[1]["count"] == 1
    base = f"/scheduled_compute_nodes?workflow_id={w}&"
    for query, count in (("scheduler_id=77", 1), ("scheduler_id=x", 0), ("status=pending", 1), ("status=odd", 0)):
        assert shared_server.get(base + query)["count"] == count


def test_a_node_keeps_what_an_update_leaves_out(shared_server, w):
    number = seeding.node(shared_server, w, scheduler={"a": [1]})
    changed = shared_server.put(f"/compute_nodes/{number}", seeding.node_body(w, is_active=False, duration_seconds=2))
    assert (changed["is_active"], changed["duration_seconds"], changed["scheduler"]) == (False, 2.0, {"a": [1]})


# results and events


def test_the_latest_result_counts_and_each_attempt_has_one(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    node = seeding.node(shared_server, workflow_id)
    first = shared_server.post("/results", seeding.result(workflow_id, job, node, return_code=1, status="failed"))
    assert ask(shared_server, "POST", "/results", seeding.result(workflow_id, job, node))[0] in (409, 422)
    second = shared_server.post("/results", seeding.result(workflow_id, job, node, attempt_id=2))
    base = f"/results?workflow_id={workflow_id}"
    assert [r["id"] for r in shared_server.get(base)["items"]] == [second["id"]]
    assert [r["id"] for r in shared_server.get(base + "&all_runs=true")["items"]] == [first["id"], second["id"]]
    queries = ("return_code=1", "status=failed", "status=6", f"job_id={job}&return_code=1", f"compute_node_id={node}")
    for query in queries:
        assert shared_server.get(f"{base}&all_runs=true&{query}")["count"] == (2 if "node" in query else 1)
    for more in ({"job_id": 99_999}, {"compute_node_id": 99_999, "attempt_id": 3}):
        assert ask(shared_server, "POST", "/results", seeding.result(workflow_id, job, node) | more)[0] in (404, 422)


def test_events_hold_any_json_and_the_time_of_the_server(shared_server, w):
    before = int(time.time() * 1000)
    made = [
        shared_server.post("/events", {"workflow_id": w, "timestamp": 5, "data": data})
        for data in ({"category": "mine", "x": [1]}, "text", None, 7)
    ]
    assert [event["data"] for event in made] == [{"category": "mine", "x": [1]}, "text", None, 7]
    assert before <= made[0]["timestamp"] <= int(time.time() * 1000)
    base = f"/events?workflow_id={w}&"
    assert shared_server.get(base + "category=mine")["count"] == 1
    assert shared_server.get(base + f"after_timestamp={made[-1]['timestamp']}")["count"] == 0
    changed = shared_server.put(f"/events/{made[1]['id']}", {"all": "of it"})
    assert (changed["data"], changed["id"]) == ({"all": "of it"}, made[1]["id"])
    status, data = ask(shared_server, "DELETE", f"/events?workflow_id={w}")
    assert (status, data["count"]) == (200, 4)


# the rest


def test_a_deleted_failure_handler_is_answered_and_taken_from_jobs(shared_server, w):
    handler = shared_server.post("/failure_handlers", {"workflow_id": w, "name": "h", "rules": "[]"})["id"]
    [job] = seeding.jobs(shared_server, w, "a", failure_handler_id=handler)
    assert shared_server.get(f"/workflows/{w}/failure_handlers")["count"] == 1
    status, data = ask(shared_server, "DELETE", f"/failure_handlers/{handler}")
    assert (status, data["id"], data["name"]) == (200, handler, "h")
    assert data["message"]
    assert shared_server.get(f"/jobs/{job}")["failure_handler_id"] is None


def test_remote_workers_are_a_set(shared_server, w):
    path = f"/workflows/{w}/remote_workers"
    assert shared_server.post(path, []) == []
    assert [x["worker"] for x in shared_server.post(path, ["a", "b", "a"])] in (["a", "b"], ["a", "b", "a"])
    shared_server.post(path, ["b", "c"])
    assert [x["worker"] for x in shared_server.get(path)] == ["a", "b", "c"]
    assert ask(shared_server, "DELETE", path + "/nobody")[0] == 404


def test_actions_are_judged_when_they_are_stored(shared_server, w):
    path = f"/workflows/{w}/actions"
    body = {"workflow_id": 99_999, "trigger_type": "on_workflow_start", "action_type": "run_commands",
            "action_config": {"commands": ["true"]}}  # fmt: skip
    made = shared_server.post(path, body)
    assert made["workflow_id"] == w
    for config in ({}, {"commands": "true"}):
        assert ask(shared_server, "POST", path, body | {"action_config": config})[0] == 422
    assert [a["id"] for a in shared_server.get(path)] == [made["id"]]
    assert ask(shared_server, "POST", f"{path}/99999/claim", {})[0] == 404
    assert ask(shared_server, "POST", f"{path}/{made['id']}/claim")[0] == 415
    other = seeding.workflow(shared_server)
    assert ask(shared_server, "POST", f"/workflows/{other}/actions/{made['id']}/claim", {})[0] == 404


def test_provenance_is_kept_once_per_id(shared_server, w):
    body = {"workflow_id": w, "entity_id": "e", "entity_type": "File", "metadata": '{"a": 1}'}
    made = shared_server.post("/ro_crate_entities", body)
    assert ask(shared_server, "POST", "/ro_crate_entities", body)[0] in (409, 422)
    assert shared_server.get(f"/workflows/{w}/ro_crate_entities?entity_id=e")["count"] == 1
    assert set(ask(shared_server, "DELETE", f"/ro_crate_entities/{made['id']}")[1]) >= {"message"}
    shared_server.post("/ro_crate_entities", body)
    status, data = ask(shared_server, "DELETE", f"/workflows/{w}/ro_crate_entities")
    assert (status, data["deleted_count"], "message" in data) == (200, 1, True)


def test_slurm_statistics_are_kept_once_per_attempt(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    body = {"workflow_id": workflow_id, "job_id": job, "run_id": 0, "attempt_id": 1, "slurm_job_id": "12"}
    shared_server.post("/slurm_stats", body)
    assert ask(shared_server, "POST", "/slurm_stats", body)[0] in (409, 422)
    page = shared_server.get(f"/slurm_stats?workflow_id={workflow_id}&limit=5&attempt_id=1")
    assert (page["count"], page["max_limit"]) == (1, 5)


def test_slurm_jobs_are_told_from_results(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    slurm = {"workflow_id": workflow_id, "name": "s", "account": "acc", "nodes": 1, "walltime": "04:00:00"}
    config = shared_server.post("/slurm_schedulers", slurm)["id"]
    planned = {
        "workflow_id": workflow_id, "scheduler_id": 4242, "scheduler_config_id": config, "scheduler_type": "slurm",
        "status": "active",
    }  # fmt: skip
    allocation = shared_server.post("/scheduled_compute_nodes", planned)["id"]
    node = seeding.node(shared_server, workflow_id, scheduler={"scheduler_id": allocation})
    seeding.complete(shared_server, workflow_id, job, node)
    [pair] = shared_server.get(f"/workflows/{workflow_id}/slurm_job_correlations")["items"]
    assert pair == {"job_id": job, "job_name": "a", "slurm_job_id": "4242"}


def test_groups_answer_what_they_did(shared_server, w):
    group = shared_server.post("/access_groups", {"name": "team", "description": "d"})
    assert ask(shared_server, "POST", "/access_groups", {"name": "team"})[0] == 409
    path = f"/access_groups/{group['id']}/members"
    member = shared_server.post(path, {"user_name": "bob", "role": "member", "group_id": 99})
    assert member["group_id"] == group["id"]
    assert ask(shared_server, "POST", path, {"user_name": "bob", "role": "member", "group_id": 1})[0] == 409
    link = f"/workflows/{w}/access_groups/{group['id']}"
    assert shared_server.post(link)["workflow_id"] == w
    assert ask(shared_server, "POST", link)[0] == 409
    assert shared_server.get(f"/access_check/{w}/bob")["has_access"] is True
    assert shared_server.get(f"/access_check/{w}/eve")["has_access"] is False
    assert ask(shared_server, "DELETE", link)[1]["group_id"] == group["id"]
    assert ask(shared_server, "DELETE", link)[0] == 404
    assert ask(shared_server, "DELETE", path + "/bob")[1]["user_name"] == "bob"
    assert ask(shared_server, "DELETE", path + "/bob")[0] == 404


def test_the_moment_of_a_result_is_kept_as_it_was_sent(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "a")
    seeding.complete(shared_server, workflow_id, job, seeding.node(shared_server, workflow_id))
    [found] = shared_server.get(f"/results?workflow_id={workflow_id}")["items"]
    assert found["completion_time"] == MOMENT
