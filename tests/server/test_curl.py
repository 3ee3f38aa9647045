"""The API by hand, with real curl, as people write it after the documents they have."""

import json
import shutil
import subprocess

import pytest

from tests.server.server_process import environment, until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
JSON = ("-H", "Content-Type: application/json")


class Curl:
    """curl with the base of a server."""

    def __init__(self, server):
        self.server = server

    def __call__(self, path, *words):
        """Return what curl printed, decoded; it has to end well."""
        done = self.run(path, *words)
        assert done.returncode == 0, (path, words, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def run(self, path, *words):
        """Run curl to its end."""
        command = ["curl", "-sS", "--fail-with-body", "--max-time", "60", *words, self.server.url + path]
        env = environment(self.server.folder)
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    def post(self, path, data=None):
        """POST as people do."""
        return self(path, "-X", "POST", *(() if data is None else (*JSON, "-d", json.dumps(data))))


@pytest.fixture
def curl(shared_server):
    return Curl(shared_server)


@pytest.fixture
def workflow(curl):
    """The id of a workflow."""
    return curl.post("/workflows", {"name": "my_workflow", "user": "ada", "description": "by hand"})["id"]


@pytest.fixture
def job(curl, workflow):
    """The id of the ready job of that workflow."""
    [job] = curl.post("/bulk_jobs", {"jobs": [{"workflow_id": workflow, "name": "a", "command": "true"}]})["jobs"]
    curl.post(f"/workflows/{workflow}/initialize_jobs")
    return job["id"]


def test_workflows_are_made_and_listed(curl, workflow):
    found = curl(f"/workflows/{workflow}")
    assert (found["name"], found["user"], found["description"]) == ("my_workflow", "ada", "by hand")
    listed = curl("/workflows?offset=0&limit=10000")
    assert workflow in [item["id"] for item in listed["workflows"]]
    assert listed["items"] == listed["workflows"]
    assert curl("/ping") == {"status": "ok"}
    assert curl("/version")["version"]


def test_a_pipeline_by_hand(curl, workflow):
    raw, clean = (
        curl.post("/files", {"workflow_id": workflow, "name": name, "path": f"/data/{name}.csv"})["id"]
        for name in ("raw", "clean")
    )
    assert [f["name"] for f in curl(f"/files?workflow_id={workflow}")["files"]] == ["raw", "clean"]
    jobs = [
        {"workflow_id": workflow, "name": "first", "command": "python clean.py", "status": 0,
         "input_file_ids": [raw], "output_file_ids": [clean]},
        {"workflow_id": workflow, "name": "second", "command": "python train.py", "status": 0,
         "input_file_ids": [clean]},
    ]  # fmt: skip
    first, second = (job["id"] for job in curl.post("/bulk_jobs", {"jobs": jobs})["jobs"])
    after = {"workflow_id": workflow, "name": "third", "command": "true", "depends_on_job_ids": [second]}
    third = curl.post("/jobs", after)["id"]
    body = {"reinitialize": False, "ignore_missing_data": False}
    curl.post(f"/workflows/{workflow}/initialize_jobs?only_uninitialized=false", body)
    blocked = [second, third]
    for query, ids in (
        ("status=ready", [first]), ("status=2", [first]), ("status=blocked", blocked), ("status=1", blocked),
        ("", [first, *blocked]),
    ):  # fmt: skip
        assert [job["id"] for job in curl(f"/jobs?workflow_id={workflow}&{query}")["jobs"]] == ids
    needs = curl(f"/workflows/{workflow}/ready_job_requirements")
    assert (needs["num_jobs"], needs["num_cpus"]) == (1, 1)
    assert curl(f"/workflows/{workflow}/is_complete")["is_complete"] is False
    node = curl.post(
        "/compute_nodes", {"workflow_id": workflow, "hostname": "node01", "num_cpus": 64, "memory": "256g"}
    )
    assert node["memory_gb"] == 256
    [claimed] = curl.post(f"/workflows/{workflow}/claim_next_jobs?num_jobs=5")["jobs"]
    assert (claimed["id"], claimed["status"]) == (first, "pending")
    curl(f"/jobs/{first}/start_job/0/{node['id']}", "-X", "PUT")
    result = {"workflow_id": workflow, "job_id": first, "compute_node_id": node["id"], "run_id": 0,
              "return_code": 0, "exec_time_minutes": 1.5, "completion_time": "2026-01-01T00:00:00Z",
              "status": "completed"}  # fmt: skip
    curl.post(f"/jobs/{first}/complete_job/completed/0", result)
    room = {"num_cpus": 8, "num_gpus": 0, "memory_gb": 32, "num_nodes": 1, "time_limit": "PT4H"}
    [claimed] = curl.post(f"/workflows/{workflow}/claim_jobs_based_on_resources/10", room)["jobs"]
    assert claimed["id"] == second
    assert [r["return_code"] for r in curl(f"/results?workflow_id={workflow}")["results"]] == [0]
    assert [n["hostname"] for n in curl(f"/compute_nodes?workflow_id={workflow}")["compute_nodes"]] == ["node01"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/complete_job/completed/0/{node}", None, "completed"),
        ("PUT", "/complete_job/completed/0", None, "completed"),
        ("PUT", "/complete_job/failed/0/{node}", {"return_code": 3}, "failed"),
        ("PUT", "/complete_job/5/0/{node}", {"exit_code": 0, "stdout": "x", "stderr": ""}, "completed"),
        ("POST", "/complete_job/completed/0", {"return_code": 0}, "completed"),
        ("PUT", "/complete_job", {"exit_code": 0}, "completed"),
        ("POST", "/complete_job", {"status": "failed", "run_id": 0, "return_code": 1}, "failed"),
        ("POST", "/complete_job", None, "completed"),
    ],
)
def test_a_job_is_completed_in_each_shape_people_know(curl, workflow, job, method, path, body, status):
    node = curl.post("/compute_nodes", {"workflow_id": workflow, "hostname": "h", "num_cpus": 4, "memory": "8g"})["id"]
    words = () if body is None else (*JSON, "-d", json.dumps(body))
    answer = curl(f"/jobs/{job}{path.format(node=node)}", "-X", method, *words)
    assert answer["status"] == status
    [found] = curl(f"/results?workflow_id={workflow}")["items"]
    wanted = (body or {}).get("return_code", (body or {}).get("exit_code", 0))
    assert (found["status"], found["return_code"], found["job_name"]) == (status, wanted, "a")
    assert found["compute_node_id"] == (node if "{node}" in path else 0)


