"""What every call has in common on the wire: statuses of what cannot be read, headers, paths, encodings."""

import http.client
import json

import pytest

from tests.server import seeding
from tests.server.seeding import PYTHON
from torc_core.service.server_address import BASE

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def made(shared_server):
    workflow_id, ids = seeding.ready(shared_server, "a", "b")
    return {"w": workflow_id, "j": ids[0], "n": seeding.node(shared_server, workflow_id)}


def refused(answer):
    """Return status and what is inside of error; every refusal has to be JSON."""
    status, headers, data = answer
    assert headers["Content-Type"] == "application/json"
    assert set(data) == {"error"}
    assert data["error"]["message"]
    return status, data["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "", None, 404),
        ("GET", "/", None, 404),
        ("GET", "/ping/", None, 404),
        ("GET", "/nothing", None, 404),
        ("GET", "//ping", None, 404),
        ("GET", "/workflows/99999", None, 404),
        ("GET", "/workflows/9223372036854775807", None, 404),
        ("GET", "/workflows/0", None, 404),
        ("GET", "/workflows/-1", None, 404),
        ("POST", "/jobs", '{"workflow_id": 99999, "name": "a", "command": "true"}', 404),
        ("DELETE", "/workflows", None, 405),
        ("PATCH", "/workflows/{w}", "{}", 405),
        ("PUT", "/jobs/{j}/retry/0", None, 405),
        ("GET", "/workflows/x", None, 400),
        ("GET", "/workflows/1.5", None, 400),
        ("GET", "/workflows/%D9%A1", None, 400),
        ("GET", "/workflows/9223372036854775808", None, 400),
        ("GET", "/workflows/%FF", None, 400),
        ("GET", "/jobs", None, 400),
        ("GET", "/jobs?workflow_id=", None, 400),
        ("GET", "/jobs?workflow_id=x", None, 400),
        ("GET", "/jobs?workflow_id={w}&limit=many", None, 400),
        ("GET", "/jobs?workflow_id={w}&status=done", None, 400),
        ("GET", "/jobs?workflow_id={w}&status=11", None, 400),
        ("GET", "/jobs?workflow_id={w}&include_relationships=True", None, 400),
        ("GET", "/jobs?workflow_id={w}&include_relationships=1", None, 400),
        ("GET", "/jobs?workflow_id={w}&name=%FF", None, 400),
        ("PUT", "/jobs/{j}/manage_status_change/done/0", None, 400),
        ("POST", "/jobs/{j}/complete_job/done/0", "{}", 400),
        ("POST", "/jobs/{j}/retry/0", None, 400),
        ("POST", "/workflows", "", 400),
        ("POST", "/workflows", '{"name": ', 400),
        ("POST", "/workflows", "name=w", 400),
        ("POST", "/workflows", '{"name": "w", "user": "ada"} x', 400),
        ("POST", "/workflows", '{"name": "w", "user": "ada", "description": NaN}', 400),
        ("POST", "/workflows", b'{"name": "\xff", "user": "ada"}', 400),
        ("POST", "/workflows", "[]", 422),
        ("POST", "/workflows", "null", 422),
        ("POST", "/workflows", '"text"', 422),
        ("POST", "/workflows", '{"user": "ada"}', 422),
        ("POST", "/workflows", '{"name": null, "user": "ada"}', 422),
        ("POST", "/workflows", '{"name": 5, "user": "ada"}', 422),
        ("POST", "/jobs", '{"workflow_id": "{w}", "name": "x", "command": "true"}', 422),
        ("POST", "/jobs", '{"workflow_id": {w}.0, "name": "x", "command": "true"}', 422),
        ("POST", "/jobs", '{"workflow_id": true, "name": "x", "command": "true"}', 422),
        ("POST", "/jobs", '{"workflow_id": {w}, "name": "x", "command": "true", "priority": -1}', 422),
        ("POST", "/jobs", '{"workflow_id": {w}, "name": "x", "command": "true", "status": "done"}', 422),
        ("POST", "/jobs", '{"workflow_id": {w}, "name": "x", "command": "true", "env": {"A B": "1"}}', 422),
        ("POST", "/jobs", '{"workflow_id": 9223372036854775808, "name": "x", "command": "true"}', 422),
        ("GET", "/jobs?workflow_id={w}&limit=100001", None, 422),
        ("GET", "/jobs?workflow_id={w}&sort_by=colour", None, 422),
        ("GET", "/jobs?workflow_id={w}&offset=-1", None, 422),
    ],
)
def test_what_cannot_be_read_or_done_is_refused_in_json(shared_server, made, method, path, body, status):
    for name, value in made.items():
        path = path.replace("{" + name + "}", str(value))
        body = body.replace("{" + name + "}", str(value)) if isinstance(body, str) else body
    path = f"/{BASE}{path}" if path in ("", "/", "//ping") else path
    headers = JSON if body is not None else None
    found, _ = refused(
        shared_server.ask(method, path.removeprefix("/") if path.startswith("//") else path, body=body, headers=headers)
    )
    assert found == status


def test_a_method_that_is_not_known_is_told_which_are(shared_server):
    status, headers, _ = shared_server.ask("DELETE", "/workflows")
    assert status == 405
    assert sorted(headers["Allow"].replace(",", " ").split()) == ["GET", "POST"]


