"""The web server: cheroot's, with a hub in place of its connection manager."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from cheroot.wsgi import Server

from torc_server.connection import Connection
from torc_server.hub import Hub
from torc_server.pool import Pool
from torc_server.reading import MAX_BODY

if TYPE_CHECKING:
    from torc_core.service.owner import Owner

LOG = logging.getLogger("torc.server")
_BACKLOG = 1024


class Limits(NamedTuple):
    """What clients may take; seconds unless said otherwise."""

    head_s: float = 15.0  # for the head of a request, or a TLS handshake
    body_s: float = 30.0  # for a body, beside what its size takes at the least rate
    least_rate: int = 16 * 1024  # bytes per second
    write_s: float = 60.0  # for an answer, beside what its size takes at the least rate
    idle_s: float = 75.0  # between two requests
    drain_s: float = 10.0  # for a client that was refused to see it
    finish_s: float = 10.0  # for what is under way when the server stops
    rest_s: float = 1.0  # for the rest of requests that only begin to arrive then
    max_body: int = MAX_BODY  # bytes of one request
    max_received: int = 1024 * 1024 * 1024  # bytes of all requests that are being received


class WebServer(Server):
    """Serves a WSGI application; ``prepare``, ``serve`` until another thread calls ``stop``."""

    def __init__(
        self,
        address: tuple[str, int],
        app: Callable[..., Any],
        owner: Owner,
        *,
        threads: int = 8,
        limits: Limits = Limits(),  # noqa: B008  (a constant)
        ssl_adapter: Any = None,
    ) -> None:
        super().__init__(address, app, numthreads=threads, request_queue_size=_BACKLOG)
        self.requests = Pool(self, threads)
        self._connections: Any = None
        self.ready: bool = False
        self.owner, self.limits = owner, limits
        self.ssl_adapter = ssl_adapter
        self.max_request_header_size = 0  # the hub sees to sizes
        self.max_request_body_size = 0
        self.server_name = "torc"

    @property
    def hub(self) -> Hub:
        """What talks to the network; there is one after ``prepare``."""
        hub: Hub = self._connections
        return hub

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self.bind_addr[1]
        return port

    def prepare(self) -> None:
        """Listen and start the threads; raises OSError."""
        super().prepare()
        self._connections.close()
        self._connections = Hub(self)

    def serve(self) -> None:
        """Serve until ``stop`` is called."""
        self._connections.run(1.0)

    def process_conn(self, conn: Connection) -> None:
        """Give a connection with a whole request to the threads."""
        self.requests.put(conn)

    def put_conn(self, conn: Connection) -> None:
        """Take a connection back from a thread."""
        self._connections.put(conn)

    def stop(self) -> None:
        """Finish what is under way and let go of everything; call it from another thread."""
        if self.ready:
            self.ready = False
            self._connections.stop()
            self.requests.stop(self.limits.finish_s)
            self._connections.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Keep what cheroot has to say."""
        LOG.log(level, "%s", msg, exc_info=traceback)
