"""Real servers that ask for logins: the three cases, rights, tokens of jobs, files that are read again."""

import http.client
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.logins import client, login, torc, users
from tests.server.server_process import ServerProcess, environment, until
from torc_core.errors import Forbidden, NoAuthFile, Unauthorized
from torc_core.records.access import AccessGroup, UserGroupMembership, WorkerToken
from torc_core.records.resources import File, Workflow
from torc_core.service.server_address import BASE


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """A server with rights: amy, bob and eve may log in, root is its administrator."""
    folder = tmp_path_factory.mktemp("team")
    file = users(folder, "amy", "bob", "eve", "root")
    rules = ("--auth-file", file, "--require-auth", "--enforce-access-control", "--admin-user", "root")
    server = ServerProcess(folder, *rules)
    yield server
    server.close()


# the three cases


def asked(server, path, headers):
    """Ask for a path of the whole server; returns status, headers and JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.headers, json.loads(text) if text.startswith(b"{") else text


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/ping",
        f"{BASE}/version",
        f"{BASE}/workflows",
        f"{BASE}/nothing",
        f"{BASE}/ping/",
        BASE,
        "/",
        "/nothing",
        "/version",
        "/metrics",
    ],
)
def test_when_logins_are_required_every_path_asks_for_one(team, path):
    for headers in ({}, login(f"nobody{len(path)}"), {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        status, answered, body = asked(team, path, headers)
        assert status == 401
        assert answered["WWW-Authenticate"] == 'Basic realm="Torc"'
        assert "message" in body["error"]
    assert asked(team, path, login("amy"))[0] in (200, 404)


def test_health_is_told_to_everybody(team):
    assert asked(team, "/health", {})[0] == 200


def test_without_required_logins_wrong_ones_are_nobody(start_server, tmp_path):
    server = start_server("--auth-file", users(tmp_path, "amy"))
    new = {"name": "w", "user": "somebody"}
    owners = [
        server.ask("POST", "/workflows", new, headers=who)[2]["user"] for who in (login("amy"), login("amy", "x"), {})
    ]
    assert owners == ["amy", "somebody", "somebody"]


def test_without_a_file_nobody_is_known(server):
    status, _, body = server.ask("POST", "/workflows", {"name": "w", "user": "x"}, headers=login("amy"))
    assert (status, body["user"]) == (200, "x")
    with server.service("ada") as service, pytest.raises(NoAuthFile):
        service.reload_auth()


def test_curl_logs_in_with_its_option(team):
    def curl(*words):
        done = subprocess.run(
            ["curl", "-sS", "-w", " %{http_code}", *words, f"{team.url}/ping"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert curl("-u", "amy:amy-pw") == '{"status":"ok"} 200'
    assert curl("-u", "amy:no").endswith(" 401")
    assert curl().endswith(" 401")


# rights


def test_people_use_their_own_workflows_and_those_of_their_groups(team):
    amy, bob, eve, root = (client(team, name) for name in ("amy", "bob", "eve", "root"))
    group = root.create(AccessGroup(name="team"))
    root.add_user_to_group(group.id, UserGroupMembership(user_name="bob", role="member"))
    workflow = amy.create(Workflow(name="w", user="eve", access_groups=["team"]))
    assert (workflow.user, workflow.access_groups) == ("amy", ["team"])
    file = bob.create(File(workflow_id=workflow.id, name="f", path="p"))
    for ask in (
        lambda: eve.get(Workflow, workflow.id),
        lambda: eve.get(File, file.id),
        lambda: eve.update(File, file.id, {"path": "q"}),
        lambda: bob.update(Workflow, workflow.id, {"user": "bob"}),
        lambda: bob.find(AccessGroup),
        lambda: amy.reload_auth(),
    ):
        with pytest.raises(Forbidden):
            ask()
    assert [w.id for w in eve.find(Workflow, user="amy").items] == []
    assert workflow.id in [w.id for w in bob.find(Workflow).items]
    assert workflow.id in [w.id for w in root.find(Workflow).items]
    assert root.reload_auth().user_count == 4
    for service in (amy, bob, eve, root):
        service.close()


def test_listeners_and_waits_are_for_those_who_may(team):
    amy, eve = client(team, "amy"), client(team, "eve")
    workflow = amy.create(Workflow(name="w"))
    for path in (f"/workflows/{workflow.id}/events/stream", f"/workflows/{workflow.id}/changes?wait_seconds=1"):
        assert team.ask("GET", path, headers=login("eve"))[0] == 403
    with pytest.raises(Forbidden):
        eve.watch_events(workflow.id)
    amy.watch_events(workflow.id).close()
    amy.close()
    eve.close()


def test_commands_log_in_and_keep_groups(team, tmp_path):
    env = {"TORC_API_URL": team.url, "USER": "root", "TORC_PASSWORD": "root-pw"}
    torc(tmp_path, "access-groups", "create", "wind", "-d", "about wind", **env)
    listed = json.loads(torc(tmp_path, "access-groups", "list", "-f", "json", **env).stdout)["items"]
    group = next(g for g in listed if g["name"] == "wind")
    torc(tmp_path, "access-groups", "add-user", group["id"], "amy", "-r", "admin", **env)
    assert "amy" in torc(tmp_path, "access-groups", "list-members", "wind", **env).stdout
    amy = {"TORC_API_URL": team.url, "TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw"}
    (tmp_path / "w.yaml").write_text("name: w\naccess_groups: [wind]\njobs: [{name: a, command: 'true'}]\n")
    made = json.loads(torc(tmp_path, "create", "w.yaml", "-f", "json", **amy).stdout)
    assert "wind" in torc(tmp_path, "access-groups", "list-workflow-groups", made["workflow_id"], **amy).stdout
    assert "wind" in torc(tmp_path, "access-groups", "list-user-groups", "amy", **amy).stdout
    torc(tmp_path, "access-groups", "remove-workflow", made["workflow_id"], "wind", **amy)
    torc(tmp_path, "access-groups", "add-workflow", made["workflow_id"], "wind", **amy)
    torc(tmp_path, "access-groups", "remove-user", group["id"], "amy", **env)
    torc(tmp_path, "access-groups", "delete", group["id"], **env)
    assert "read 4 users" in torc(tmp_path, "admin", "reload-auth", **env).stdout
    assert "administrators" in torc(tmp_path, "access-groups", "list", code=1, **amy).stderr
    wrong = torc(tmp_path, "workflows", "list", code=1, **{**amy, "TORC_PASSWORD": "guess"})
    assert "wrong" in wrong.stderr
    assert "TORC_PASSWORD" in wrong.stderr
    assert torc(tmp_path, "workflows", "list", "--password", "amy-pw", **{**amy, "TORC_PASSWORD": "guess"})


def test_a_password_is_asked_for_on_a_terminal(team, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "torc_core.cli", "--url", team.url, "ping", "--prompt-password"]
    env = environment(tmp_path, TORC_USERNAME="amy", TORC_PASSWORD="wrong")
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True, preexec_fn=_terminal
    )
    os.close(theirs)
    seen = b""
    while b"Password of amy: " not in seen:
        seen += os.read(ours, 1024)
    os.write(ours, b"amy-pw\n")
    while b"Server is running" not in seen:
        seen += os.read(ours, 1024)
    assert process.wait(60) == 0
    os.close(ours)
    assert b"amy-pw" not in seen


def _terminal():
    """Make standard input the terminal of the new session, as a shell would."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_project_s_file_does_not_get_at_passwords(tmp_path):
    (tmp_path / "torc.toml").write_text('client.api_url = "https://thief.example.org/torc-service/v1"\n')
    for secret in ({"TORC_PASSWORD": "x"}, {"TORC_TOKEN": "x"}, {"TORC_COOKIE_HEADER": "x"}):
        assert "gets no password" in torc(tmp_path, "ping", code=2, **secret).stderr