def test_a_result_is_written_in_the_words_of_a_shell(curl, workflow, job):
    body = {"workflow_id": workflow, "job_id": job, "exit_code": 1, "stdout": "out", "stderr": "err", "run_id": 0}
    made = curl.post("/results", body)
    assert (made["return_code"], made["status"]) == (1, "failed")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_status_is_changed_with_a_body(curl, job, method):
    answer = curl(f"/jobs/{job}/manage_status_change", "-X", method, *JSON, "-d", '{"target_status": "uninitialized"}')
    assert answer["status"] == "uninitialized"
    done = curl.run(f"/jobs/{job}/manage_status_change", "-X", method, *JSON, "-d", "{}")
    assert done.returncode == 22
    assert "target_status" in done.stdout


def test_data_events_and_requirements_by_hand(curl, workflow):
    needs = {"workflow_id": workflow, "name": "big", "num_cpus": 8, "memory": "16g", "runtime": "PT2H"}
    assert curl.post("/resource_requirements", needs)["num_gpus"] == 0
    data = curl.post("/user_data", {"workflow_id": workflow, "name": "config", "data": {"rate": 0.01}})
    assert curl(f"/user_data/{data['id']}")["data"] == {"rate": 0.01}
    event = curl.post("/events", {"workflow_id": workflow, "timestamp": 0, "data": {"message": "hello"}})
    assert isinstance(event["timestamp"], int)
    assert [e["data"]["message"] for e in curl(f"/events?workflow_id={workflow}")["events"]] == ["hello"]


def test_a_run_is_begun_again_by_hand(curl, workflow, job):
    assert curl.post(f"/workflows/{workflow}/process_changed_job_inputs?dry_run=true") == {"reinitialized_jobs": []}
    assert curl.post(f"/workflows/{workflow}/reset_job_status")["updated_count"] == 1
    assert curl.post(f"/workflows/{workflow}/reset_status")["is_canceled"] is False
    assert curl(f"/workflows/{workflow}/cancel", "-X", "PUT")["is_canceled"] is True
    assert curl(f"/workflows/{workflow}", "-X", "DELETE")["id"] == workflow


def test_a_mistake_is_explained(curl):
    done = curl.run("/workflows/99999")
    assert done.returncode == 22
    assert json.loads(done.stdout)["error"]["error"] == "NotFound"
    done = curl.run("/workflows", "-d", '{"name": "w"}')  # curl says that this is a form
    assert "Content-Type: application/json" in done.stdout


def test_a_big_body_waits_for_leave(curl, workflow, tmp_path):
    jobs = [{"workflow_id": workflow, "name": f"job_{n}", "command": "sleep 1" * 10} for n in range(20_000)]
    body = tmp_path / "jobs.json"
    body.write_text(json.dumps({"jobs": jobs}))
    made = curl("/bulk_jobs", *JSON, "--data-binary", f"@{body}", "-H", "Expect: 100-continue")
    assert len(made["jobs"]) == 20_000
    made = curl("/bulk_jobs", *JSON, "--data-binary", f"@{body}", "-H", "Transfer-Encoding: chunked")
    assert len(made["jobs"]) == 20_000


def test_events_are_followed(curl, workflow, tmp_path):
    seen = tmp_path / "seen"
    url = f"{curl.server.url}/workflows/{workflow}/events/stream?level=info"
    with (
        seen.open("wb") as out,
        subprocess.Popen(["curl", "-sSN", "-i", url], stdout=out, env=environment(tmp_path)) as process,
    ):
        try:
            until(lambda: b"\r\n\r\n" in seen.read_bytes(), "no head")
            [job] = curl.post("/bulk_jobs", {"jobs": [{"workflow_id": workflow, "name": "a", "command": "true"}]})[
                "jobs"
            ]
            curl.post(f"/workflows/{workflow}/initialize_jobs")
            curl.post(f"/jobs/{job['id']}/complete_job", {"exit_code": 0})
            until(lambda: b"event: job_completed\ndata: " in seen.read_bytes(), seen.read_text)
            curl(f"/workflows/{workflow}", "-X", "DELETE")
            assert process.wait(60) in (0, 18)  # the stream ends with its workflow
        finally:
            process.kill()
    assert "Content-Type: text/event-stream" in seen.read_text()
