"""A thousand who wait and a thousand who listen, on one server with eight threads."""

import json
import threading

import pytest

from tests.server import seeding, sockets
from tests.server.server_process import until
from tests.server.sockets import Crowd, body_of, is_whole, request

CROWD = 1000
HEAD_END = b"\r\n\r\n"


@pytest.fixture
def server(start_server):
    sockets.allow(4 * CROWD)
    return start_server("--threads", "8")


@pytest.fixture
def gather(server):
    """Opens many connections, each with a request; they are closed at the end."""
    made = []

    def gather(requests):
        made.append(Crowd(server.port, requests))
        return made[-1]

    yield gather
    for crowd in made:
        crowd.close()


def gauge(server, name):
    """Return a figure of the metrics."""
    import urllib.request

    with urllib.request.urlopen(f"{server.root}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


class Pings:
    """Somebody who asks for little all the time, and counts the answers."""

    def __init__(self, server):
        self.answered = 0
        self._server, self._end = server, threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self):
        while not self._end.is_set():
            assert self._server.get("/ping") == {"status": "ok"}
            self.answered += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._end.set()
        self._thread.join()

    def go_on(self):
        """Wait until some more have been answered, all of which were asked after now."""
        before = self.answered
        until(lambda: self.answered >= before + 10, "nobody answers a ping")


def gate(server):
    """Store a workflow in which a thousand jobs wait for one; returns its id, that of the one, and a node's."""
    workflow_id = seeding.workflow(server)
    [first] = seeding.jobs(server, workflow_id, "gate")
    seeding.jobs(server, workflow_id, *(f"j{n}" for n in range(CROWD)), depends_on_job_ids=[first])
    server.post(f"/workflows/{workflow_id}/initialize_jobs")
    server.post(f"/workflows/{workflow_id}/claim_next_jobs?limit=1")
    return workflow_id, first, seeding.node(server, workflow_id)


def tick(workflow_id, node, **more):
    """Return the request of a runner that waits for one job."""
    report = {"compute_node_id": node, "run_id": 0, "limit": 1, "wait_seconds": 60, **more}
    return request("POST", f"/workflows/{workflow_id}/tick", json.dumps(report).encode())


def test_all_who_wait_and_listen_are_served_and_nobody_else_waits(server, gather):
    workflow_id, first, node = gate(server)
    listeners = gather([request("GET", f"/workflows/{workflow_id}/events/stream")] * CROWD)
    listeners.until(lambda data: HEAD_END in data, "no head of a stream")
    runners = gather([tick(workflow_id, node)] * CROWD)
    until(lambda: gauge(server, "torc_waiting_requests") == CROWD, lambda: gauge(server, "torc_waiting_requests"))
    assert gauge(server, "torc_event_streams") == CROWD
    with Pings(server) as pings:
        pings.go_on()
        assert all(not data for data in runners.take())
        assert seeding.complete(server, workflow_id, first, node)[0] == 200
        answers = runners.until(is_whole, "no answer")
        pings.go_on()
        given = []
        for status, body in map(body_of, answers):
            assert status == 200, body
            given += [job["id"] for job in json.loads(body)["jobs"]]
        assert len(given) == len(set(given)) == CROWD
        for data in listeners.until(lambda data: b"event: job_completed\n" in data, "no event"):
            assert data.count(b"event: job_completed\n") == 1
        pings.go_on()
    assert gauge(server, "torc_waiting_requests") == 0


def test_all_who_wait_for_a_change_hear_of_it_on_connections_that_go_on(server, gather):
    workflow_id, first, node = gate(server)
    version = server.get(f"/workflows/{workflow_id}/changes")["version"]
    wait = request("GET", f"/workflows/{workflow_id}/changes?version={version}&wait_seconds=60")
    waiting = gather([wait] * CROWD)
    until(lambda: gauge(server, "torc_waiting_requests") == CROWD, "not all wait")
    seeding.complete(server, workflow_id, first, node)
    for status, body in map(body_of, waiting.until(is_whole, "no answer")):
        assert status == 200
        assert json.loads(body)["version"] > version
    waiting.take()
    for sock in waiting.socks:
        sock.sendall(request("GET", "/ping"))
    assert {body_of(data) for data in waiting.until(is_whole, "no ping")} == {(200, b'{"status":"ok"}')}


