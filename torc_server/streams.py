"""Streams of events to many listeners: each workflow is listened to once, its events are written once.

A listener that takes nothing for a while loses events and is told how many; one that is gone is noticed by the
connection, or by the sign of life that is sent after a silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from torc_server.codec import encode

if TYPE_CHECKING:
    from torc_core.records.answers import EventStream, StreamEvent
    from torc_core.service.events import Bus
    from torc_server.connection import Connection

BEAT_S = 15.0
BEAT = b": still here\n\n"
LIMIT = 512
"""Events that one listener may be behind."""
_FEED_LIMIT = 65_536
"""Events of one workflow that the hub may be behind, after one decision about many jobs."""


def frame(event: StreamEvent) -> bytes:
    """Return an event as it stands in a stream."""
    data = event.data if event.event_type == "warning" else event
    return b"event: %s\ndata: %s\n\n" % (event.event_type.encode(), encode(data))


Key = tuple[int, str, int]


class Stream:
    """One listener. Belongs to the hub's thread from ``Streams.open`` on."""

    def __init__(
        self, conn: Connection, workflow_id: int, level: str, head: bytes, may_hear: Callable[[], bool] | None = None
    ) -> None:
        """``may_hear`` tells whether the listener still has the right to events; None: everybody has."""
        self.conn, self.workflow_id, self.level, self.head, self.may_hear = conn, workflow_id, level, head, may_hear
        self.streams: Streams | None = None
        self.behind = self.dropped = 0
        self.sent_at = 0.0

    @property
    def key(self) -> Key:
        """With whom it shares events: with nobody when its right to them is its own."""
        return (self.workflow_id, self.level, 0 if self.may_hear is None else id(self))

    def end(self) -> None:
        """Listen no more."""
        if self.streams is not None:
            self.streams.remove(self)


class _Feed:
    """The events of one workflow and level, and who hears them, all with the same right."""

    def __init__(self, events: EventStream) -> None:
        self.events = events
        self.listeners: dict[Stream, None] = {}


class Streams:
    """All streams of a server; everything here belongs to the hub's thread."""

    def __init__(self, bus: Bus, flush: Callable[[Connection], None], wake: Callable[[], None]) -> None:
        """``flush`` sends what it can of a connection and sees to the rest."""
        self._bus, self._flush, self._wake = bus, flush, wake
        self._feeds: dict[Key, _Feed] = {}
        self._fed: deque[Key] = deque()
        self._beat_at = 0.0

    def __len__(self) -> int:
        return sum(len(feed.listeners) for feed in self._feeds.values())

    def open(self, stream: Stream, now: float) -> None:
        """Begin to listen, and only then say so: what happens after the client sees the head is heard."""
        key = stream.key
        feed = self._feeds.get(key)
        if feed is None:
            events = self._bus.subscribe(stream.workflow_id, stream.level, lambda: self._notify(key), _FEED_LIMIT)
            events.may_hear = stream.may_hear
            feed = self._feeds[key] = _Feed(events)
        else:
            self._pass_on(feed, now)  # what came before is for the others
        feed.listeners[stream] = None
        stream.streams = self
        self._send(stream, stream.head, 0, now)

    def _notify(self, key: Key) -> None:
        self._fed.append(key)
        self._wake()

    def work(self, now: float) -> float:
        """Pass on what happened and return when to come again (monotonic)."""
        for key in {self._fed.popleft() for _ in range(len(self._fed))}:
            feed = self._feeds.get(key)
            if feed is not None:
                self._pass_on(feed, now)
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S / 5
            for feed in list(self._feeds.values()):
                for stream in [s for s in feed.listeners if now - s.sent_at >= BEAT_S and s.conn.wfile.is_empty]:
                    self._send(stream, BEAT, 0, now)
        return self._beat_at if self._feeds else float("inf")

    def _pass_on(self, feed: _Feed, now: float) -> None:
        is_over = feed.events.is_closed  # asked first: the last event comes before the end
        frames = [frame(event) for event in feed.events.take()]
        for stream in list(feed.listeners):
            self._deliver(stream, frames, now)
        if is_over:
            for stream in list(feed.listeners):
                self._finish(stream)

    def _deliver(self, stream: Stream, frames: list[bytes], now: float) -> None:
        for start in range(0, len(frames), LIMIT):
            if stream.conn.wfile.is_empty:
                self.drained(stream)
            part = frames[start : start + LIMIT]
            kept = part[: 0 if stream.dropped else LIMIT - stream.behind]
            stream.dropped += len(part) - len(kept)
            if kept:
                self._send(stream, b"".join(kept), len(kept), now)

    def drained(self, stream: Stream) -> None:
        """A listener has taken everything there was for it."""
        stream.behind = 0
        if stream.dropped:
            stream.conn.wfile.write(b'event: warning\ndata: {"dropped": %d}\n\n' % stream.dropped)
            stream.dropped = 0

    def _send(self, stream: Stream, data: bytes, count: int, now: float) -> None:
        stream.behind += count
        stream.sent_at = now
        stream.conn.wfile.write(data)
        self._flush(stream.conn)

    def remove(self, stream: Stream) -> None:
        """Forget a listener that is gone."""
        key = stream.key
        feed = self._feeds.get(key)
        if feed is not None and stream in feed.listeners:
            del feed.listeners[stream]
            if not feed.listeners:
                feed.events.close()
                del self._feeds[key]

    def _finish(self, stream: Stream) -> None:
        stream.conn.ends = True
        self._flush(stream.conn)

    def close(self) -> None:
        """End all streams."""
        for feed in list(self._feeds.values()):
            for stream in list(feed.listeners):
                self._finish(stream)
