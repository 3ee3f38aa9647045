"""Our client, with servers that break, lie, redirect or are none, and with connections that are kept."""

import contextlib
import json
import os
import re
import socket
import threading

import pytest

from tests.server.inside import serving
from tests.server.server_process import until
from torc_core.errors import Conflict, Forbidden, Invalid, NotFound, TorcError, Unauthorized, Unavailable, UsageError
from torc_core.records.answers import EventStream, JobReset, Tick
from torc_core.records.resources import Job, Workflow
from torc_core.service.http import HttpService
from torc_core.service.server_address import BASE, Login, address_of
from torc_server.copies import BACKUP

LIMIT_S = 30
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


def answer(data, status=200):
    body = json.dumps(data).encode()
    return (OK % (len(body), body)).replace(b"200 OK", b"%d X" % status)


class Last(bytes):
    """What a server says before it ends the connection."""


GONE = Last()


class Fake:
    """Answers one request after the other with what a script says; none is left: it goes on listening in silence."""

    def __init__(self, *script):
        self.requests, self.bodies = [], []
        self.connections = 0
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(LIMIT_S)
                self.connections += 1
                with sock:
                    self._serve(sock)

    def _serve(self, sock):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = sock.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            self.requests.append(head)
            found = re.search(rb"(?im)^content-length: (\d+)", head)
            length = int(found[1]) if found else 0
            while len(data) < length:
                data += sock.recv(65536)
            self.bodies.append(data[:length])
            data = data[length:]
            said = self._script.pop(0)
            sock.sendall(said)
            if isinstance(said, Last):
                return

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone wakes nobody
        self._listener.close()
        self._thread.join(LIMIT_S)


@pytest.fixture
def fake():
    """Makes fake servers, each with a client."""
    made = []

    def fake(*script):
        server = Fake(*script)
        made.append((server, HttpService(server.url, Login("ada"))))
        return made[-1]

    yield fake
    for server, client in made:
        client.close()
        server.close()


@pytest.fixture
def real():
    """A real server in this process and a client of it."""
    with serving() as (web, service):
        client = HttpService(f"http://127.0.0.1:{web.port}", Login("ada"))
        yield web, service, client
        client.close()


PONG = answer({"status": "ok"})


# addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", f"http://host:80{BASE}"),
        ("http://host:8080/", f"http://host:8080{BASE}"),
        (f"https://host:1{BASE}/", f"https://host:1{BASE}"),
        ("https://[::1]:8443", f"https://[::1]:8443{BASE}"),
        ("http://host/other/base", "http://host:80/other/base"),
    ],
)
def test_addresses_are_read(url, shown):
    assert str(address_of(url)) == shown


@pytest.mark.parametrize("url", ["host:8080", "ftp://host", "http://", "http://host:port", "http://ada:pw@host", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError):
        HttpService(url)


# errors


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, {"error": "NotFound", "message": "m"}, NotFound),
        (404, {"message": "m"}, NotFound),
        (401, {"message": "m"}, Unauthorized),
        (403, {"error": "Forbidden", "message": "m"}, Forbidden),
        (409, {"error": "Conflict", "message": "m"}, Conflict),
        (422, {"message": "m", "field": "f"}, Invalid),
        (413, {"message": "m"}, Invalid),
        (503, {"message": "m"}, Unavailable),
        (418, {"message": "m"}, TorcError),
        (500, {"message": "m", "error": "InternalServerError", "self": 1}, TorcError),
    ],
)
def test_refusals_become_the_errors_that_they_were(fake, status, error, kind):
    _, client = fake(answer({"error": error | {"hint": "h", "more": [1]}}, status))
    with pytest.raises(TorcError, match="m") as caught:
        client.get(Workflow, 1)
    assert type(caught.value) is kind
    assert (caught.value.hint, caught.value.details["more"]) == ("h", [1])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not in the way of a torc server"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", "not in the way of a torc server"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n[]", "not in the way of a torc server"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://else/\r\nContent-Length: 0\r\n\r\n", "sends you to https://else/"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "answers 502"),
    ],
)
def test_a_stranger_is_known_by_its_answer(fake, said, words):
    _, client = fake(said, said)
    with pytest.raises(TorcError, match=words):
        client.create(Workflow(name="w"))


def test_nobody_there_is_told_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = HttpService(f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable, match="cannot reach the server") as caught:
        client.ping()
    assert caught.value.details["outcome"] == "not sent"
    assert "torc server run" in caught.value.hint


# what is repeated


def test_what_changes_nothing_is_asked_again(fake):
    server, client = fake(GONE, PONG)
    assert client.ping() is not None
    assert len(server.requests) == 2


def test_what_changes_something_is_not_asked_again(fake):
    server, client = fake(GONE, answer({"id": 1, "name": "w"}))
    with pytest.raises(Unavailable) as caught:
        client.create(Workflow(name="w"))
    assert caught.value.details["outcome"] == "unknown"
    assert len(server.requests) == 1


def test_what_may_come_twice_is_asked_again(fake):
    told = {"jobs": [], "refused": [], "lost": [], "is_complete": True}
    server, client = fake(GONE, answer(told))
    assert client.tick(1, Tick(compute_node_id=1, run_id=0)).is_complete
    assert len(server.requests) == 2
    assert [json.loads(body).get("resend", False) for body in server.bodies] == [False, True]


def test_it_is_asked_again_once(fake):
    server, client = fake(GONE, GONE, PONG)
    with pytest.raises(Unavailable):
        client.ping()
    assert len(server.requests) == 2


