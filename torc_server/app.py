"""The API as a Bottle application: one route for each operation; nothing here knows a single one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

import bottle

from torc_core.errors import Malformed, NotFound, TorcError, Unauthorized
from torc_core.operations import Operation
from torc_core.records.resources import Job, Workflow
from torc_core.service.api import OPERATIONS
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller, with_ids
from torc_server import dialects, replies, seeds
from torc_server.callers import UNKNOWN, Dialect, Identify, dialect_of, trusting
from torc_server.codec import decode, encode
from torc_server.params import Arguments, read_path_value, read_query
from torc_server.polls import MAX_SECONDS, WAITS, Waits
from torc_server.replies import Answer
from torc_server.request_log import USER, RequestLog
from torc_server.streams import Stream
from torc_server.throttle import TooManyLogins
from torc_server.waiting import Poll

PREFIX = "/torc-service/v1"
ASYNCHRONOUS = {
    name: other for name, other in {"initialize_jobs": "start_initialize_jobs"}.items() if other in OPERATIONS
}
"""Operations that can be asked for as a task, with the one that does so; both have one path."""
_LOGIN = (("WWW-Authenticate", 'Basic realm="Torc"'),)


class UnsupportedBody(TorcError):
    """The body is not said to be JSON."""

    code = 415


class Request(NamedTuple):
    """One request for an operation, as far as it was understood."""

    op: Operation
    environ: dict[str, Any]
    dialect: Dialect
    service: LocalService
    arguments: dict[str, Any]
    span: str
    began: float
    variables: dict[str, str]


Handler = Callable[..., "bottle.HTTPResponse | bytes"]
Observe = Callable[[str, int, float], None]
"""Hears of each answer: operation, status, seconds."""


def build_app(
    service: LocalService, identify: Identify = trusting, observe: Observe = lambda name, status, seconds: None
) -> bottle.Bottle:
    """Return the whole API over ``service``."""
    app = bottle.Bottle()
    app.default_error_handler = partial(_error_page, identify)
    for op in OPERATIONS.values():
        path = PREFIX + op.path.replace("{", "<").replace("}", ">")
        endpoint: Handler = Endpoint(op, service, identify, observe)
        if op.name in ASYNCHRONOUS:
            endpoint = _either(endpoint, Endpoint(OPERATIONS[ASYNCHRONOUS[op.name]], service, identify, observe))
        app.route(path, op.method, endpoint)
    for method, path, name, read in seeds.ROUTES:
        seed = Endpoint(OPERATIONS[name], service, identify, observe, read)
        app.route(PREFIX + path.replace("{", "<").replace("}", ">"), method, seed)
    return app


def _either(now: Handler, later: Handler) -> Handler:
    """Return what gives a request to one of two endpoints: with ``async=true`` to the one that makes a task of it."""

    def choose(**variables: str) -> bottle.HTTPResponse | bytes:
        asked = parse_qs(bottle.request.environ.get("QUERY_STRING", "")).get("async")
        return (later if asked and asked[-1] == "true" else now)(**variables)

    return choose


class Endpoint:
    """One operation over HTTP."""

    def __init__(
        self,
        op: Operation,
        service: LocalService,
        identify: Identify,
        observe: Observe,
        read: seeds.Read | None = None,
    ) -> None:
        """``read`` makes a request for the operation of one that is written otherwise."""
        self._op, self._service, self._identify, self._observe, self._read = op, service, identify, observe, read
        self._arguments = Arguments(op)
        self._waits, self._log = WAITS.get(op.name), RequestLog(op)

    def __call__(self, **variables: str) -> bottle.HTTPResponse | bytes:
        """Answer the request that Bottle has in hand: on its connection, when it has one of ours."""
        environ = bottle.request.environ
        began, span = time.perf_counter(), replies.span_id(environ.get("HTTP_X_SPAN_ID"))
        dialect = dialect_of(environ.get("HTTP_USER_AGENT", ""), "HTTP_X_TORC_CLIENT_USER" in environ)
        try:
            request = self._understand(environ, variables, dialect, span, began)
            reply = self._carry_out(request)
        except Exception as exc:  # noqa: BLE001  (every request has an answer)
            self._log.failed(exc)
            reply = _failed(exc, dialect)
        if reply is None:
            return b""  # it comes later
        self._note(environ, variables, reply, span, began)
        conn = environ.get("torc.connection")
        if conn is None:
            return written(reply, span)
        conn.answer(reply, span)
        return b""

    def _understand(
        self, environ: dict[str, Any], variables: dict[str, str], dialect: Dialect, span: str, began: float
    ) -> Request:
        caller = self._identify(environ, dialect)
        environ[USER] = caller.user
        service, given_variables = self._service.for_caller(caller), variables
        op, query, body = self._op, read_query(environ.get("QUERY_STRING", "")), None
        read = self._read or (seeds.BY_STRANGERS.get(op.name) if dialect == UNKNOWN else None)
        if read is not None:
            variables = {name: read_path_value(text) for name, text in variables.items()}
            variables, body = read(service, variables, _body_of(environ, is_required=False))
            variables = {name: quote(text) for name, text in variables.items()}
        elif self._arguments.has_body:
            body = _body_of(environ)
        given = dialects.incoming(op, query, body, dialect)
        wrap = op.bend.wrap if op.bend is not None and not dialect.is_ours else ""
        arguments = self._arguments.of(variables, given.query, given.body, wrap)
        dialects.keep_texts(op, arguments, given.texts)
        arguments = dialects.arguments_for(op, arguments, dialect)
        return Request(op, environ, dialect, service, arguments, span, began, given_variables)

    def _carry_out(self, request: Request) -> Answer | None:
        """Return the answer, None when it comes later."""
        op, conn = self._op, request.environ.get("torc.connection")
        if op.is_stream and conn is not None:
            self._open_stream(request, conn)
            return None
        waits = self._waits
        if waits is None or conn is None:
            return self._reply(request, op.call(request.service, request.arguments))
        seconds = min(max(waits.seconds(request.arguments), 0.0), MAX_SECONDS)
        if not seconds:
            return self._reply(request, op.call(request.service, request.arguments))
        return self._try_at_once(request, waits, conn, seconds)

    def _reply(self, request: Request, answer: Any) -> Answer:
        status, shown = dialects.outgoing(self._op, answer, request.dialect, self._names)
        return Answer(status, encode(shown))

    def _names(self, job_ids: list[int]) -> dict[int, str]:
        """Return the names of jobs, for answers that were allowed already."""
        found: dict[int, str] = self._service.owner.read(
            lambda turn: dict(turn.rows(Job, ("id", "name"), with_ids(job_ids))), Caller()
        )
        return found

    def _try_at_once(self, request: Request, waits: Waits, conn: Any, seconds: float) -> Answer | None:
        op, waiting = self._op, conn.server.hub.waiting
        version = waiting.version(request.arguments["id"])
        arguments = waits.at_once(request.arguments)
        answer = op.call(request.service, arguments)
        if not waits.is_nothing(arguments, answer):
            return self._reply(request, answer)
        again = waits.again(arguments)

        def ask(is_last: bool) -> bytes | None:
            try:
                answer = op.call(request.service, again)
                if not is_last and waits.is_nothing(again, answer):
                    return None
                reply = self._reply(request, answer)
            except Exception as exc:  # noqa: BLE001  (every request has an answer)
                self._log.failed(exc)
                reply = _failed(exc, request.dialect)
            self._note(request.environ, request.variables, reply, request.span, request.began)
            return replies.whole(reply, request.span, conn.ends)

        poll = Poll(conn, request.arguments["id"], seconds, ask, for_jobs=waits.for_jobs)
        poll.version, poll.waiting, conn.poll = version, waiting, poll
        return None

    def _open_stream(self, request: Request, conn: Any) -> None:
        level, workflow_id = request.arguments.get("level", "info"), request.arguments["id"]
        request.service.get(Workflow, workflow_id)
        request.service.check(self._op.name, **request.arguments)
        may_hear = request.service.right_to_hear(workflow_id)
        conn.stream = Stream(conn, workflow_id, level, replies.stream_head(request.span), may_hear)

    def _note(self, environ: dict[str, Any], variables: dict[str, str], reply: Answer, span: str, began: float) -> None:
        seconds = time.perf_counter() - began
        self._observe(self._op.name, reply.status, seconds)
        self._log.note(environ, variables, reply.status, reply.body, seconds, span)


def _body_of(environ: dict[str, Any], *, is_required: bool = True) -> Any:
    """Return the JSON of the body; raises Malformed, UnsupportedBody."""
    if not is_required and environ.get("CONTENT_LENGTH", "0") in ("", "0"):
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != replies.JSON:
        said = f"not {kind[:60]}" if kind else "which it does not say"
        raise UnsupportedBody(f"the body has to be {replies.JSON}, {said}", hint="Send Content-Type: application/json")
    size = int(environ.get("CONTENT_LENGTH") or 0)
    text = environ["wsgi.input"].read(size) if size else b""
    if not text:
        raise Malformed("a body is required, and there is none")
    return decode(text)


def _no_such_path() -> NotFound:
    return NotFound(f"there is nothing at this path; the API is under {PREFIX}/")


def _failed(exc: Exception, dialect: Dialect = UNKNOWN) -> Answer:
    """Return the answer for what went wrong."""
    if isinstance(exc, TorcError):
        headers = _LOGIN if isinstance(exc, Unauthorized) else ()
        if isinstance(exc, TooManyLogins):
            headers = (("Retry-After", str(exc.details["retry_after"])),)
        return Answer(exc.code, encode(dialects.error(exc, dialect)), headers)
    if isinstance(exc, RecursionError):
        return Answer(422, replies.error_body("the body is nested too deeply"))
    logging.getLogger("torc.server").error("a request failed", exc_info=exc)
    return Answer(500, replies.error_body("the server failed; its log says why", "InternalServerError"))


def written(answer: Answer, span: str = "") -> bottle.HTTPResponse:
    """Return an answer with what every one of them carries."""
    fields = {"Content-Type": answer.content_type, replies.SPAN: span or replies.span_id(None)}
    fields.update(replies.COMMON)
    fields.update(answer.fields)
    return bottle.HTTPResponse(answer.body, answer.status, fields)


def refusal(exc: Exception) -> bottle.HTTPResponse:
    """Return the answer for what went wrong outside of operations."""
    return written(_failed(exc))


def _error_page(identify: Identify, error: bottle.HTTPError) -> bytes:
    """Return the JSON for what Bottle itself refuses, unknown paths and methods, to those who get in at all."""
    environ = bottle.request.environ
    bottle.response.content_type = replies.JSON
    bottle.response.set_header(replies.SPAN, replies.span_id(environ.get("HTTP_X_SPAN_ID")))
    for name, value in replies.COMMON:
        bottle.response.set_header(name, value)
    try:
        identify(environ, dialect_of(environ.get("HTTP_USER_AGENT", ""), "HTTP_X_TORC_CLIENT_USER" in environ))
    except TorcError as exc:
        reply = _failed(exc)
        bottle.response.status = reply.status
        for name, value in reply.fields:
            bottle.response.set_header(name, value)
        return bytes(reply.body)
    if error.status_code == 404:
        return encode(dialects.error(_no_such_path(), UNKNOWN))
    if error.status_code == 405:
        return replies.error_body("this path is known, but not with this method; see Allow", "MethodNotAllowed")
    return replies.error_body(str(error.body), "")
