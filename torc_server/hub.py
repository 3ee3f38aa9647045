"""The one thread that talks to the network: it takes connections, gathers requests, sends answers, feeds streams.

It stands in for cheroot's connection manager, whose methods it has. Threads that answer requests get a connection when
a whole request is there, and give it back with an answer, which they send themselves as far as the socket takes it.
Whoever is slow in sending or in reading holds a descriptor until a deadline, and never a thread.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from torc_server.connection import CHUNK, Connection, State
from torc_server.reading import Refusal
from torc_server.replies import Answer, error_body, span_id, whole
from torc_server.streams import Streams
from torc_server.waiting import Waiting
from torc_server.watching import READ, WRITE, Watch

if TYPE_CHECKING:
    from torc_server.web import WebServer

LOG = logging.getLogger("torc.server")
_ACCEPTS = 64
_ENOUGH = 4 * CHUNK
"""Connections taken, and bytes read of one, before others have their turn."""
_DRAIN_BYTES = 64 * 1024 * 1024
_UNENCRYPTED = Refusal(400, "this server takes encrypted connections only; its address begins with https")
_NO_TLS = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER"})
"""What OpenSSL calls a first record that is none. Of HTTP it knows GET, POST, PUT, HEAD, CONNECT, no other method."""
_LATE = Refusal(408, "the request did not arrive in time")
_STOPPING = Refusal(503, "the server stops, and the request had not arrived; send it again later")
_LOOK_S, _LOOK_STOPPING_S = 1.0, 0.1
"""Between two looks for what took too long."""
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Hub:
    """See above. Methods that any thread may call say so."""

    def __init__(self, server: WebServer) -> None:
        self._server, self._limits = server, server.limits
        self._watch = Watch()
        self._lock = threading.Lock()  # of the arrivals
        self._is_serving = self._is_stopping = False
        self._closes_at = self._hears_until = float("inf")
        self._expire_at = 0.0
        self._received = 0  # bytes of requests that are not whole yet
        self._connections: set[Connection] = set()
        self.waiting = Waiting(server.owner, self._give_to_threads, self.wake, max(1, server.numthreads // 2))
        self.streams = Streams(server.owner.events, self._flush, self.wake)
        self._arrivals: list[Connection] = []
        server.socket.setblocking(False)
        self._watch.listener(server.socket)

    # what cheroot asks of a connection manager

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Whether clients may go on with their connection; any thread."""
        return not self._is_stopping

    @property
    def size(self) -> int:
        """Open connections; any thread."""
        return len(self._connections)

    def put(self, conn: Connection) -> None:
        """Take a connection back from a thread that has answered, or parked, its request; any thread."""
        if conn.poll is not None or conn.stream is not None:
            with self._lock:
                self._arrivals.append(conn)
            self.wake()
            return
        try:
            self._flush(conn)
        except Exception:  # the thread is to live on
            LOG.exception("a connection broke")
            self._end(conn)

    def run(self, expiration_interval: float) -> None:
        """Serve until ``stop``."""
        self._is_serving = True
        try:
            while not (self._is_stopping and self._is_finished()):
                self._turn()
        finally:
            self._is_serving = False

    def stop(self) -> None:
        """Take no more connections and requests, have those under way answered, and return; any other thread."""
        now = time.monotonic()
        self._closes_at, self._hears_until = now + self._limits.finish_s, now + self._limits.rest_s
        self._is_stopping = True
        self.wake()
        while self._is_serving:
            time.sleep(0.005)

    def close(self) -> None:
        """Let go of everything."""
        for conn in list(self._connections):
            self._end(conn)
        self._watch.close()

    # the loop

    def wake(self) -> None:
        """Have the loop look around; any thread."""
        self._watch.wake()

    def _turn(self) -> None:
        now = time.monotonic()
        if self._is_stopping:
            self._wind_up()
        later = min(self.waiting.work(now), self.streams.work(now), self._expire_at, self._closes_at)
        for conn, mask in self._watch.wait(max(0.0, later - now)):
            if conn is None:
                self._accept()
            else:
                self._serve(conn, mask)
        self._take_arrivals()
        now = time.monotonic()
        if now >= self._expire_at:
            self._expire_at = now + (_LOOK_STOPPING_S if self._is_stopping else _LOOK_S)
            self._expire(now)

    def _take_arrivals(self) -> None:
        with self._lock:
            arrivals, self._arrivals = self._arrivals, []
        for conn in arrivals:
            if conn.poll is not None:
                conn.state = State.PARKED
                self._watch.follow(conn, READ)
                self.waiting.park(conn.poll)
            elif conn.stream is not None:
                conn.state = State.STREAMING
                self._watch.follow(conn, READ)
                self.streams.open(conn.stream, time.monotonic())
            else:
                self._serve(conn, READ)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = self._server.socket.accept()
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno in _FULL:
                    self._make_room()
                return
            try:
                self._begin(sock, address)
            except (OSError, ValueError):
                sock.close()

    def _begin(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        adapter = self._server.ssl_adapter
        if adapter is not None:
            sock = adapter.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        conn = Connection(self._server, sock, self._limits.max_body)
        conn.remote_addr, conn.remote_port = address[:2]
        conn.deadline = time.monotonic() + self._limits.head_s
        conn.state = State.READING if adapter is None else State.HANDSHAKE
        self._connections.add(conn)
        self._watch.follow(conn, READ)

    def _make_room(self) -> None:
        """No more descriptors: end the connection that has been idle for the longest time."""
        idle = [c for c in self._connections if c.state is State.READING and c.incoming.is_empty]
        if idle:
            self._end(min(idle, key=lambda conn: conn.deadline))
        else:
            time.sleep(0.01)  # the listening socket stays readable: do not spin

    def _serve(self, conn: Connection, mask: int) -> None:
        try:
            if conn.state is State.READING:
                self._read(conn)
            elif conn.state is State.WRITING:
                self._flush(conn)
            elif conn.state in (State.STREAMING, State.PARKED):
                if mask & READ:
                    self._hear(conn)
                if mask & WRITE:
                    self._flush(conn)
            elif conn.state is State.HANDSHAKE:
                self._shake_hands(conn)
            elif conn.state is State.DRAINING:
                self._drain(conn)
            elif conn.state is State.WORKING:
                self._watch.leave_working(conn)
        except OSError:
            self._end(conn)

    def _shake_hands(self, conn: Connection) -> None:
        try:
            conn.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch.follow(conn, READ)
            return
        except ssl.SSLWantWriteError:
            self._watch.follow(conn, WRITE)
            return
        except ssl.SSLError as exc:
            if exc.reason not in _NO_TLS:
                raise
            self._watch.leave(conn)
            conn.socket = socket.socket(fileno=conn.socket.detach())
            self._refuse(conn, _UNENCRYPTED)
            return
        conn.ssl_env = self._server.ssl_adapter.get_environ(conn.socket)
        conn.state = State.READING
        self._read(conn)

    # requests

    def _read(self, conn: Connection) -> None:
        """Take what has arrived of a request; a whole one goes to the threads."""
        incoming = conn.incoming
        if incoming.is_empty:
            conn.started = time.monotonic()
        is_open = conn.receive(_ENOUGH)
        self._received += incoming.size - conn.counted
        conn.counted = incoming.size
        if incoming.is_complete:
            self._give_to_threads(conn)
        elif incoming.refusal is not None:
            self._refuse(conn, incoming.refusal)
        elif not is_open:
            self._end(conn)
        elif self._received > self._limits.max_received:
            self._refuse(conn, Refusal(503, "too much is being sent at the moment; try again later"))
        else:
            self._go_on_reading(conn)

    def _give_to_threads(self, conn: Connection) -> None:
        self._stop_counting(conn)
        conn.state = State.WORKING
        self._server.process_conn(conn)

    def _stop_counting(self, conn: Connection) -> None:
        self._received -= conn.counted
        conn.counted = 0

    def _go_on_reading(self, conn: Connection) -> None:
        incoming, limits = conn.incoming, self._limits
        if incoming.wants_continue:
            incoming.wants_continue = False
            conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            conn.send()
        if incoming.head:  # the body may take longer the more of it comes
            conn.deadline = conn.started + limits.body_s + incoming.size / limits.least_rate
        elif not incoming.is_empty:
            conn.deadline = conn.started + limits.head_s
        self._watch.follow(conn, READ)

    def _refuse(self, conn: Connection, refusal: Refusal) -> None:
        self._stop_counting(conn)
        conn.incoming.drop()
        conn.wfile.write(whole(Answer(refusal.status, error_body(refusal.message)), span_id(None), True))
        conn.deadline = time.monotonic() + self._limits.drain_s
        conn.state = State.DRAINING
        try:
            conn.send_last()
        except OSError:
            self._end(conn)
        else:
            self._watch.follow(conn, READ)

    def _drain(self, conn: Connection) -> None:
        """Take what a refused client still sends: a reset would take the answer from it."""
        conn.send_last()
        while True:
            try:
                data = conn.socket.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            conn.counted += len(data)
            self._received += len(data)
            if not data or conn.counted > _DRAIN_BYTES:
                self._end(conn)
                return

    def _hear(self, conn: Connection) -> None:
        """Somebody who waits or listens has sent something, which is kept for later, or is gone."""
        try:
            data = conn.socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            self._end(conn)
        elif conn.poll is not None:
            conn.incoming.feed(data)
            if conn.incoming.size > _ENOUGH:
                self._watch.leave(conn)  # it is heard when the answer is out

    # answers

    def _flush(self, conn: Connection) -> None:
        """Send what can be sent, and see to what comes then; any thread that has the connection."""
        if conn.state is State.CLOSED:
            return
        try:
            is_sent = conn.send()
        except OSError:
            self._end(conn)
            return
        if conn.stream is not None and not (is_sent and conn.ends):
            if is_sent and conn.stream.behind:
                self.streams.drained(conn.stream)
                is_sent = conn.wfile.is_empty
            self._watch.follow(conn, READ if is_sent else READ | WRITE)
        elif not is_sent:
            if conn.state is not State.WRITING:
                conn.started, conn.wfile.bytes_written = time.monotonic(), 0
            limits = self._limits
            conn.deadline = conn.started + limits.write_s + conn.wfile.bytes_written / limits.least_rate
            conn.state = State.WRITING
            self._watch.follow(conn, WRITE)
        elif conn.ends or self._is_stopping:
            self._end(conn)
        else:
            self._begin_next(conn)

    def _begin_next(self, conn: Connection) -> None:
        """Wait for the next request of a connection, unless something of it is there already."""
        conn.incoming.next()
        has_more = not conn.incoming.is_empty or (isinstance(conn.socket, ssl.SSLSocket) and conn.socket.pending())
        now = conn.started = time.monotonic()
        conn.deadline = now + self._limits.idle_s
        conn.state = State.READING  # from here on it is the hub's
        if has_more:
            with self._lock:
                self._arrivals.append(conn)
            self.wake()
        else:
            self._watch.follow(conn, READ)

    # connections

    def _end(self, conn: Connection) -> None:
        """Let go of a connection; any thread, even while another one hands it over."""
        conn.is_gone = True
        self._watch.leave(conn)
        self._stop_counting(conn)
        self._connections.discard(conn)
        poll = conn.poll
        conn.close()
        if poll is not None:
            self.waiting.forget(poll)

    def _expire(self, now: float) -> None:
        """End what took too long; a request that was begun is told so. Who is not answered has less time in the end."""
        for conn in list(self._connections):
            if conn.state in (State.WORKING, State.PARKED, State.STREAMING):
                continue
            deadline = conn.deadline if conn.state is State.WRITING else min(conn.deadline, self._hears_until)
            if deadline > now:
                continue
            if conn.state is State.READING and not conn.incoming.is_empty:
                self._refuse(conn, _STOPPING if self._is_stopping else _LATE)
            else:
                self._end(conn)

    # the end

    def _wind_up(self) -> None:
        """Begin to stop: once."""
        if not self.waiting.is_closing:
            self._watch.leave_listener()
            self._server.socket.close()
            self.waiting.close()
            self.streams.close()
            for conn in list(self._connections):
                if conn.state in (State.READING, State.HANDSHAKE) and conn.incoming.is_empty:
                    self._end(conn)

    def _is_finished(self) -> bool:
        return time.monotonic() >= self._closes_at or (self.waiting.is_idle and not self._connections)
