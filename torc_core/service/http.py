"""The client of a server, over HTTP with connections that are kept."""

from __future__ import annotations

import contextlib
import enum
import http.client
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from torc_core import __version__
from torc_core.errors import BY_NAME, Forbidden, Invalid, NotFound, TorcError, Unauthorized, Unavailable
from torc_core.operations import Operation, shaped
from torc_core.records import answers as a
from torc_core.records.record import ENCODER
from torc_core.service.api import OPERATIONS
from torc_core.service.far import NOT_SENT, REPEATABLE, UNKNOWN, FarService, said_again
from torc_core.service.http_events import QUIET_S, HttpEvents, is_readable
from torc_core.service.processes import FORK_GUARD
from torc_core.service.server_address import BASE, Encryption, Login, address_of

_CONNECT_S = 10.0
_ANSWER_S = 300.0
"""For an answer to begin, beside what the request itself waits for."""
_PIECE = 1024 * 1024
_BY_CODE = {401: Unauthorized, 403: Forbidden, 404: NotFound, 413: Invalid, 422: Invalid}
_AWAY = (502, 503, 504)


class HttpService(FarService):
    """Asks a server. Safe to use from many threads: each call has a connection to itself while it lasts.

    When the connection is at fault, the error (Unavailable) has a detail ``outcome``: ``not sent`` (nothing was done)
    or ``unknown`` (it may have been carried out).
    """

    def __init__(
        self,
        url: str,
        login: Login = Login(),  # noqa: B008  (a constant)
        encryption: Encryption = Encryption(),  # noqa: B008
    ) -> None:
        """Connects when needed; raises UsageError for what cannot be an address."""
        super().__init__()
        self.address = address_of(url)
        self._context = encryption.context() if self.address.is_encrypted else None
        self._headers = {"User-Agent": f"torc/{__version__}", "Accept": "application/json", **login.headers()}
        self._idle: list[http.client.HTTPConnection] = []
        self._busy: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()
        FORK_GUARD.add(self, self._forked)

    @property
    def url(self) -> str:
        """The address, as programs of the workflow are told it."""
        return str(self.address)

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Have the server carry out ``op``."""
        target, body = self._request_of(op, arguments)
        seconds = _ANSWER_S + _wait_of(arguments)
        try:
            data = self._ask(op, target, body, seconds)
        except Unavailable as exc:
            can_repeat = op.is_read_only or op.name in REPEATABLE
            if not can_repeat or exc.details.get("outcome") != UNKNOWN or self._closed.is_set():
                raise
            target, body = self._request_of(op, said_again(op, arguments))
            data = self._ask(op, target, body, seconds)
        return shaped(op.answer, data)

    def watch_events(self, id: int, level: str = "info") -> a.EventStream:
        """Hear of what happens to a workflow, over a connection of its own."""
        op = OPERATIONS["watch_events"]
        target, _ = self._request_of(op, {"id": id, "level": level})
        connection = self._borrow()
        sock = connection.sock
        response = self._send(connection, op, target, None, QUIET_S)
        if response.status != 200:
            self._take(connection, response, op)
        with self._lock:
            self._busy.discard(connection)  # it belongs to the stream
        return HttpEvents(sock, response, id)

    def download(self, op: Operation, arguments: dict[str, Any]) -> Iterator[bytes]:
        """Ask for what is answered by a file, and yield its bytes; raises TorcError, also when it ends too early."""
        target, _ = self._request_of(op, arguments)
        connection = self._borrow()
        response = self._send(connection, op, target, None, _ANSWER_S)
        if response.status != 200:
            self._take(connection, response, op)
        try:
            yield from iter(lambda: response.read(_PIECE), b"")
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
        except (OSError, http.client.HTTPException) as exc:
            raise self._lost(op, exc) from exc
        finally:
            self._drop(connection)

    def connect(self) -> None:
        """Make sure that the server answers; raises Unavailable."""
        self.ping()

    def close(self) -> None:
        """End all connections; calls that wait for an answer are Unavailable."""
        self._closed.set()
        FORK_GUARD.remove(self)
        with self._lock:
            left = [*self._idle, *self._busy]
            self._idle.clear()
        for connection in left:
            _shut(connection)

    def _request_of(self, op: Operation, arguments: dict[str, Any]) -> tuple[str, bytes | None]:
        """Return path and query, and the body."""
        path, query, body = self.address.base + op.path, [], None
        for parameter in op.parameters:
            value = arguments.get(parameter.name)
            if parameter.place == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(_text(value), safe=""))
            elif parameter.place == "body":
                body = ENCODER.encode(value).encode()
            elif isinstance(value, list | tuple):
                query += [(parameter.name, _text(item)) for item in value or ("",)]
            elif value is not None:
                query.append((parameter.name, _text(value)))
        return (f"{path}?{urlencode(query)}" if query else path), body

    def _ask(self, op: Operation, target: str, body: bytes | None, seconds: float) -> Any:
        connection = self._borrow()
        response = self._send(connection, op, target, body, seconds)
        return self._take(connection, response, op)

    def _send(
        self, connection: http.client.HTTPConnection, op: Operation, target: str, body: bytes | None, seconds: float
    ) -> http.client.HTTPResponse:
        """Send a request and return the head of its answer."""
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        try:
            assert connection.sock is not None
            connection.sock.settimeout(seconds)
            connection.request(op.method, target, body, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as exc:
            self._drop(connection)
            raise self._lost(op, exc) from exc
        except BaseException:  # a signal: what follows on this connection is not ours
            self._drop(connection)
            raise

    def _take(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, op: Operation) -> Any:
        """Return the JSON of an answer; raises the error that it tells."""
        try:
            text = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self._drop(connection)
            raise self._lost(op, exc) from exc
        except BaseException:
            self._drop(connection)
            raise
        if response.will_close:
            self._drop(connection)
        else:
            self._give_back(connection)
        if response.status in {200, 202}:
            try:
                return json.loads(text)
            except ValueError:
                raise self._stranger(response) from None
        raise self._error(response, text)

    def _error(self, response: http.client.HTTPResponse, text: bytes) -> TorcError:
        """Return what an answer that is no success says."""
        try:
            details = dict(json.loads(text)["error"])
            message = str(details.pop("message"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._stranger(response)
        name, hint = str(details.pop("error", "")), str(details.pop("hint", ""))
        usual = Unavailable if response.status in _AWAY else _BY_CODE.get(response.status, TorcError)
        kind = BY_NAME.get(name, usual)
        details.pop("self", None)
        return kind(message, hint=hint, **{str(key): value for key, value in details.items()})

    def _stranger(self, response: http.client.HTTPResponse) -> TorcError:
        """Return the error for an answer that no torc server gives."""
        said = f"{self.address} answers {response.status} {response.reason}"
        if response.status in _AWAY:
            return Unavailable(said, hint="Whatever stands before the server cannot reach it.", outcome=UNKNOWN)
        where = response.getheader("Location")
        if 300 <= response.status < 400 and where:
            return TorcError(f"{said}, and sends you to {where}", hint="Use that address with --url.")
        hint = f"Is it the address of a torc server? It ends with {BASE} unless it was set up otherwise."
        return TorcError(f"{said}, and not in the way of a torc server", hint=hint)

    def _lost(self, op: Operation, exc: Exception) -> Unavailable:
        return Unavailable(
            f"the connection to {self.address} broke during {op.name} ({exc or type(exc).__name__});"
            " it is not known whether it was carried out",
            hint="See what is there, then run the command again",
            outcome=UNKNOWN,
        )

    def _borrow(self) -> http.client.HTTPConnection:
        """Return a connection that is open, as far as can be seen."""
        while True:
            with self._lock:
                if self._closed.is_set():
                    raise Unavailable("the connection to the server is closed", outcome=NOT_SENT)
                connection = self._idle.pop() if self._idle else None
                if connection is not None:
                    self._busy.add(connection)
            if connection is None:
                return self._open()
            if connection.sock is not None and not is_readable(connection.sock):
                return connection
            self._drop(connection)  # the server has closed it

    def _open(self) -> http.client.HTTPConnection:
        to = self.address
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(to.host, to.port, timeout=_CONNECT_S, context=self._context)
        else:
            connection = http.client.HTTPConnection(to.host, to.port, timeout=_CONNECT_S)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            connection.close()
            raise self._unreachable(exc) from exc
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._busy.add(connection)
        return connection

    def _unreachable(self, exc: OSError) -> Unavailable:
        hint = "Is it running? Start one with: torc server run"
        if isinstance(exc, ssl.SSLCertVerificationError):
            hint = "Name the authority that signed its certificate with --tls-ca-cert FILE."
        elif isinstance(exc, ssl.SSLError):
            hint = "Does the server speak TLS? Otherwise write http:// in its address."
        reason = getattr(exc, "verify_message", None) or exc.strerror or str(exc) or type(exc).__name__
        return Unavailable(f"cannot reach the server at {self.address}: {reason}", hint=hint, outcome=NOT_SENT)

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
            if not self._closed.is_set():
                self._idle.append(connection)
                return
        connection.close()

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def _forked(self) -> None:
        # The parent goes on with these connections: close our copies without a word to the other side.
        for connection in (*self._idle, *self._busy):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    os.close(connection.sock.detach())
        self._idle, self._busy, self._lock = [], set(), threading.Lock()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.value if isinstance(value, enum.Enum) else value)


def _wait_of(arguments: dict[str, Any]) -> float:
    """Return how long the request itself asks to be kept waiting."""
    seconds = arguments.get("wait_seconds", getattr(arguments.get("report"), "wait_seconds", 0.0))
    return float(seconds or 0.0)


def _shut(connection: http.client.HTTPConnection) -> None:
    """Close a connection, waking a thread that waits on it."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
