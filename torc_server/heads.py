"""The head of a request: read strictly, since what two readers understand differently is a way past one of them."""

from __future__ import annotations

import re
from typing import NamedTuple

from torc_server.reading import Refusal

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9]{1,3})\.([0-9]{1,3})")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_ONLY_ONCE = frozenset({"HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_X_TORC_CLIENT_USER", "CONTENT_TYPE"})
"""Fields of which two would be two answers to one question."""
_OWN_NAMES = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE"}


class Head(NamedTuple):
    """The head of a request, with its fields as WSGI names them."""

    method: str
    target: str
    fields: dict[str, str]
    ends: bool
    """Whether the connection ends after the answer."""
    is_old: bool
    """Whether it is HTTP/1.0, whose connections end unless both sides say otherwise."""


def read_head(data: bytes) -> Head | Refusal:
    """Return what a head says, with the empty line at its end, or why it is refused."""
    lines = data.split(b"\r\n")
    found = _LINE.fullmatch(lines[0])
    if found is None or data.count(b"\n") != len(lines) - 1:
        return Refusal(400, "the request cannot be read; its lines have to be those of HTTP/1.1, and end as they do")
    method, target, major, minor = found.groups()
    if int(major) != 1 or int(minor) > 1:
        return Refusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if method != method.upper():
        return Refusal(400, "methods are written in capital letters")
    if not target.startswith(b"/") or b"#" in target:
        return Refusal(400, "the path of a request has to begin with a slash, and no host or fragment belongs to it")
    fields: dict[str, str] = {}
    for line in lines[1:-2]:
        trouble = _read_field(line, fields)
        if trouble:
            return Refusal(400, trouble)
    is_old = minor == b"0"
    said = {word.strip() for word in fields.get("HTTP_CONNECTION", "").lower().split(",")}
    ends = "close" in said or (is_old and "keep-alive" not in said)
    return Head(method.decode(), target.decode("latin-1"), fields, ends, is_old)


def _read_field(line: bytes, fields: dict[str, str]) -> str:
    """Add a field; returns why it cannot be."""
    found = _FIELD.fullmatch(line)
    if found is None:
        return f"a field of the head cannot be read: {line[:60].decode('latin-1')!r}"
    name, value = found[1].decode("latin-1"), found[2].decode("latin-1")
    if "_" in name:  # to programs it would look like the one with a dash
        return ""
    key = "HTTP_" + name.upper().replace("-", "_")
    key = _OWN_NAMES.get(key, key)
    before = fields.get(key)
    if before is not None and key in _ONLY_ONCE:
        return f"the head has {name} twice"
    fields[key] = value if before is None else f"{before}, {value}"
    return ""
