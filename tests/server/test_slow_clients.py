"""Clients who send slowly, read slowly, stop in the middle or send nonsense: the others do not notice."""

import contextlib
import json
import socket
import threading

import pytest

from tests.server import seeding, sockets
from tests.server.inside import serving
from tests.server.server_process import until
from tests.server.sockets import Crowd, body_of, is_whole, request

SLOW = 16
"""Twice as many as there are threads."""


def ask(port, data):
    """Send bytes and return status and body of the first answer."""
    crowd = Crowd(port, [data])
    try:
        return body_of(crowd.until(is_whole, data[:100])[0])
    finally:
        crowd.close()


def rest(sock):
    """Return what comes until the other side ends the connection."""
    sock.settimeout(sockets.DEADLINE_S)
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


class Trickle:
    """Sends bytes one by one on many connections, for as long as anybody takes them."""

    def __init__(self, port, count, begin, piece=b"x"):
        self.socks = [sockets.connect(port) for _ in range(count)]
        for sock in self.socks:
            sock.sendall(begin)
        self._piece, self._end = piece, threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self):
        while not self._end.wait(0.01):
            for sock in self.socks:
                try:
                    sock.send(self._piece)
                except OSError:
                    continue

    def close(self):
        self._end.set()
        self._thread.join()
        for sock in self.socks:
            sock.close()


BEGINNINGS = {
    "nothing": b"",
    "a part of the first line": b"GET /torc-service/v1/pi",
    "a part of the head": b"GET /torc-service/v1/ping HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a part of the body": request("POST", "/workflows", head=("Content-Length: 100000",)).replace(
        b"Content-Length: 0\r\n", b""
    ) + b'{"name": "',
    "a part of a chunk": b"POST /torc-service/v1/workflows HTTP/1.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n{",
}  # fmt: skip


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_those_who_send_slowly_stop_nobody(server, begin):
    slow = Trickle(server.port, SLOW, BEGINNINGS[begin])
    try:
        for _ in range(20):
            assert server.get("/ping") == {"status": "ok"}
        assert seeding.workflow(server)
    finally:
        slow.close()


@pytest.mark.parametrize("begin", [name for name in BEGINNINGS if name != "nothing"])
def test_those_who_send_too_slowly_are_told_and_left(begin):
    with serving(head_s=0.2, body_s=0.2, least_rate=10_000, drain_s=0.2) as (web, _):
        slow = Trickle(web.port, SLOW, BEGINNINGS[begin])
        try:
            answers = [rest(sock) for sock in slow.socks]
        finally:
            slow.close()
        for data in answers:
            status, body = body_of(data)
            assert (status, "in time" in json.loads(body)["error"]["message"]) == (408, True)
            assert b"Connection: close" in data
        until(lambda: web.hub.size == 0, "connections are kept")


def test_those_who_are_refused_read_the_end_of_the_answer_while_they_still_send():
    with serving(head_s=0.2, drain_s=sockets.DEADLINE_S * 2) as (web, _):
        slow = Trickle(web.port, 1, BEGINNINGS["a part of the head"])
        try:
            [status, _] = body_of(rest(slow.socks[0]))
            assert (status, web.hub.size) == (408, 1)
        finally:
            slow.close()
        until(lambda: web.hub.size == 0, "connections are kept")


LONG_S = sockets.DEADLINE_S * 2
PATIENT = {"head_s": LONG_S, "body_s": LONG_S, "drain_s": LONG_S, "finish_s": LONG_S}


@contextlib.contextmanager
def begun(web, data):
    """Give a connection on which a part of a request has arrived, and which stays open."""
    with sockets.connect(web.port) as sock:
        sock.sendall(data)
        assert ask(web.port, request("GET", "/ping"))[0] == 200  # what came before it was read, too
        yield sock


