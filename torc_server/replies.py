"""Answers as bytes: what every one of them carries, and those that are made without the application."""

from __future__ import annotations

import itertools
import mmap
import os
import time
from email.utils import formatdate
from functools import cache, lru_cache
from http import HTTPStatus
from typing import NamedTuple

from torc_server.codec import encode

JSON = "application/json"
COMMON = (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"))
"""Headers of every answer, beside the span id."""
SPAN = "X-Span-ID"
_MAX_SPAN = 128
_prefix = os.urandom(10).hex()
_spans = itertools.count(1)


def span_id(given: str | None) -> str:
    """Return the id under which a request is found in logs: its own, or a new one in the form of a UUID."""
    if given and len(given) <= _MAX_SPAN and given.isascii() and given.isprintable() and " " not in given:
        return given
    number = f"{next(_spans):012x}"
    return f"{_prefix[:8]}-{_prefix[8:12]}-{_prefix[12:16]}-{_prefix[16:20]}-{number[-12:]}"


def reason(status: int) -> str:
    """Return the words of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def error_body(message: str, name: str = "") -> bytes:
    """Return the JSON of an error."""
    body = {"message": message}
    return encode({"error": body | {"error": name} if name else body})


class Answer(NamedTuple):
    """An answer before it is written."""

    status: int
    body: bytes | mmap.mmap  # of a file that is too large to be read for it
    fields: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON


def whole(answer: Answer, span: str, ends: bool) -> bytes:
    """Return an answer with its head."""
    return head_of(answer, span, ends) + bytes(answer.body)


def head_of(answer: Answer, span: str, ends: bool, *, is_old: bool = False) -> bytes:
    """Return the head of an answer; ``is_old`` says that the request was HTTP/1.0."""
    lines = [f"{_first_line(answer.status)}\r\nContent-Type: {answer.content_type}\r\n{_common(int(time.time()))}"]
    lines += [f"{name}: {value}" for name, value in answer.fields]
    if ends:
        lines.append("Connection: close")
    elif is_old:
        lines.append("Connection: keep-alive")
    lines.append(f"{SPAN}: {span}\r\nContent-Length: {len(answer.body)}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1")


@lru_cache(maxsize=2)
def _common(second: int) -> str:
    """Return the fields of every answer in one second."""
    fields = (*COMMON, ("Date", formatdate(second, usegmt=True)))
    return "\r\n".join(f"{name}: {value}" for name, value in fields)


@cache
def _first_line(status: int) -> str:
    return f"HTTP/1.1 {status} {reason(status)}"


def stream_head(span: str) -> bytes:
    """Return the head of a stream of events, which ends with the connection, and a first comment.

    Programs that hold a head back until something follows (curl does) show with it that somebody listens.
    """
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        "Cache-Control: no-cache",
        "X-Accel-Buffering: no",
        *(f"{name}: {value}" for name, value in COMMON),
        f"{SPAN}: {span}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ": listening\n\n"]).encode("latin-1")
