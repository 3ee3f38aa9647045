"""Whatever a stranger or a neighbour sends: the owner goes on, and each side sees nothing but the declared errors."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.anything import JSON, WORDS, many
from torc_core.errors import TorcError
from torc_core.service.connection import Closed, Frames, answer_of, carry_out, greet, introduce

TOKEN = "s3cret"
SHORT = st.binary(max_size=40)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)
GREETINGS = st.fixed_dictionaries(
    {}, optional={"torc": st.just(1) | JSON, "nonce": JSON, "proof": JSON, "user": JSON, "error": OBJECTS | JSON}
)
ERRORS = st.fixed_dictionaries(
    {}, optional={"error": JSON, "message": JSON, "hint": JSON, "details": JSON, "self": JSON}
)


@pytest.fixture
def pair():
    def make() -> tuple[Frames, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        theirs.settimeout(20)
        made.extend([ours, theirs])
        return Frames(ours), theirs

    made: list[socket.socket] = []
    yield make
    for sock in made:
        sock.close()


def framed(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


def as_json(data: object) -> bytes:
    return json.dumps(data).encode()


@many
@given(st.lists(SHORT | JSON.map(as_json), max_size=3).map(lambda bodies: framed(*bodies)) | SHORT)
def test_bytes_are_frames_or_refused(pair, data):
    frames, theirs = pair()
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(5):
        try:
            assert type(frames.receive(1000)) is dict
        except TorcError as exc:
            assert str(exc)
        except Closed:
            break
    else:
        pytest.fail("there is no end")


HALF = "\ud800"  # JSON can say it, UTF-8 cannot


@many
@given(GREETINGS | JSON)
@example({"proof": HALF, "nonce": "x"})
@example({"proof": "x", "nonce": HALF})
def test_an_owner_that_is_greeted_with_anything_refuses_a_stranger(pair, greeting):
    frames, theirs = pair()
    theirs.sendall(framed(as_json(greeting)))
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises((TorcError, Closed)):
        greet(frames, TOKEN)


@many
@given(GREETINGS | JSON, GREETINGS | JSON)
@example({"torc": 1, "nonce": HALF}, {})
@example({"torc": 1, "nonce": "x"}, {"proof": HALF})
@example({"error": None}, {})
def test_a_neighbour_that_is_greeted_with_anything_believes_no_stranger(pair, greeting, answer):
    frames, theirs = pair()
    theirs.sendall(framed(as_json(greeting), as_json(answer)))
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises((TorcError, Closed)):
        introduce(frames, TOKEN, "me")


@many
@given(ERRORS | JSON)
@example({"error": ["NotFound"]})
@example({"error": "NotFound", "self": 1})
@example({"error": "NotFound", "message": 1, "hint": []})
def test_an_error_of_any_shape_is_an_error(error):
    with pytest.raises(TorcError):
        answer_of({"error": error})


@many
@given(st.fixed_dictionaries({}, optional={"op": WORDS | JSON, "args": JSON}) | OBJECTS)
def test_every_request_has_an_answer(request_data):
    class Nothing:
        """A service that is never reached, because no operation has such a name or such arguments."""

    body = json.loads(carry_out(Nothing(), request_data))  # type: ignore[arg-type]
    with pytest.raises(TorcError):
        answer_of(body)


def test_a_frame_that_is_announced_and_never_comes_takes_no_memory(pair):
    """4 GiB are announced; they must be refused before room is made for them."""
    frames, theirs = pair()
    theirs.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(Closed, match="4294967295 bytes"):
        frames.receive()


def test_the_threads_of_both_sides_end_when_a_proof_is_broken_off(pair):
    frames, theirs = pair()
    ended = threading.Event()

    def owner() -> None:
        with pytest.raises((TorcError, Closed)):
            greet(frames, TOKEN)
        ended.set()

    thread = threading.Thread(target=owner)
    thread.start()
    theirs.recv(1000)
    theirs.close()
    thread.join(20)
    assert ended.is_set()
