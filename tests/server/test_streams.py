"""Streams by themselves, without a network: what a listener is sent, in which order."""

from types import SimpleNamespace

from torc_core.records.answers import StreamEvent
from torc_core.service.events import Bus
from torc_server.streams import Stream, Streams


class Conn:
    """What a stream needs of a connection."""

    def __init__(self):
        self.sent = b""
        self.ends = False
        self.wfile = SimpleNamespace(write=self._write, is_empty=True)

    def _write(self, data):
        self.sent += data


def event(kind):
    return StreamEvent(workflow_id=1, timestamp=5, event_type=kind, severity="info", data={})


def listener():
    bus, conn = Bus(), Conn()
    streams = Streams(bus, lambda conn: None, lambda: None)
    streams.open(Stream(conn, 1, "info", b"head\n\n"), 0.0)
    return bus, streams, conn


def test_the_last_event_is_sent_though_it_and_the_end_come_between_two_looks(monkeypatch):
    bus, streams, conn = listener()
    [subscription] = bus._listeners[1]
    take = subscription.take

    def take_and_be_overtaken():
        taken = take()
        monkeypatch.undo()
        subscription.put([event("workflow_deleted")])
        subscription.finish()
        return taken

    bus.publish([event("workflow_reinitialized")])
    monkeypatch.setattr(subscription, "take", take_and_be_overtaken)
    streams.work(1.0)
    assert not conn.ends
    streams.work(2.0)
    assert [line for line in conn.sent.split(b"\n") if line.startswith(b"event")] == [
        b"event: workflow_reinitialized", b"event: workflow_deleted",
    ]  # fmt: skip
    assert conn.ends
