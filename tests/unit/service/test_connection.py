"""The owner's listener: frames, proofs, errors, and that nothing a peer sends ends it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.service.small_service import SmallService
from torc_core.contracts.storage import StorageError
from torc_core.errors import BY_NAME, Forbidden, Invalid, Malformed, NotFound, TorcError, Unavailable
from torc_core.records import answers as a
from torc_core.records.resources import Job, Workflow
from torc_core.service import connection
from torc_core.service.connection import Closed, Frames, answer_of, greet, introduce
from torc_core.service.listener import Listener
from torc_core.service.remote import RemoteService

TOKEN = "s3cret"


@pytest.fixture
def service():
    return SmallService()


@pytest.fixture
def database(tmp_path, monkeypatch):
    # Short, so that the socket is beside it wherever the tests run.
    monkeypatch.setattr("torc_core.service.folders.MAX_SOCKET_PATH", 107)
    monkeypatch.setattr("torc_core.service.folders.is_network_folder", lambda _: False)
    return tmp_path / "t.db"


@pytest.fixture
def listener(service, database):
    listener = Listener(lambda _: service, TOKEN, database, "0123456789abcdef", ("127.0.0.1", 0))
    yield listener
    listener.close(0)


@pytest.fixture
def remote(listener):
    remote = RemoteService(listener.addresses[0], TOKEN)
    yield remote
    remote.close()


def raw(listener: Listener, which: int = 0) -> Frames:
    """A connected socket that has said nothing yet."""
    kind, _, place = listener.addresses[which].partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(place)
    else:
        sock = socket.create_connection((place.rpartition(":")[0], int(place.rpartition(":")[2])))
    sock.settimeout(20)
    return Frames(sock)


def proved(listener: Listener) -> Frames:
    frames = raw(listener)
    introduce(frames, TOKEN, "me")
    return frames


def pair() -> tuple[Frames, Frames]:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)
    return Frames(ours), Frames(theirs)


# frames


def test_a_frame_is_its_length_and_json():
    ours, theirs = pair()
    ours.send({"op": "ping", "ü": [1, None]})
    body = '{"op":"ping","ü":[1,null]}'.encode()
    assert theirs.socket.recv(1000) == len(body).to_bytes(4, "big") + body
    ours.close()
    theirs.close()


def test_frames_that_come_in_pieces_or_together_are_read_one_by_one():
    ours, theirs = pair()
    for byte in b"\x00\x00\x00\x07" + b'{"a":1}' + b"\x00\x00\x00\x07" + b'{"a":2}':
        ours.socket.sendall(bytes([byte]))
    assert [theirs.receive(), theirs.receive()] == [{"a": 1}, {"a": 2}]
    ours.close()
    with pytest.raises(Closed):
        theirs.receive()
    theirs.close()


def test_a_message_that_no_frame_can_hold_is_refused_before_anything_is_sent(monkeypatch):
    monkeypatch.setattr(connection, "MAX_FRAME", 100)
    ours, theirs = pair()
    with pytest.raises(Invalid, match="103 bytes"):
        ours.send({"a": "x" * 95})
    ours.send({"a": "x" * 92})
    assert theirs.receive() == {"a": "x" * 92}
    ours.close()
    theirs.close()


# proofs


@pytest.mark.parametrize("which", [0, 1], ids=["unix", "tcp"])
def test_who_knows_the_token_is_answered_and_who_does_not_is_forbidden(listener, which):
    good, bad = RemoteService(listener.addresses[which], TOKEN), RemoteService(listener.addresses[which], "s3creT")
    assert good.ping().status == "small"
    with pytest.raises(Forbidden, match="token"):
        bad.ping()
    good.close()
    bad.close()


def test_a_request_without_a_proof_is_not_carried_out(listener, service):
    frames = raw(listener)
    frames.receive()
    frames.send({"op": "cancel_workflow", "args": {"id": 1}})
    with pytest.raises(Forbidden):
        answer_of(frames.receive())
    frames.close()
    assert service.count == 0


def test_a_stranger_at_the_owners_address_is_not_believed():
    ours, theirs = pair()

    def guess():
        with contextlib.suppress(Forbidden):
            greet(theirs, "a guess")
        theirs.close()

    stranger = threading.Thread(target=guess)
    stranger.start()
    with pytest.raises(Closed):
        introduce(ours, TOKEN, "me")
    stranger.join()
    ours.close()


def test_a_stranger_who_repeats_our_own_proof_is_not_believed():
    ours, theirs = pair()

    def echo():
        theirs.send({"torc": connection.PROTOCOL, "nonce": "n"})
        theirs.send({"proof": theirs.receive()["proof"]})

    stranger = threading.Thread(target=echo)
    stranger.start()
    with pytest.raises(Unavailable, match="somebody else"):
        introduce(ours, TOKEN, "me")
    stranger.join()
    ours.close()
    theirs.close()


def test_the_token_is_never_sent():
    ours, theirs = pair()
    sent = []
    real = Frames.send_body

    def spy(frames, body):
        sent.append(body)
        real(frames, body)

    ours.send_body, theirs.send_body = spy.__get__(ours), spy.__get__(theirs)
    owner = threading.Thread(target=greet, args=(theirs, TOKEN))
    owner.start()
    introduce(ours, TOKEN, "me")
    owner.join()
    assert len(sent) == 3
    assert not any(TOKEN.encode() in body for body in sent)
    ours.close()
    theirs.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
def test_another_user_of_this_machine_is_refused_even_with_the_token(listener, tmp_path):
    path = Path(listener.addresses[0].removeprefix("unix:"))
    path.chmod(0o777)
    tmp_path.chmod(0o711)
    program = (
        "import os, socket, sys\n"
        "os.fchdir(int(sys.argv[1])); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[2]); print(s.recv(1000))\n"
    )
    folder = os.open(path.parent, os.O_RDONLY)
    command = [sys.executable, "-c", program, str(folder), path.name]
    done = subprocess.run(command, capture_output=True, text=True, pass_fds=[folder], timeout=60, check=False)
    os.close(folder)
    if "PermissionError" in done.stderr:
        pytest.skip("the folder of the tests cannot be entered by others")
    assert '"Forbidden"' in done.stdout, done.stderr


def test_the_socket_is_for_its_user_only(listener):
    assert Path(listener.addresses[0].removeprefix("unix:")).stat().st_mode & 0o777 == 0o600


# what peers send


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_garbage_ends_at_most_its_own_connection(listener, remote, data, is_proved, is_framed):
    frames = proved(listener) if is_proved else raw(listener)
    try:
        frames.socket.sendall(len(data).to_bytes(4, "big") + data if is_framed else data)
        frames.socket.shutdown(socket.SHUT_WR)
        while frames.socket.recv(65_536):
            pass
    except OSError:
        pass  # it may close before everything was sent
    finally:
        frames.close()
    assert remote.ping().status == "small"


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "no_such"}, {"op": 5}, {"op": None}, {}, {"op": "ping", "args": []}, {"op": ["ping"]}, {"op": {}},
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_answered_as_malformed(listener, request_):
    frames = proved(listener)
    frames.send(request_)
    with pytest.raises(Malformed):
        answer_of(frames.receive())
    frames.send({"op": "ping"})
    assert frames.receive() == {"answer": {"status": "small"}}
    frames.close()


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000], ids=range(6))
def test_a_frame_that_holds_no_object_is_answered_and_the_connection_goes_on(listener, body):
    frames = proved(listener)
    frames.send_body(body)
    with pytest.raises(Malformed):
        answer_of(frames.receive())
    frames.send({"op": "ping"})
    assert frames.receive() == {"answer": {"status": "small"}}
    frames.close()


def test_a_frame_that_claims_too_much_closes_the_connection(listener, remote, monkeypatch):
    monkeypatch.setattr("torc_core.service.listener._GREETING_S", 3600.0)
    for frames, size in ((proved(listener), connection.MAX_FRAME + 1), (raw(listener), 4097)):
        frames.socket.sendall(size.to_bytes(4, "big"))
        received = b""
        while more := frames.socket.recv(65_536):
            received += more
        assert b'"proof"' not in received
        frames.close()
    assert remote.ping().status == "small"


def test_a_peer_that_says_nothing_is_closed_after_a_while(listener, monkeypatch):
    monkeypatch.setattr("torc_core.service.listener._GREETING_S", 0.05)
    frames = raw(listener)
    frames.receive()
    assert frames.socket.recv(1) == b""
    frames.close()


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