# jobs


def test_jobs_work_with_a_token_that_ends_with_the_run(team, tmp_path):
    (tmp_path / "w.yaml").write_text(
        "name: w\njobs:\n  - name: a\n    command: |\n"
        "      env > env.txt; torc ping; torc status $TORC_WORKFLOW_ID; torc delete $TORC_WORKFLOW_ID --no-prompts\n"
    )
    bin_folder = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"TORC_API_URL": team.url, "TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw", "PATH": bin_folder}
    torc(tmp_path, "run", "w.yaml", **env)
    seen = dict(line.partition("=")[::2] for line in (tmp_path / "env.txt").read_text().splitlines())
    assert "amy-pw" not in (tmp_path / "env.txt").read_text()
    assert seen["TORC_API_URL"] == team.url
    written = "".join(file.read_text() for file in (tmp_path / "torc_output" / "job_stdio").iterdir())
    assert "Server is running" in written
    assert "token is not enough for delete_workflow" in written
    amy = client(team, "amy")
    assert amy.find(WorkerToken, int(seen["TORC_WORKFLOW_ID"])).items == []
    amy.close()
    with pytest.raises(Unauthorized, match="revoked"):
        client(team, "amy", token=seen["TORC_TOKEN"]).ping()


def test_a_runner_needs_no_more_than_a_token(team, tmp_path):
    amy = {"TORC_API_URL": team.url, "TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw"}
    (tmp_path / "w.yaml").write_text("name: w\njobs: [{name: a, command: echo done > a.txt}]\n")
    made = json.loads(torc(tmp_path, "create", "w.yaml", "-f", "json", **amy).stdout)["workflow_id"]
    torc(tmp_path, "workflows", "init", made, "--no-prompts", **amy)
    token = torc(tmp_path, "server", "token", "create", made, "--expires", "7d", **amy).stdout.strip()
    worker = {"TORC_API_URL": team.url, "TORC_TOKEN": token}
    torc(tmp_path, "run", made, **worker)
    assert (tmp_path / "a.txt").read_text() == "done\n"
    listed = json.loads(torc(tmp_path, "server", "token", "list", made, "-f", "json", **amy).stdout)["items"]
    assert [t["user"] for t in listed] == ["amy"]
    torc(tmp_path, "server", "token", "revoke", listed[0]["id"], **amy)
    assert "revoked" in torc(tmp_path, "status", made, code=1, **worker).stderr


