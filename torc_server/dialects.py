"""What differs between callers, at the edge and nowhere else: the core knows one shape."""

from __future__ import annotations

from typing import Any, get_origin

from torc_core.errors import TorcError
from torc_core.operations import Operation
from torc_core.records.record import Page
from torc_server.callers import Dialect, Form
from torc_server.params import Texts

UNKNOWN = Dialect("", Form.AS_WRITTEN)


def incoming(op: Operation, query: Texts, body: Any, dialect: Dialect) -> tuple[Texts, Any]:
    """Return query and body of a request in our own shape."""
    return query, body


def outgoing(op: Operation, answer: Any, dialect: Dialect) -> tuple[int, Any]:
    """Return status and JSON data of an answer as the caller expects it."""
    if dialect.is_ours:
        return 200, answer
    if op.bend is not None:
        if op.bend.reply is not None:
            return 200, op.bend.reply(answer)
        if isinstance(answer, Page) and get_origin(op.bend.answer) is list:
            return 200, answer.items
    return 200, answer


def error(exc: TorcError, dialect: Dialect) -> dict[str, Any]:
    """Return the JSON of an error."""
    body = exc.wire()
    if exc.code == 422 and not dialect.is_ours:
        body["error"].pop("error", None)
    return body