def test_half_an_answer_is_none(fake):
    _, client = fake(Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"))
    with pytest.raises(Unavailable, match="broke during"):
        client.create(Workflow(name="w"))


def test_half_a_file_is_none(fake):
    _, client = fake(Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nSQLite"))
    pieces = client.download(BACKUP, {})
    assert next(pieces) == b"SQLite"
    with pytest.raises(Unavailable, match="broke during backup_database"):
        next(pieces)


# connections


def test_one_connection_serves_all_calls_that_follow_each_other(fake):
    server, client = fake(*[PONG] * 5)
    for _ in range(5):
        client.ping()
    assert server.connections == 1


def test_a_connection_that_the_server_has_ended_is_replaced_before_anything_is_sent(fake):
    server, client = fake(Last(PONG), answer({"id": 1, "name": "w"}))
    client.ping()
    [idle] = client._idle
    until(lambda: idle.sock.recv(1, socket.MSG_PEEK) == b"", "it goes on")
    assert client.create(Workflow(name="w")).id == 1
    assert server.connections == 2


def test_threads_do_not_wait_for_each_other(real):
    web, service, client = real
    workflow = client.create(Workflow(name="w"))
    version = client.wait_for_change(workflow.id, 0, 0.0).version
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(client.wait_for_change(workflow.id, version, 30.0)))
    waiting.start()
    until(lambda: len(web.hub.waiting) == 1, "it does not wait")
    service.create(Job(workflow_id=workflow.id, name="a", command="true"))
    waiting.join(30)
    assert heard[0].version > version


def test_a_closed_client_asks_nothing(real):
    web, _, client = real
    workflow = client.create(Workflow(name="w"))
    version = client.wait_for_change(workflow.id, 0, 0.0).version
    caught = []

    def wait():
        try:
            client.wait_for_change(workflow.id, version, 30.0)
        except Unavailable as exc:
            caught.append(exc)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: len(web.hub.waiting) == 1, "it does not wait")
    client.close()
    waiting.join(30)
    assert len(caught) == 1
    with pytest.raises(Unavailable, match="closed"):
        client.ping()


def test_a_child_process_leaves_the_connections_of_its_parent_alone(real):
    _, _, client = real
    client.ping()
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            client.ping()
            client.close()
            code = 0
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert client.ping() is not None


def test_who_asks_is_said(real):
    web, _, _ = real
    for user in ("ada", "Ådå Lovelace", "a%b"):
        client = HttpService(f"http://127.0.0.1:{web.port}", Login(user))
        assert client.create(Workflow(name="w")).user == user
        client.close()


# events


def test_events_come_as_they_happen(real):
    _, service, client = real
    workflow = client.create(Workflow(name="w"))
    heard = client.watch_events(workflow.id, "debug")
    assert isinstance(heard, EventStream)
    assert heard.take() == []
    service.initialize_jobs(workflow.id)
    [event] = heard.take(LIMIT_S)
    assert (event.event_type, event.workflow_id) == ("workflow_reinitialized", workflow.id)
    service.delete(Workflow, workflow.id)
    assert [event.event_type for event in heard] == ["workflow_deleted"]
    assert heard.is_closed


def test_events_that_were_lost_are_counted(fake):
    ready = {"workflow_id": 1, "timestamp": 5, "event_type": "job_ready", "severity": "debug", "data": {}}
    told = b"event: job_ready\ndata: %s\n\n" % json.dumps(ready).encode()
    told += b': still here\n\nevent: warning\ndata: {"dropped": 7}\n\n'
    _, client = fake(Last(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + told))
    heard = client.watch_events(1)
    first, second = next(heard), next(heard)
    assert (first.event_type, second.event_type, second.data) == ("job_ready", "warning", {"dropped": 7})
    with pytest.raises(StopIteration):
        next(heard)


def test_a_stream_can_be_refused(real):
    _, _, client = real
    with pytest.raises(NotFound):
        client.watch_events(99)
    assert client.ping() is not None


def test_events_are_read_from_their_stream_one_after_the_other(real):
    _, service, client = real
    workflow = client.create(Workflow(name="w"))
    heard = client.watch_events(workflow.id)
    for _ in range(3):
        service.initialize_jobs(workflow.id)
    assert [next(heard).event_type for _ in range(3)] == ["workflow_reinitialized"] * 3
    heard.close()


def test_a_stream_ends_when_it_is_closed_by_another_thread(real):
    _, _, client = real
    heard = client.watch_events(client.create(Workflow(name="w")).id)
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (list(heard), ended.set()))
    thread.start()
    heard.close()
    assert ended.wait(30)
    thread.join()


def test_changes_are_heard_of(real):
    _, service, client = real
    workflow = client.create(Workflow(name="w"))
    heard = threading.Event()
    stop = client.on_change(workflow.id, heard.set)
    assert heard.wait(30)  # where it stands at first
    heard.clear()
    service.create(Job(workflow_id=workflow.id, name="a", command="true"))
    assert heard.wait(30)
    stop()


def test_filters_that_nobody_knows_are_refused_before_they_are_sent(fake):
    server, client = fake()
    with pytest.raises(Invalid, match="cannot be filtered by colour"):
        client.find(Job, 1, colour="red")
    assert server.connections == 0


def test_answers_are_values(real):
    _, _, client = real
    workflow = client.create(Workflow(name="w", env={"A": "é\n"}))
    assert client.get(Workflow, workflow.id).env == {"A": "é\n"}
    with pytest.raises(Invalid) as caught:
        client.reset_jobs(workflow.id, JobReset(job_ids=[]))
    assert caught.value.hint
