"""Frames, proofs, and whatever strangers send."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.service.connections.conftest import TOKEN, proved, raw
from torc_core.errors import Forbidden, Invalid, Malformed, Unavailable
from torc_core.service import connection
from torc_core.service.connection import Closed, Frames, answer_of, greet, introduce
from torc_core.service.remote import RemoteService


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