@contextlib.contextmanager
def stopping(web):
    """Stop a server that has to end before the connections of the test do."""
    thread = threading.Thread(target=web.stop)
    thread.start()
    until(lambda: not web.hub.can_add_keepalive_connection, "it does not begin to stop")
    yield
    thread.join(sockets.DEADLINE_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("begin", [name for name in BEGINNINGS if name != "nothing"])
def test_those_who_sent_a_part_are_not_waited_for_when_the_server_stops(begin):
    with serving(**PATIENT, rest_s=0.2) as (web, _), begun(web, BEGINNINGS[begin]) as sock, stopping(web):
        status, body = body_of(rest(sock))
        assert (status, "stops" in json.loads(body)["error"]["message"]) == (503, True)


def test_the_rest_of_a_request_may_come_while_the_server_stops():
    data = request("GET", "/ping")
    with serving(**PATIENT, rest_s=LONG_S) as (web, _), begun(web, data[:30]) as sock, stopping(web):
        sock.sendall(data[30:])
        assert body_of(rest(sock)) == (200, b'{"status":"ok"}')


def test_answers_that_are_on_their_way_are_waited_for_when_the_server_stops():
    part = BEGINNINGS["a part of the head"]
    with serving(**PATIENT, write_s=LONG_S, rest_s=0.2) as (web, service):
        made = service.create_whole_workflow(big_workflow())
        question = request("GET", f"/jobs?workflow_id={made.workflow_id}")
        with begun(web, question) as reader, begun(web, part) as other, stopping(web):
            assert body_of(rest(other))[0] == 503
            status, body = body_of(rest(reader))
            assert (status, json.loads(body)["count"]) == (200, 30_000)


def test_those_who_say_nothing_are_left():
    with serving(head_s=0.2, idle_s=0.2) as (web, _):
        silent = [sockets.connect(web.port) for _ in range(SLOW)]
        assert [rest(sock) for sock in silent] == [b""] * SLOW
        sock = sockets.connect(web.port)
        sock.sendall(request("GET", "/ping"))
        assert body_of(rest(sock))[0] == 200  # and then it was idle
        for one in (*silent, sock):
            one.close()


def test_those_who_read_slowly_stop_nobody_and_get_all_of_it(server):
    workflow_id = seeding.workflow(server)
    seeding.jobs(server, workflow_id, *(f"job_{n:06}" for n in range(20_000)), env={"X": "y" * 100})
    crowd = Crowd(server.port, [request("GET", f"/jobs?workflow_id={workflow_id}")] * SLOW)
    try:
        for _ in range(20):
            assert server.get("/ping") == {"status": "ok"}
        for status, body in map(body_of, crowd.until(is_whole, "not all of it")):
            assert (status, json.loads(body)["count"]) == (200, 20_000)
    finally:
        crowd.close()


def test_those_who_never_read_are_left():
    with serving(write_s=0.2, least_rate=10**12) as (web, service):
        made = service.create_whole_workflow(big_workflow())
        socks = [sockets.connect(web.port) for _ in range(SLOW)]
        for sock in socks:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(request("GET", f"/jobs?workflow_id={made.workflow_id}"))
        until(lambda: web.hub.size == 0, "connections are kept")
        assert ask(web.port, request("GET", "/ping"))[0] == 200
        for sock in socks:
            sock.close()


def big_workflow():
    from torc_core.records.answers import NewWorkflow

    names = [f"job_{n:06}" for n in range(30_000)]
    return NewWorkflow(workflow={"name": "w"}, jobs={"name": names, "command": ["x" * 500] * len(names)})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"what\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping\r\n\r\n", 400),
        (b"get /torc-service/v1/ping HTTP/1.1\r\n\r\n", 400),
        (b"GET ping HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/torc-service/v1/ping HTTP/1.1\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping#x HTTP/1.1\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/2.0\r\n\r\n", 505),
        (b"GET /torc-service/v1/ping HTTP/1.7\r\n\r\n", 505),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nno field\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\nA: b\n\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /torc-service/v1/ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST /torc-service/v1/ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", 431),
        (b"PATCH /torc-service/v1/ping HTTP/1.1\r\n\r\n", 405),
        (b"FANCY /torc-service/v1/ping HTTP/1.1\r\n\r\n", 405),
        (b"GET /torc-service/v1/ping HTTP/1.1\r\nA: \xff\r\n\r\n", 200),
        (b"GET /torc-service/v1/ping HTTP/1.0\r\n\r\n", 200),
        (b"\r\n\r\nGET /torc-service/v1/ping HTTP/1.1\r\n\r\n", 200),
    ],
)
def test_what_is_no_request_is_refused_in_json(shared_server, data, status):
    found, body = ask(shared_server.port, data)
    assert found == status
    if status != 200:
        assert json.loads(body)["error"]["message"]


def test_requests_may_follow_each_other_at_once(shared_server):
    many = b"".join(request("GET", f"/{word}") for word in ("ping", "version", "nothing") * 30)
    crowd = Crowd(shared_server.port, [many])
    try:
        [data] = crowd.until(lambda data: data.count(b"HTTP/1.1 ") == 90, "not all of them")
        words = [part.split(b" ", 1)[0] for part in data.split(b"HTTP/1.1 ")[1:]]
        assert words == [b"200", b"200", b"404"] * 30
    finally:
        crowd.close()


def test_a_body_is_not_sent_before_it_is_wanted(shared_server):
    body = b'{"name": "w", "user": "ada"}'
    head = request("POST", "/workflows", body, head=("Expect: 100-continue",)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    crowd = Crowd(shared_server.port, [head])
    try:
        crowd.until(lambda data: data == b"HTTP/1.1 100 Continue\r\n\r\n", "nobody wants it")
        crowd.take()
        crowd.socks[0].sendall(body)
        assert body_of(crowd.until(is_whole, "no answer")[0])[0] == 200
    finally:
        crowd.close()


@pytest.mark.parametrize("part", [1, 20, 60, 200])
def test_those_who_leave_in_the_middle_leave_nothing(shared_server, part):
    data = request("POST", "/workflows", b'{"name": "gone", "user": "ada", "description": "' + b"x" * 1000 + b'"}')
    for how in (socket.SHUT_WR, None):
        with socket.create_connection(("127.0.0.1", shared_server.port), timeout=60) as sock:
            sock.sendall(data[: -part if part < 100 else part])
            if how is not None:
                sock.shutdown(how)
                assert rest(sock) == b""
    assert shared_server.get("/workflows?name=gone")["count"] == 0


def test_too_much_at_once_is_refused_and_the_rest_goes_on():
    with serving(max_received=1_000_000) as (web, _):
        crowd = Crowd(web.port, [request("POST", "/workflows", b" " * 200_000)[:-1] for _ in range(SLOW)])
        try:
            until(lambda: any(b" 503 " in crowd.read[s] for s in read(crowd)), "nobody is refused")
            assert ask(web.port, request("GET", "/ping"))[0] == 200
        finally:
            crowd.close()


def read(crowd):
    """Read what has come, and return the connections."""
    for sock in crowd.socks:
        try:
            crowd.read[sock] += sock.recv(65536)
        except BlockingIOError:
            continue
    return crowd.socks


def test_a_server_without_descriptors_goes_on(start_server, tmp_path):
    server = start_server("--threads", "2")
    import resource

    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (120, 120))
    sockets.allow(400)
    crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(200)]
    try:
        assert ask(server.port, request("GET", "/ping"))[0] == 200
    finally:
        for sock in crowd:
            sock.close()
    assert server.get("/ping") == {"status": "ok"}
    assert server.stop() == 0
