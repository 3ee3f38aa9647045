"""A listener with a small service, a client of it, and raw connections."""

import socket

import pytest

from tests.unit.service.small_service import SmallService
from torc_core.service.connection import Frames, introduce
from torc_core.service.listener import Listener
from torc_core.service.remote import RemoteService

TOKEN = "s3cret"


@pytest.fixture
def service():
    return SmallService()


@pytest.fixture
def database(tmp_path, monkeypatch):
    # Short, so that the socket is beside it wherever the tests run.
    monkeypatch.setattr("torc_core.service.folders.MAX_SOCKET_PATH", 107)
    monkeypatch.setattr("torc_core.service.folders.is_network_folder", lambda _: False)
    return tmp_path / "t.db"


@pytest.fixture
def listener(service, database):
    listener = Listener(lambda _: service, TOKEN, database, "0123456789abcdef", ("127.0.0.1", 0))
    yield listener
    listener.close(0)


@pytest.fixture
def remote(listener):
    remote = RemoteService(listener.addresses[0], TOKEN)
    yield remote
    remote.close()


def raw(listener: Listener, which: int = 0) -> Frames:
    """A connected socket that has said nothing yet."""
    kind, _, place = listener.addresses[which].partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(place)
    else:
        sock = socket.create_connection((place.rpartition(":")[0], int(place.rpartition(":")[2])))
    sock.settimeout(20)
    return Frames(sock)


def proved(listener: Listener) -> Frames:
    frames = raw(listener)
    introduce(frames, TOKEN, "me")
    return frames