# the file of users


def test_a_hangup_has_the_file_read_again(start_server, tmp_path):
    file = users(tmp_path, "amy")
    server = start_server("--auth-file", file, "--require-auth")
    assert server.ask("GET", "/ping", headers=login("bob"))[0] == 401
    users(tmp_path, "amy", "bob")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.ask("GET", "/ping", headers=login("bob"))[0] in (200,), server.text)
    file.write_text("amy:oops\n")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "stay as they were" in server.text(), server.text)
    assert server.ask("GET", "/ping", headers=login("amy"))[0] == 200


@pytest.mark.parametrize(("text", "said"), [("amy:oops\n", "users:1: "), ("", "has no users"), (None, "No such file")])
def test_a_server_does_not_start_with_a_wrong_file(tmp_path, text, said):
    if text is not None:
        (tmp_path / "users").write_text(text)
    words = ("server", "run", "--port", "0", "--database", "x.db", "--auth-file", "users")
    assert said in torc(tmp_path, *words, code=1).stderr


def test_a_server_does_not_start_half_protected(tmp_path):
    words = ("server", "run", "--port", "0", "--database", "x.db")
    assert "--auth-file" in torc(tmp_path, *words, "--require-auth", code=1).stderr
    assert "--auth-file" in torc(tmp_path, *words, "--enforce-access-control", code=1).stderr
    assert "certificate" in torc(tmp_path, *words, "--https", code=1).stderr
    assert "--unprotected" in torc(tmp_path, *words, "--host", "0.0.0.0", code=2).stderr


def test_passwords_that_travel_unencrypted_are_warned_of_once(start_server, tmp_path):
    server = start_server("--host", "0.0.0.0", "--auth-file", users(tmp_path, "amy"), "--require-auth")
    assert server.text().count("passwords travel unencrypted") == 1


def test_wrong_passwords_are_slow_and_others_are_not(start_server, tmp_path):
    server = start_server("--auth-file", users(tmp_path, "amy", "bob"), "--require-auth", "--threads", "2")
    statuses = [server.ask("GET", "/ping", headers=login("amy", "guess"))[0] for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    status, headers, body = server.ask("GET", "/ping", headers=login("amy"))
    assert (status, headers["Retry-After"]) == (429, "1")
    assert "wait" in body["error"]["message"]
    assert server.ask("GET", "/ping", headers=login("bob"))[0] == 200
