"""A real server whose site has a plugin that lets people in and one that has a say in what they do."""

import hmac
from pathlib import Path

import pytest

from tests.server.server_process import ServerProcess
from torc_core.records.resources import Workflow

PLUGIN = Path(__file__).parents[2] / "examples" / "plugins" / "torc-site-access" / "torc_site_access.py"
KEY = b"the key of the site"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    plugins, config = folder / "plugins", folder / ".config" / "torc"
    plugins.mkdir()
    config.mkdir(parents=True)
    (plugins / "site-access.py").write_text(PLUGIN.read_text())
    (folder / "key").write_bytes(KEY + b"\n")
    (config / "config.toml").write_text(
        f'plugins.directory = "{plugins}"\n[plugins.site-access]\nkey_file = "{folder}/key"\nmay_delete = ["ops"]\n'
    )
    server = ServerProcess(folder, "--require-auth", "--enforce-access-control", "--admin-user", "ops")
    yield server
    server.close()


def ticket(user, key=KEY):
    return {"X-Site-Ticket": f"{user}:{hmac.new(key, user.encode(), 'sha256').hexdigest()}"}


def test_a_ticket_of_the_site_is_a_login(server):
    status, _, made = server.ask("POST", "/workflows", {"name": "w", "user": "x"}, headers=ticket("amy"))
    assert (status, made["user"]) == (200, "amy")
    assert server.ask("GET", f"/workflows/{made['id']}", headers=ticket("eve"))[0] == 403
    assert server.ask("GET", "/ping")[0] == 401


def test_a_forged_ticket_is_refused_and_the_log_says_why(server):
    status, _, body = server.ask("GET", "/ping", headers=ticket("amy", b"guess"))
    assert status == 401
    assert "amy" not in body["error"]["message"]
    assert "the ticket of 'amy' is not ours" in server.text()


def test_a_rule_of_the_site_refuses_what_the_built_in_one_allows(server):
    _, _, made = server.ask("POST", "/workflows", {"name": "w", "user": "x"}, headers=ticket("amy"))
    path = f"/workflows/{made['id']}"
    status, _, body = server.ask("DELETE", path, headers=ticket("amy"))
    assert status == 403
    assert "site-access" in body["error"]["message"]
    assert server.ask("DELETE", path, headers=ticket("ops"))[0] == 200
    assert server.ask("GET", path, headers=ticket("amy"))[0] == 404


def test_a_plugin_that_breaks_keeps_everybody_out(server):
    (server.folder / "key").rename(server.folder / "lost")
    try:
        assert server.ask("GET", "/ping", headers=ticket("amy"))[0] == 401
    finally:
        (server.folder / "lost").rename(server.folder / "key")
    assert server.ask("GET", "/ping", headers=ticket("amy"))[0] == 200
    with server.service() as service, pytest.raises(Exception, match="login"):
        service.find(Workflow)
