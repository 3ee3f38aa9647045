"""Answers and errors over a connection, and how connections come and go."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.unit.service.connections.conftest import TOKEN, proved
from tests.unit.service.small_service import SmallService
from torc_core.contracts.storage import StorageError
from torc_core.errors import BY_NAME, Invalid, NotFound, TorcError, Unavailable
from torc_core.records import answers as a
from torc_core.records.resources import Job, Workflow
from torc_core.service.connection import answer_of
from torc_core.service.listener import Listener
from torc_core.service.remote import RemoteService
from torc_core.testing.executors import wait_for

# answers and errors


def test_arguments_are_checked_and_every_problem_is_told(listener):
    frames = proved(listener)
    frames.send({"op": "wait_for_change", "args": {"version": "x", "wait_seconds": []}})
    with pytest.raises(Invalid, match=r"(?s)(?=.*'id' is required)(?=.*version)(?=.*wait_seconds)"):
        answer_of(frames.receive())
    frames.close()


@pytest.mark.parametrize("kind", sorted(BY_NAME))
def test_an_error_arrives_as_what_it_was(listener, remote, service, kind):
    def fail():
        raise BY_NAME[kind]("it went wrong", hint="do this", job_id=7)

    service.ping = fail
    with pytest.raises(BY_NAME[kind]) as caught:
        remote.ping()
    assert type(caught.value) is BY_NAME[kind]
    assert (str(caught.value), caught.value.hint, caught.value.details) == ("it went wrong", "do this", {"job_id": 7})


def test_an_error_that_only_the_owner_knows_arrives_as_its_nearest_kin(remote, service):
    class Special(NotFound):
        pass

    def fail(kind):
        raise kind("it went wrong")

    service.ping = lambda: fail(Special)
    with pytest.raises(NotFound, match="it went wrong"):
        remote.ping()
    service.ping = lambda: fail(StorageError)
    with pytest.raises(TorcError, match="it went wrong"):
        remote.ping()


@pytest.mark.parametrize("defect", ["raises", "answers nonsense"])
def test_a_defect_in_an_operation_is_an_error_for_its_caller_only(remote, service, caplog, defect):
    service.ping = (lambda: {}["x"]) if defect == "raises" else object
    with pytest.raises(TorcError, match="ping failed in the owner"):
        remote.ping()
    assert "ping failed" in caplog.text
    assert remote.wait_for_change(1).version == 1


def test_a_hundred_thousand_jobs_come_as_they_are(remote, service):
    jobs = {
        i: Job(id=i, workflow_id=1, name=f"job_{i}", command=f"run {i}", env={"N": str(i)}, depends_on_job_ids=[i - 1])
        for i in range(1, 100_001)
    }
    service.records[Job] = jobs
    page = remote.find(Job, 1)
    assert page.total_count == len(page.items) == 100_000
    assert not page.has_more
    assert page.items[0] == jobs[1]
    assert page.items[-1] == jobs[100_000]


def test_a_long_wait_keeps_nobody_from_being_answered(remote, service):
    changes: list[a.Change] = []
    waiting = threading.Thread(target=lambda: changes.append(remote.wait_for_change(1, 1, 60.0)))
    waiting.start()
    deadline = time.monotonic() + 20
    while not service.moved._waiters and time.monotonic() < deadline:
        os.sched_yield()
    for _ in range(10):
        assert remote.ping().status == "small"
    assert not changes
    remote.cancel_workflow(1)
    waiting.join(20)
    assert [c.version for c in changes] == [2]


# coming and going


def test_a_socket_that_a_dead_owner_left_is_replaced(service, database):
    path = database.with_name("t.db.sock")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    assert path.exists()
    listener = Listener(lambda _: service, TOKEN, database, "id2")
    remote = RemoteService(listener.addresses[0], TOKEN)
    assert remote.ping().status == "small"
    remote.close()
    listener.close()
    assert not path.exists()


def test_a_socket_that_another_owner_made_since_is_left_alone(service, database):
    first = Listener(lambda _: service, TOKEN, database, "id1")
    second = Listener(lambda _: service, TOKEN, database, "id2")
    first.close()
    remote = RemoteService(second.addresses[0], TOKEN)
    assert remote.ping().status == "small"
    remote.close()
    second.close()


def test_closing_lets_a_change_end_and_its_answer_arrive(listener, remote, service):
    started, go_on = threading.Event(), threading.Event()

    def slow(id):
        started.set()
        assert go_on.wait(20)
        return Workflow(id=1, name="w", user="me")

    service.cancel_workflow = slow
    answers = []
    asking = threading.Thread(target=lambda: answers.append(remote.cancel_workflow(1)))
    asking.start()
    assert started.wait(20)
    closing = threading.Thread(target=listener.close)
    closing.start()
    deadline = time.monotonic() + 20
    while Path(listener.addresses[0].removeprefix("unix:")).exists() and time.monotonic() < deadline:
        os.sched_yield()
    go_on.set()
    asking.join(20)
    closing.join(20)
    assert [w.name for w in answers] == ["w"]


def test_a_request_that_comes_while_the_owner_ends_is_known_to_be_not_carried_out(listener, service):
    started, go_on, calls = threading.Event(), threading.Event(), []

    def slow(id):
        calls.append(id)
        started.set()
        assert go_on.wait(20)
        return Workflow(id=1, name="w", user="me")

    service.cancel_workflow = slow
    frames = proved(listener)
    for id in (1, 2):
        frames.send({"op": "cancel_workflow", "args": {"id": id}})
    assert started.wait(20)
    closing = threading.Thread(target=listener.close)
    closing.start()
    wait_for(lambda: listener._closed.is_set(), "the end of the listener")
    go_on.set()
    assert answer_of(frames.receive())["name"] == "w"
    with pytest.raises(Unavailable) as caught:
        answer_of(frames.receive())
    closing.join(20)
    assert (caught.value.details["outcome"], calls) == ("not sent", [1])
    frames.close()


def test_whoever_asks_nothing_is_told_of_the_end(listener):
    frames = proved(listener)
    frames.send({"op": "ping"})
    frames.receive()
    listener.close()
    with pytest.raises(Unavailable) as caught:
        answer_of(frames.receive())
    assert caught.value.details["outcome"] == "not sent"
    frames.close()


def test_closing_does_not_wait_for_those_who_wait(listener, remote):
    failures = []

    def wait():
        try:
            remote.wait_for_change(1, 1, 60.0)
        except Unavailable as exc:
            failures.append(exc.details["outcome"])

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 20
    while not listener._connections and time.monotonic() < deadline:
        os.sched_yield()
    listener.close()
    waiting.join(20)
    assert not waiting.is_alive()
    assert len(failures) == 1


def test_the_service_is_that_of_the_user_who_asks(database):
    listener = Listener(SmallService, TOKEN, database, "id1")
    for user in ("anna", "björn"):
        remote = RemoteService(listener.addresses[0], TOKEN, user=user)
        assert remote.ping().status == user
        remote.close()
    listener.close()


def test_the_system_refusing_a_thread_does_not_end_the_listener(listener, remote, monkeypatch):
    real, left = threading.Thread.start, [1]

    def start(thread):
        if thread.name == "neighbour" and left:
            left.pop()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(Unavailable):
        remote.ping()
    assert remote.ping().status == "small"


def test_frames_are_json_that_any_tool_can_read(listener):
    frames = proved(listener)
    frames.send_body(b' {"op": "ping", "args": {}} ')
    size = int.from_bytes(frames.socket.recv(4), "big")
    assert json.loads(frames.socket.recv(size)) == {"answer": {"status": "small"}}
    frames.close()
