"""The events that a server sends over one HTTP connection."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import ssl
import time
from collections import deque
from typing import Any

from torc_core.errors import Unavailable
from torc_core.records import answers as a
from torc_core.service.events import dropped
from torc_core.service.far import NOT_SENT

QUIET_S = 60.0
"""A stream shows a sign of life more often."""


class HttpEvents(a.EventStream):
    """The events that a server sends over one connection."""

    def __init__(self, sock: socket.socket, response: http.client.HTTPResponse, workflow_id: int) -> None:
        self._socket, self._response, self._workflow_id = sock, response, workflow_id
        self._text = b""
        self._kind = ""
        self._taken: deque[a.StreamEvent] = deque()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed

    def take(self, seconds: float = 0.0) -> list[a.StreamEvent]:
        """Return what came; raises Unavailable when the server is gone."""
        deadline = time.monotonic() + seconds
        try:
            while not self._taken and not self._is_closed:
                if not self._has_buffered() and not is_readable(self._socket, max(0.0, deadline - time.monotonic())):
                    break
                self._read()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            if not self._is_closed:
                self.close()
                why = str(exc) or type(exc).__name__
                raise Unavailable(f"the stream of events broke ({why})", outcome=NOT_SENT) from exc
        taken = list(self._taken)
        self._taken.clear()
        return taken

    def _has_buffered(self) -> bool:
        """Whether something was read from the socket that was not asked for yet."""
        self._socket.settimeout(0.0)
        try:
            return bool(self._response.fp.peek(1))
        except ssl.SSLWantReadError:
            return False
        finally:
            self._socket.settimeout(QUIET_S)

    def _read(self) -> None:
        data = self._response.read1(65_536)
        if not data:
            self.close()
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            word, _, text = line.rstrip(b"\r").decode(errors="replace").partition(": ")
            if word == "event":
                self._kind = text
            elif word == "data":
                self._taken.append(self._event(json.loads(text)))

    def _event(self, data: dict[str, Any]) -> a.StreamEvent:
        if self._kind == "warning" and "event_type" not in data:
            return dropped(self._workflow_id, int(time.time() * 1000), data.get("dropped", 0))
        return a.StreamEvent.of(data)

    def __next__(self) -> a.StreamEvent:
        """Wait for the next event."""
        while not self._taken:
            if self._is_closed:
                raise StopIteration
            self._taken.extend(self.take(QUIET_S))
        return self._taken.popleft()

    def close(self) -> None:
        """Hear no more."""
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._response.close()


def is_readable(sock: socket.socket, seconds: float = 0.0) -> bool:
    """Whether something, or the end, can be read."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(seconds * 1000))