def test_a_wait_ends_when_its_time_is_over(server, gather):
    workflow_id, _, node = gate(server)
    waiting = gather([tick(workflow_id, node, wait_seconds=0.2)] * 100)
    for status, body in map(body_of, waiting.until(is_whole, "no answer")):
        answer = json.loads(body)
        assert (status, answer["jobs"], answer["is_complete"]) == (200, [], False)


def test_those_who_leave_while_they_wait_take_no_job_with_them(server, gather):
    workflow_id, first, node = gate(server)
    leaving = gather([tick(workflow_id, node)] * 300)
    staying = gather([tick(workflow_id, node)] * 300)
    until(lambda: gauge(server, "torc_waiting_requests") == 600, "not all wait")
    leaving.close()
    until(lambda: gauge(server, "torc_waiting_requests") == 300, "those who left are kept")
    seeding.complete(server, workflow_id, first, node)
    staying.until(is_whole, "no answer")
    assert server.get(f"/jobs?workflow_id={workflow_id}&status=pending&limit=1")["total_count"] == 300


def test_whoever_waits_is_answered_when_the_server_ends(server, gather):
    workflow_id, _, node = gate(server)
    waiting = gather([tick(workflow_id, node)] * 50)
    listeners = gather([request("GET", f"/workflows/{workflow_id}/events/stream")] * 50)
    listeners.until(lambda data: HEAD_END in data, "no head of a stream")
    until(lambda: gauge(server, "torc_waiting_requests") == 50, "not all wait")
    assert server.stop() == 0
    assert {body_of(data)[0] for data in waiting.until(is_whole, "no answer")} == {200}


def test_a_listener_that_does_not_read_loses_events_and_is_told(server, gather):
    workflow_id = seeding.workflow(server)
    crowd = gather([request("GET", f"/workflows/{workflow_id}/events/stream")])
    crowd.until(lambda data: HEAD_END in data, "no head")
    # Whatever the system buffers: more events than fit, while nobody reads.
    ids = seeding.jobs(server, workflow_id, *(f"job_{n:05}_{'x' * 500}" for n in range(20_000)))
    server.post(f"/workflows/{workflow_id}/initialize_jobs")
    node = seeding.node(server, workflow_id)
    for start in range(0, len(ids), 5000):
        entries = [
            {"job_id": job, "status": "completed", "run_id": 0, "result": seeding.result(workflow_id, job, node)}
            for job in ids[start : start + 5000]
        ]
        assert server.post(f"/workflows/{workflow_id}/batch_complete_jobs", {"completions": entries})["errors"] == []
    [data] = crowd.until(lambda data: b"event: warning\n" in data, "no word of lost events")
    frame = next(frame for frame in data.split(HEAD_END[:2] * 2)[-1].split(b"\n\n") if b"event: warning\n" in frame)
    assert json.loads(frame.split(b"data: ")[1])["dropped"] > 0
    assert server.post(f"/workflows/{workflow_id}/reset_job_status")["updated_count"] == 20_000
    crowd.until(lambda data: b"workflow_reset" in data or b"jobs_reset" in data, "nothing after it")


def test_connections_that_come_and_go_disturb_nobody(server):
    failed = []

    def work(number):
        for turn in range(200):
            crowd = Crowd(server.port, [request("GET", "/ping", head=("Connection: close",) if turn % 2 else ())])
            try:
                assert body_of(crowd.until(is_whole, "no answer")[0])[0] == 200
            except Exception as exc:
                failed.append(exc)
            crowd.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    until(lambda: gauge(server, "torc_connections") == 1, "connections are kept")
    assert "Traceback" not in server.text()
    assert server.stop() == 0
