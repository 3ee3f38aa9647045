"""Answers as bytes: what every one of them carries, and those that are made without the application."""

from __future__ import annotations

import itertools
import os
from http import HTTPStatus

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


def whole(status: int, body: bytes, *, close: bool, span: str = "", content_type: str = JSON) -> bytes:
    """Return a whole answer with its head."""
    lines = [
        f"HTTP/1.1 {status} {reason(status)}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in COMMON),
        f"{SPAN}: {span or span_id(None)}",
    ]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def stream_head(span: str) -> bytes:
    """Return the head of a stream of events; it ends with the connection."""
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        "Cache-Control: no-cache",
        "X-Accel-Buffering: no",
        *(f"{name}: {value}" for name, value in COMMON),
        f"{SPAN}: {span}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