def test_head_is_answered_without_a_body(shared_server):
    status, headers, data = shared_server.ask("HEAD", "/ping")
    assert (status, headers["Content-Type"], data) == (200, "application/json", None)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_has_to_be_said_to_be_json(shared_server, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    body = b'{"name": "w", "user": "ada"}'
    status, error = refused(shared_server.ask("POST", "/workflows", body=body, headers=headers))
    assert status == 415
    assert "application/json" in error["message"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_said_in_several_ways(shared_server, kind):
    status, _, data = shared_server.ask(
        "POST", "/workflows", body=b'{"name": "w", "user": "ada"}', headers={"Content-Type": kind}
    )
    assert (status, data["name"]) == (200, "w")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/workflows", b'{"name": "\xff", "user": "ada"}'), ("GET", "/workflows?user=%ff", None),
     ("GET", "/workflows/%ff", None)],
)  # fmt: skip
def test_what_is_not_utf8_is_told_in_words(shared_server, method, path, body):
    headers = {"Content-Type": "application/json"} if body else {}
    status, _, data = shared_server.ask(method, path, body=body, headers=headers)
    assert status == 400
    assert data["error"]["message"].endswith("is not UTF-8")
    assert "codec" not in data["error"]["message"]


@pytest.mark.parametrize("body", [None, b"", b"{}", b"null", b"what is this", b"\x00\xff"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_a_body_that_nobody_asked_for_is_ignored(shared_server, made, body, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    status, _, data = shared_server.ask("POST", f"/workflows/{made['w']}/initialize_jobs", body=body, headers=headers)
    assert (status, set(data)) == (200, {"message", "run_id", "counts"})


def test_every_answer_has_a_span_and_says_what_browsers_may_do(shared_server, made):
    for path in ("/ping", "/nothing", "/workflows/x", f"/workflows/{made['w']}"):
        _, headers, _ = shared_server.ask("GET", path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Span-ID"]
    spans = {shared_server.ask("GET", "/ping")[1]["X-Span-ID"] for _ in range(3)}
    assert len(spans) == 3


@pytest.mark.parametrize("path", ["/ping", "/nothing", "/workflows/99999"])
def test_the_span_of_a_request_comes_back(shared_server, path):
    _, headers, _ = shared_server.ask("GET", path, headers={"X-Span-ID": "my-span.1"})
    assert headers["X-Span-ID"] == "my-span.1"


@pytest.mark.parametrize("span", ["a b", "x" * 300, "a\tb"])
def test_a_span_that_could_break_a_log_is_replaced(shared_server, span):
    _, headers, _ = shared_server.ask("GET", "/ping", headers={"X-Span-ID": span})
    assert headers["X-Span-ID"] not in ("", span)


def test_unknown_members_and_parameters_are_ignored(shared_server):
    made = shared_server.post("/workflows?colour=red", {"name": "w", "user": "ada", "colour": "red"})
    assert "colour" not in made


@pytest.mark.parametrize(
    ("headers", "has_name"), [(PYTHON["0.22"], False), (PYTHON["0.35"], False), (seeding.OURS, True)]
)
def test_a_refusal_has_no_name_where_the_published_one_has_none(shared_server, headers, has_name):
    _, error = refused(shared_server.ask("POST", "/workflows", {"user": "ada"}, headers=dict(headers)))
    assert ("error" in error) is has_name
    assert error["field"] == "name"


def test_names_in_paths_may_hold_everything(shared_server):
    workflow_id = seeding.workflow(shared_server)
    names = ["a/b", "ada@host:22", "a b", "é%", "a?b#c"]
    shared_server.post(f"/workflows/{workflow_id}/remote_workers", names)
    for name in names:
        path = "".join(f"%{byte:02X}" for byte in name.encode())
        status, _, data = shared_server.ask("DELETE", f"/workflows/{workflow_id}/remote_workers/{path}")
        assert (status, data["worker"]) == (200, name)


def test_values_of_a_query_may_be_written_as_forms_do(shared_server):
    seeding.workflow(shared_server, name="one & two")
    assert shared_server.get("/workflows?name=one+%26%20two")["total_count"] == 1


def test_one_connection_serves_many_requests(shared_server):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=60)
    try:
        connection.connect()
        first = connection.sock
        for path, status in (("/ping", 200), ("/nothing", 404), ("/workflows/x", 400), ("/version", 200)):
            connection.request("GET", BASE + path)
            answer = connection.getresponse()
            json.loads(answer.read())
            assert (answer.status, connection.sock is first) == (status, True)
    finally:
        connection.close()


def test_a_body_too_large_is_refused_before_it_is_sent(shared_server):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=60)
    try:
        connection.putrequest("POST", BASE + "/workflows")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(200 * 1024 * 1024 + 1))
        connection.endheaders()
        answer = connection.getresponse()
        status, error = refused((answer.status, answer.headers, json.loads(answer.read())))
    finally:
        connection.close()
    assert status == 413
    assert "209715200" in error["message"]


def test_a_body_of_many_megabytes_is_taken(shared_server):
    text = "x" * 5_000_000
    made = shared_server.post("/workflows", {"name": "w", "user": "ada", "description": text})
    assert shared_server.get(f"/workflows/{made['id']}")["description"] == text


def test_a_body_in_chunks_is_taken(shared_server):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=60)
    try:
        pieces = iter([b'{"name": "chunks",', b' "user": "ada"}'])
        connection.request("POST", BASE + "/workflows", pieces, dict(JSON), encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["name"]) == (200, "chunks")
    finally:
        connection.close()
