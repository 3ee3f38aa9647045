"""Plain sockets by the thousand: requests as bytes, and answers read as they come."""

import contextlib
import resource
import selectors
import socket
import time

from torc_core.service.server_address import BASE

DEADLINE_S = 120


def allow(count):
    """Let this process have so many sockets open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise OSError(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def request(method, path, body=b"", agent="torc/1", head=()):
    """Return a request as bytes."""
    lines = [f"{method} {BASE}{path} HTTP/1.1", "Host: localhost", f"User-Agent: {agent}", *head]
    if body or method in ("POST", "PUT"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def connect(port):
    """Return a connected socket."""
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError, TimeoutError):
            return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        time.sleep(0.01)
    raise AssertionError("nobody listens")


def is_whole(data):
    """Whether an answer with a length is all there."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return len(body) >= length


def body_of(data):
    """Return status and body of an answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


class Crowd:
    """Many connections, each with one request sent."""

    def __init__(self, port, requests):
        self.socks = []
        self.read = {}
        self._selector = selectors.DefaultSelector()
        for data in requests:
            sock = connect(port)
            sock.sendall(data)
            sock.setblocking(False)
            self.socks.append(sock)
            self.read[sock] = b""
            self._selector.register(sock, selectors.EVENT_READ)

    def until(self, is_enough, what, seconds=DEADLINE_S):
        """Read until ``is_enough(data)`` holds for what each connection was sent."""
        left = {sock for sock in self.socks if not is_enough(self.read[sock])}
        deadline = time.monotonic() + seconds
        while left:
            assert time.monotonic() < deadline, f"{what}: {len(left)} of {len(self.socks)} not, in {seconds} s"
            for key, _ in self._selector.select(1.0):
                data = key.fileobj.recv(1 << 20)
                self.read[key.fileobj] += data
                if not data:
                    self._selector.unregister(key.fileobj)
                if is_enough(self.read[key.fileobj]):
                    left.discard(key.fileobj)
                else:
                    assert data, (what, self.read[key.fileobj][-500:])
        return [self.read[sock] for sock in self.socks]

    def take(self):
        """Forget what was read, before the next request on the same connections."""
        taken = [self.read[sock] for sock in self.socks]
        self.read = dict.fromkeys(self.socks, b"")
        return taken

    def close(self):
        """Let go of all of them."""
        self._selector.close()
        for sock in self.socks:
            sock.close()
