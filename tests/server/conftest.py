"""Servers that do not outlive their test."""

import pytest

from tests.server.server_process import ServerProcess


@pytest.fixture
def start_server(tmp_path):
    """Starts servers; what is given goes to ServerProcess."""
    started = []

    def start(*words, folder=tmp_path, **more):
        started.append(ServerProcess(folder, *words, **more))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.close()


@pytest.fixture
def server(start_server):
    """One server."""
    return start_server()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """One server for the tests of a module that only add to it."""
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    yield server
    server.close()
