"""Servers that do not outlive their test."""

import os
import subprocess
import sys

import pytest

from tests.server.server_process import RELEASES, STORAGES, ServerProcess


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


@pytest.fixture(scope="session")
def database_on(request):
    """Gives the address of a new database on a storage, None for a file in the server's own folder."""
    return lambda storage: None if storage == "sqlite" else request.getfixturevalue("postgres_server").url()


@pytest.fixture(scope="module", params=STORAGES)
def shared_server(request, tmp_path_factory, database_on):
    """One server on each storage for the tests of a module that only add to it."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), database=database_on(request.param))
    yield server
    server.close()


@pytest.fixture(scope="session")
def python_of(tmp_path_factory):
    """Gives the interpreter of an environment that has a release of the client."""
    made = {}

    def python_of(release):
        if release not in made:
            folder = tmp_path_factory.mktemp(f"client{release}")
            made[release] = folder / "bin" / "python"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            pip = [sys.executable, "-m", "pip", "--python", made[release]]
            install = [*pip, "install", "--quiet", "--no-compile", f"torc-client=={RELEASES[release]}"]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode and not os.environ.get("CI"):
                pytest.skip(f"torc-client {RELEASES[release]} cannot be installed: {done.stderr.strip()[-300:]}")
            assert done.returncode == 0, done.stderr
        return made[release]

    return python_of
