"""Operations over a byte stream: frames, the mutual proof of identity, requests and answers.

A frame is its length (4 bytes, big-endian) and that many bytes of JSON. The owner greets with ``{"torc": 1, "nonce"}``,
the neighbour says ``{"user", "nonce", "proof"}`` and the owner ``{"proof"}``; each proof shows knowledge of the token
without showing the token, so that a stranger who listens at a dead owner's address learns nothing and is not believed.
Then requests ``{"op": name, "args": {...}}`` are answered one by one with ``{"answer": ...}`` or ``{"error": {...}}``,
the shape of ``TorcError.wire``. An owner that ends says so with such an error, unasked or in place of an answer: a
request that has no answer before it was not begun.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any

from torc_core.errors import BY_NAME, Forbidden, Invalid, Malformed, TorcError, Unavailable
from torc_core.operations import Operation
from torc_core.records.record import ENCODER
from torc_core.service.api import OPERATIONS, Service

PROTOCOL = 1
MAX_FRAME = 256 * 1024 * 1024
STREAM_BEAT_S = 15.0
"""Seconds of silence after which a stream of events shows that it is still there."""
_MAX_GREETING = 4096


class Closed(Exception):
    """The other side is gone."""


class Frames:
    """Frames over one connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, data: Any) -> None:
        """Send one frame; raises OSError when it cannot all be sent, Invalid when it is too large."""
        self.send_body(encoded(data))

    def send_body(self, body: bytes) -> None:
        """Send one frame that is encoded already."""
        size = len(body).to_bytes(4, "big")
        if len(body) < 65_536:
            self.socket.sendall(size + body)
        else:
            self.socket.sendall(size)
            self.socket.sendall(body)

    def receive(self, limit: int = MAX_FRAME) -> dict[str, Any]:
        """Return the next object; raises Closed at the end, Malformed for anything else (then the frame is used up)."""
        size = int.from_bytes(self._read(4), "big")
        if size > limit:
            raise Closed(f"a frame of {size} bytes is not taken, at most {limit} are")
        body = self._read(size)
        try:
            data = json.loads(body.decode())
        except (ValueError, RecursionError) as exc:
            raise Malformed(f"the message is not JSON: {exc}") from exc
        if type(data) is not dict:
            raise Malformed("the message is not a JSON object")
        return data

    def _read(self, size: int) -> bytearray:
        body = bytearray(size)
        view, done = memoryview(body), 0
        while done < size:
            count = self.socket.recv_into(view[done:])
            if not count:
                raise Closed("the connection was closed")
            done += count
        return body

    def close(self) -> None:
        """Close the socket, waking a thread that waits on it."""
        with contextlib.suppress(OSError):  # not connected any more
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def encoded(data: Any) -> bytes:
    """Return the body of a frame; raises Invalid when it is too large."""
    body = ENCODER.encode(data).encode()
    if len(body) > MAX_FRAME:
        raise Invalid(
            f"a message of {len(body)} bytes does not fit a connection, which takes {MAX_FRAME}",
            hint="Ask for less at once, with limit and offset, or create jobs in several parts",
        )
    return body


def greet(frames: Frames, token: str) -> str:
    """Do the owner's side of the proof and return the user's name; raises Forbidden."""
    nonce = os.urandom(16).hex()
    frames.send({"torc": PROTOCOL, "nonce": nonce})
    said = frames.receive(_MAX_GREETING)
    theirs = str(said.get("nonce"))
    if not _same(said.get("proof"), _proof(token, "neighbour", nonce, theirs)):
        raise Forbidden(
            "the connection does not know the token of this database",
            hint="The token is in the .owner file beside the database, which only its user can read",
        )
    frames.send({"proof": _proof(token, "owner", nonce, theirs)})
    return str(said.get("user", ""))


def introduce(frames: Frames, token: str, user: str) -> None:
    """Do the neighbour's side of the proof; raises Unavailable when the other side is not the owner, Forbidden."""
    greeting = frames.receive(_MAX_GREETING)
    _raise_error(greeting)
    if greeting.get("torc") != PROTOCOL:
        raise Unavailable(
            "the owner of the database speaks in another way", hint="Use the same release of torc everywhere"
        )
    nonce, theirs = os.urandom(16).hex(), str(greeting.get("nonce"))
    frames.send({"user": user, "nonce": nonce, "proof": _proof(token, "neighbour", theirs, nonce)})
    answer = frames.receive(_MAX_GREETING)
    _raise_error(answer)
    if not _same(answer.get("proof"), _proof(token, "owner", theirs, nonce)):
        raise Unavailable("somebody else answers at the address of the owner of the database")


def _proof(token: str, role: str, nonce: str, answer: str) -> str:
    import hmac

    return hmac.digest(token.encode(), f"{role} {nonce} {answer}".encode(errors="replace"), "sha256").hex()


def _same(given: object, expected: str) -> bool:
    import hmac

    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def carry_out(service: Service, request: dict[str, Any]) -> bytes:
    """Return the encoded answer to one request; it always has one."""
    try:
        name, arguments = request.get("op"), request.get("args", {})
        op = OPERATIONS.get(name) if isinstance(name, str) else None
        if op is None:
            raise Malformed(f"there is no operation {name!r}", hint="Use the same release of torc everywhere")
        if type(arguments) is not dict:
            raise Malformed(f"{name}: the arguments are not a JSON object")
        return encoded({"answer": op.call(service, op.read_arguments(arguments))})
    except TorcError as exc:
        return encoded(wire_error(exc))
    except Exception as exc:  # a defect in one operation must not end the owner of the database
        import logging

        logging.getLogger(__name__).exception("%s failed", request.get("op"))
        return encoded(wire_error(TorcError(f"{request.get('op')} failed in the owner of the database: {exc!r}")))


def send_events(frames: Frames, service: Service, op: Operation, request: dict[str, Any]) -> None:
    """Answer a request for a stream: ``{"answer": null}``, then ``{"events": [...]}`` until the neighbour goes.

    An empty list now and then shows whether it still listens.
    """
    arguments = request.get("args", {})
    stream = op.call(service, op.read_arguments(arguments if type(arguments) is dict else {}))
    try:
        frames.send({"answer": None})
        is_over = False
        while not is_over:
            is_over = stream.is_closed  # asked first: the last event comes before the end
            frames.send({"events": stream.take(STREAM_BEAT_S)})
    finally:
        stream.close()


def wire_error(exc: TorcError) -> dict[str, Any]:
    """Return the answer for an error, under the nearest name that the other side knows."""
    answer = exc.wire()
    answer["error"]["error"] = next(kind.__name__ for kind in type(exc).__mro__ if kind.__name__ in BY_NAME)
    return answer


def answer_of(data: dict[str, Any]) -> Any:
    """Return what was answered; raises the error that it is instead."""
    _raise_error(data)
    return data.get("answer")


def _raise_error(data: dict[str, Any]) -> None:
    if "error" in data:
        found = data["error"] if isinstance(data["error"], dict) else {"message": f"unknown error: {data['error']!r}"}
        details = {name: value for name, value in found.items() if name != "self"}
        name, message, hint = details.pop("error", ""), details.pop("message", "unknown error"), details.pop("hint", "")
        kind = BY_NAME.get(name, TorcError) if isinstance(name, str) else TorcError
        raise kind(str(message), hint=str(hint), **details)
