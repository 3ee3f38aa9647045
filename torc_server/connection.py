"""One connection: whole requests in, answers out, never waiting for the network in a thread that answers requests.

cheroot parses heads and speaks WSGI; where it would read from and write to the socket there are buffers here. The hub
fills and empties them.
"""

from __future__ import annotations

import enum
import io
import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Gateway_10

from torc_server.reading import Incoming
from torc_server.replies import error_body, whole

if TYPE_CHECKING:
    from torc_server.streams import Stream
    from torc_server.waiting import Poll

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

    def write(self, data: bytes) -> int:
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


class Request(HTTPRequest):
    """A request whose head and body are there already, and whose refusals are JSON."""

    def parse_request(self) -> None:
        """Parse the head."""
        self.conn.rfile = io.BytesIO(self.conn.incoming.head)
        super().parse_request()

    def read_request_line(self) -> bool:
        """Parse the first line; the path stays as it was sent, since what is encoded in it is no separator."""
        if not super().read_request_line():
            return False
        self.path = self.uri.partition(b"?")[0]
        return True

    def respond(self) -> None:
        """Have the application answer."""
        self.rfile = io.BytesIO(self.conn.incoming.body)
        self.chunked_read = False
        self.server.gateway(self).respond()
        if self.ready:
            self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def simple_response(self, status: str | int, msg: str = "") -> None:
        """Refuse the request; the connection ends with it."""
        self.close_connection = True
        number, _, words = str(status).partition(" ")
        self.conn.wfile.write(whole(int(number), error_body(msg or words), close=True))


class Gateway(Gateway_10):
    """Gives the application the connection, on which it may leave a poll or a stream in place of an answer."""

    def get_environ(self) -> dict[str, Any]:
        """Return what the application sees."""
        env: dict[str, Any] = super().get_environ()
        env["torc.connection"] = self.req.conn
        env["CONTENT_LENGTH"] = str(len(self.req.conn.incoming.body))
        return env

    def respond(self) -> None:
        """Ask the application; nothing is sent of the answer of one that left something else."""
        conn = self.req.conn
        response = self.req.server.wsgi_app(self.env, self.start_response)
        if conn.poll is None and conn.stream is None:
            for piece in response:
                self.write(piece)
            self.req.ensure_headers_sent()
        else:
            self.req.sent_headers = True
            self.req.chunked_write = False


class Connection(HTTPConnection):
    """A connection between the hub and the threads that answer."""

    RequestHandlerClass = Request

    def __init__(self, server: Any, sock: socket.socket, max_body: int) -> None:
        super().__init__(server, sock, Outgoing)
        self.state = State.READING
        self.incoming = Incoming(max_body)
        self.deadline = float("inf")
        self.started = 0.0
        self.watched = 0  # what the hub's selector waits for
        self.counted = 0  # bytes in the hub's count of what is being received
        self.ends = False  # after what is being sent
        self.poll: Poll | None = None
        self.stream: Stream | None = None

    def communicate(self) -> bool:
        """Answer the request that is there, or try again to answer the one that waits; the hub goes on from there."""
        if self.poll is None:
            self.ends = not super().communicate()
        else:
            self.poll.attempt()
        return True

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

    def close(self) -> None:
        """Close the socket, and what else hangs on the connection."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            if self.stream is not None:
                self.stream.end()
            if self.poll is not None:
                self.poll.end()
            self.socket.close()
