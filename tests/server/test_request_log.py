"""What the log tells of requests, as lines and as JSON."""

import json
import re

from tests.server import seeding


def test_ids_stand_in_lines_by_their_names(start_server):
    server = start_server("--log-level", "debug")
    workflow_id, [job] = seeding.ready(server, "a")
    seeding.complete(server, workflow_id, job, seeding.node(server, workflow_id))
    server.get(f"/results?workflow_id={workflow_id}&limit=1")
    server.stop()
    text = server.text()
    assert re.search(
        rf"INFO torc.server.requests: create_workflow workflow_id={workflow_id} user=\S+ .*status=200", text
    )
    assert f"INFO torc.server.requests: initialize_jobs workflow_id={workflow_id} user=" in text
    assert f"DEBUG torc.server.requests: complete_job job_id={job} run_id=0 user=" in text
    assert re.search(rf"DEBUG torc.server.requests: \w+ workflow_id={workflow_id} user=.*path=\S*/results\?", text)


def test_what_runners_ask_for_is_not_told_at_the_usual_level(server):
    workflow_id, [job] = seeding.ready(server, "a")
    seeding.complete(server, workflow_id, job, seeding.node(server, workflow_id))
    server.stop()
    told = re.findall(r"INFO torc\.server\.requests: (\w+)", server.text())
    assert told == ["create_workflow", "create_jobs", "initialize_jobs"]


def test_json_has_the_same_as_numbers(start_server):
    server = start_server("--json-logs")
    workflow_id = seeding.workflow(server)
    server.ask("DELETE", f"/workflows/{workflow_id}", headers=seeding.OURS | {"X-Torc-Client-User": "a%20status=1"})
    server.stop()
    lines = [json.loads(line) for line in server.text().splitlines()]
    [told] = [line for line in lines if line["message"].startswith("delete_workflow")]
    assert (told["workflow_id"], told["status"], told["user"]) == (workflow_id, 200, "a%20status%3D1")


def test_the_log_has_no_password_of_the_database_and_nothing_of_libraries(start_server, postgres_url):
    server = start_server(database=postgres_url.replace("@", ":s3cret@", 1))
    server.stop()
    assert "s3cret" not in server.text()
    assert ":***@" in server.text()
    loggers = [line.split()[2] for line in server.text().splitlines()]
    assert loggers == ["torc.server:"] * 3  # listening, stopping, stopped


def test_why_the_server_cannot_answer_is_told_once_for_each_operation(start_server, postgres_server):
    url = postgres_server.url()
    server = start_server(database=url)
    workflow_id = seeding.workflow(server)
    postgres_server.drop(url)
    paths = [f"/workflows/{workflow_id}", "/workflows", f"/workflows/{workflow_id}"]
    assert [server.ask("GET", path)[0] for path in paths] == [503] * 3
    server.stop()
    told = re.findall(r"WARNING torc\.server\.requests: (\w+) failed: (.*)", server.text())
    assert [name for name, _ in told] == ["get_workflow", "list_workflows"]
    assert all("there is no database" in reason for _, reason in told)
