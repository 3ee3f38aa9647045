"""Three settings for each scenario; the servers serve all of them."""

import pytest

from tests.cli.conftest import plain_environment, start  # noqa: F401  (fixtures)
from tests.scenarios.world import SETTINGS, World
from tests.server.server_process import ServerProcess


@pytest.fixture(scope="session")
def server_url(tmp_path_factory):
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    yield server.url
    server.close()


@pytest.fixture(scope="session")
def postgresql_server_url(tmp_path_factory, postgres_server):
    server = ServerProcess(tmp_path_factory.mktemp("postgresql"), database=postgres_server.url())
    yield server.url
    server.close()


def _env_of(setting, request):
    if setting == "embedded":
        return {}
    return {"TORC_API_URL": request.getfixturevalue("server_url" if setting == "server" else "postgresql_server_url")}


@pytest.fixture(params=SETTINGS)
def world(request, tmp_path, capsys, monkeypatch, start):  # noqa: F811
    """One setting."""
    env = _env_of(request.param, request)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return World(tmp_path, capsys, env, start)


@pytest.fixture
def elsewhere(request, tmp_path, world, monkeypatch):
    """Lets a test go on in the setting that comes after its own, in the same folder."""
    here = request.node.callspec.params["world"]
    other = SETTINGS[(SETTINGS.index(here) + 1) % len(SETTINGS)]

    def move():
        env = _env_of(other, request)
        monkeypatch.delenv("TORC_API_URL", raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        world.env = env
        return world

    return move
