"""A wire between a client and a PostgreSQL server that can break at the worst moments."""

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

SOCKET = ".s.PGSQL.5432"
SWALLOW, LOSE_ANSWER = "swallow", "lose the answer"


class Proxy:
    """Passes everything on until a fault is set, which happens once.

    SWALLOW: the server never sees the message. LOSE_ANSWER: the server carries it out, the client hears nothing. In
    both the client's end is closed and the server's stays open, as when a network is cut: the server knows of nothing.
    """

    def __init__(self, server_folder):
        self._server = str(server_folder / SOCKET)
        self._folder = tempfile.TemporaryDirectory(prefix="torc-wire-", dir="/tmp")
        self._ends, self._pumps = [], []
        self._fault, self._hits = "", lambda data: False
        self.refuses = False
        self.broken = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder.name) / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, direct):
        """Return the address that leads through this wire to the database of a direct address."""
        return f"{direct.partition('?')[0]}?host={quote(self._folder.name, safe='')}"

    def at_commit(self, fault):
        """Have the fault happen to the next COMMIT that a client sends."""
        self._fault, self._hits = fault, lambda data: b"COMMIT\0" in data

    def at_message(self, number, fault):
        """Have the fault happen to the next message but ``number``."""
        numbers = iter(range(number, -1, -1))
        self._fault, self._hits = fault, lambda data: next(numbers, None) == 0

    def fault(self, data):
        """Return the fault that happens to a message, if any."""
        if not self._hits(data):
            return ""
        self._hits = lambda data: False
        return self._fault

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuses:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._ends.append((client, server))
                wire = _Wire(self, client, server)
                threading.Thread(target=wire.to_client, daemon=True).start()
                pump = threading.Thread(target=wire.to_server, daemon=True)
                self._pumps.append(pump)
                pump.start()

    def drain(self):
        """Wait until everything that clients sent before they closed has gone its way."""
        for pump in self._pumps:
            pump.join(30)
            assert not pump.is_alive()

    def cut(self):
        """Break all connections at the clients' ends; the server hears nothing of it."""
        for client, _ in self._ends:
            _close(client)

    def close(self):
        """End everything."""
        self._listener.close()
        for client, server in self._ends:
            _close(client)
            _close(server)
        self._folder.cleanup()


class _Wire:
    def __init__(self, proxy, client, server):
        self._proxy, self._client, self._server = proxy, client, server
        self._loses_answers = False

    def to_server(self):
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                fault = self._proxy.fault(data)
                if fault == SWALLOW:
                    self._break()
                    return
                self._loses_answers |= fault == LOSE_ANSWER
                self._server.sendall(data)

    def to_client(self):
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if self._loses_answers:
                    self._break()
                    return
                self._client.sendall(data)
        _close(self._client)

    def _break(self):
        self._proxy.broken.set()
        _close(self._client)


def _close(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
