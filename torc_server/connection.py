"""One connection: whole requests in, answers out, never waiting for the network in a thread that answers requests.

The hub fills what is read and empties what is written; a thread of cheroot's has the application answer what is whole.
"""

from __future__ import annotations

import enum
import io
import logging
import mmap
import socket
import ssl
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection

from torc_server.heads import Head, read_head
from torc_server.reading import Incoming, Refusal
from torc_server.replies import COMMON, JSON, SPAN, Answer, error_body, head_of, span_id

if TYPE_CHECKING:
    from torc_server.streams import Stream
    from torc_server.waiting import Poll

LOG = logging.getLogger("torc.server")
_OURS = frozenset({name.lower() for name, _ in COMMON} | {SPAN.lower(), "content-type", "content-length"})
"""Fields that every answer has from us."""
CHUNK = 256 * 1024
_MANY = 16
"""Pieces that are sent with one call."""


class State(enum.Enum):
    """Where a connection is; all but WORKING are the hub's."""

    HANDSHAKE = "handshake"
    READING = "reading"
    WORKING = "working"
    PARKED = "parked"
    WRITING = "writing"
    STREAMING = "streaming"
    DRAINING = "draining"
    CLOSED = "closed"


class Outgoing:
    """What is to be sent; cheroot writes into it."""

    def __init__(self, sock: socket.socket, mode: str = "wb", size: int = 0) -> None:
        self._pieces: deque[memoryview] = deque()
        self.bytes_written = 0

    def write(self, data: bytes | mmap.mmap) -> int:
        """Keep data to be sent."""
        if data:
            self._pieces.append(memoryview(data))
        return len(data)

    @property
    def is_empty(self) -> bool:
        """Whether everything was sent."""
        return not self._pieces

    def send(self, sock: socket.socket) -> bool:
        """Send what the socket takes now; whether that was everything. Raises OSError."""
        pieces = self._pieces
        while pieces:
            try:
                if len(pieces) == 1 or isinstance(sock, ssl.SSLSocket):
                    count = sock.send(pieces[0])
                else:
                    count = sock.sendmsg([pieces[n] for n in range(min(len(pieces), _MANY))])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            self.bytes_written += count
            while count:
                size = len(pieces[0])
                if count < size:
                    pieces[0] = pieces[0][count:]
                    break
                count -= size
                pieces.popleft()
        return True


class Connection(HTTPConnection):
    """A connection between the hub and the threads that answer."""

    def __init__(self, server: Any, sock: socket.socket, max_body: int) -> None:
        super().__init__(server, sock, Outgoing)
        self.state = State.READING
        self.incoming = Incoming(max_body)
        self.deadline = float("inf")
        self.started = 0.0
        self.watched = 0  # what the hub's selector waits for
        self.is_gone = False  # for the selector, which is never to see it again
        self.counted = 0  # bytes in the hub's count of what is being received
        self.ends = False  # after what is being sent
        self.is_shut = False  # it was said that nothing more is sent
        self.is_answered = self._is_head = self._is_old = False
        self._port = str(server.bind_addr[1])
        self._scheme = "http" if server.ssl_adapter is None else "https"
        self.poll: Poll | None = None
        self.stream: Stream | None = None

    def communicate(self) -> bool:
        """Answer the request that is there, or try again to answer the one that waits; the hub goes on from there."""
        if self.poll is None:
            self._answer()
        else:
            self.poll.attempt()
        return True

    def answer(self, answer: Answer, span: str) -> None:
        """Leave the answer to the present request, to be sent."""
        self.is_answered = True
        head, body = head_of(answer, span, self.ends, is_old=self._is_old), answer.body
        if self._is_head:
            self.wfile.write(head)
        elif isinstance(body, bytes) and len(body) < CHUNK:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    def _answer(self) -> None:
        """Have the application answer a whole request."""
        self.is_answered = self._is_head = self._is_old = False
        head = read_head(self.incoming.head)
        if isinstance(head, Refusal):
            self.ends = True
            self.answer(Answer(head.status, error_body(head.message)), span_id(None))
            return
        self.ends = head.ends or not self.server.hub.can_add_keepalive_connection
        self._is_head, self._is_old = head.method == "HEAD", head.is_old
        said: list[Any] = []
        try:
            pieces = self.server.wsgi_app(self._environ(head), lambda *words: said.extend(words))
        except Exception:
            LOG.exception("the application failed")
            self.answer(Answer(500, error_body("the server failed; its log says why")), span_id(None))
            return
        if self.is_answered or self.poll is not None or self.stream is not None:
            return
        status, fields = said[:2]
        ours = {name.lower(): value for name, value in fields}
        kept = tuple((name, value) for name, value in fields if name.lower() not in _OURS)
        answer = Answer(int(status.partition(" ")[0]), b"".join(pieces), kept, ours.get("content-type", JSON))
        self.answer(answer, ours.get(SPAN.lower()) or span_id(None))

    def _environ(self, head: Head) -> dict[str, Any]:
        """Return what the application sees; the path stays encoded, since what is encoded in it is no separator."""
        path, _, query = head.target.partition("?")
        body = self.incoming.body
        environ: dict[str, Any] = {
            "REQUEST_METHOD": head.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_URI": head.target,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": self._port,
            "SERVER_PROTOCOL": "HTTP/1.0" if head.is_old else "HTTP/1.1",
            "REMOTE_ADDR": self.remote_addr,
            "REMOTE_PORT": self.remote_port,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self._scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ.update(head.fields)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["torc.connection"] = self
        if self.ssl_env:
            environ.update(self.ssl_env)
        return environ

    def receive(self, room: int) -> bool:
        """Take what has arrived, at most about ``room`` bytes; whether the other side still sends. Raises OSError."""
        while room > 0:
            try:
                data = self.socket.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            room -= len(data)
            self.incoming.feed(data)
            if self.incoming.is_complete or self.incoming.refusal is not None:
                return True
        return True

    def send(self) -> bool:
        """Send what can be sent; whether that was everything. Raises OSError."""
        sent: bool = self.wfile.send(self.socket)
        return sent

    def send_last(self) -> None:
        """Send what can be sent, and that nothing comes after it. Raises OSError."""
        if self.send() and not self.is_shut:
            self.is_shut = True
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket, and what else hangs on the connection."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            if self.stream is not None:
                self.stream.end()
            if self.poll is not None:
                self.poll.end()
            self.socket.close()
