"""Heads of requests, read strictly, and connections that are kept: on a real socket."""

import re
import socket
import time

import pytest

from torc_core.service.server_address import BASE

PING = f"GET {BASE}/ping HTTP/1.1\r\n".encode()
OLD = f"GET {BASE}/ping HTTP/1.0\r\n".encode()
HOST = b"Host: x\r\n"
END = b"Connection: close\r\n\r\n"


def said(server, data):
    """Return all that a server says to bytes until it ends the connection."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        pieces = []
        while piece := sock.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def statuses(text):
    """Return the statuses of all answers in a text."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)]


@pytest.mark.parametrize(
    "lines",
    [
        b"Host : x\r\n",
        b" Host: x\r\n",
        HOST + b"X-A: 1\r\n folded\r\n",
        HOST + b"X-A: 1\r\n\tfolded\r\n",
        HOST + b"X-A: a\x00b\r\n",
        HOST + b"X-A: a\x7fb\r\n",
        HOST + b"X-A: a\rb\r\n",
        HOST + b"X\x00A: 1\r\n",
        HOST + b"no colon\r\n",
        HOST + b": no name\r\n",
        HOST + HOST,
        HOST + b"host: y\r\n",
        HOST + b"Authorization: Basic YTpi\r\nAuthorization: Basic Yzpk\r\n",
        HOST + b"X-Torc-Client-User: a\r\nX-Torc-Client-User: b\r\n",
        HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n",
        HOST + b"Content-Length: +1\r\n",
        HOST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Host: x\n",
    ],
)
def test_fields_that_two_readers_could_understand_differently_are_refused(shared_server, lines):
    assert statuses(said(shared_server, PING + lines + END)) == [400]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS * HTTP/1.1", 400),
        (b"GET ping HTTP/1.1", 400),
        (b"GET http://x/ping HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"get / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET /", 400),
    ],
)
def test_first_lines_are_those_of_the_protocol(shared_server, line, status):
    assert statuses(said(shared_server, line + b"\r\n" + HOST + END)) == [status]


def test_requests_that_are_sent_at_once_are_answered_in_order(shared_server):
    lost = f"GET {BASE}/workflows/999999 HTTP/1.1\r\n".encode()
    text = said(shared_server, PING + HOST + b"\r\n" + lost + HOST + b"\r\n" + PING + HOST + END)
    assert statuses(text) == [200, 404, 200]


def test_nothing_is_read_behind_a_refused_head(shared_server):
    assert statuses(said(shared_server, PING + b"Host : x\r\n\r\n" + PING + HOST + END)) == [400]


def test_chunks_end_where_they_say(shared_server):
    post = f"POST {BASE}/workflows HTTP/1.1\r\n".encode() + HOST
    body = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body += b'8;x=y\r\n{"name":\r\n9\r\n"w","user\r\n6\r\n":"a"}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    assert statuses(said(shared_server, post + body + PING + HOST + END)) == [200, 200]


@pytest.mark.parametrize(("field", "is_kept"), [(b"", False), (b"Connection: keep-alive\r\n", True)])
def test_old_clients_keep_a_connection_only_when_they_ask_for_it(shared_server, field, is_kept):
    with socket.create_connection(("127.0.0.1", shared_server.port), 30) as sock:
        sock.sendall(OLD + field + b"\r\n")
        first = sock.recv(65536)
        assert (b"Connection: keep-alive" in first) == is_kept
        assert (b"Connection: close" in first) == (not is_kept)
        if is_kept:
            sock.sendall(OLD + b"\r\n")
        deadline = time.monotonic() + 30
        text = b""
        while piece := sock.recv(65536):
            text += piece
            assert time.monotonic() < deadline
    assert statuses(text) == ([200] if is_kept else [])
