"""The program: it starts, says where, is found by commands, ends in good order, and refuses what would be unsafe."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.server.server_process import ServerProcess, environment, until
from torc_core.records.resources import Job, Workflow

DIAMOND = """
name: diamond
jobs:
  - {name: top, command: echo made > top.txt, output_files: [top]}
  - {name: left, command: cat top.txt, input_files: [top]}
  - {name: right, command: exit 3, input_files: [top]}
  - {name: bottom, command: echo never, depends_on: [left, right]}
files:
  - {name: top, path: top.txt}
"""


def torc(folder, *words, code=0, **env):
    """Run a command and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "torc_core.cli", *map(str, words)], capture_output=True, text=True, cwd=folder,
        env=environment(folder, **env), timeout=60, check=False,
    )  # fmt: skip
    assert code is None or done.returncode == code, done
    return done


def test_a_workflow_runs_through_the_server(server, tmp_path):
    (tmp_path / "spec.yaml").write_text(DIAMOND)
    torc(tmp_path, "--url", server.url, "run", "spec.yaml")
    with server.service() as service:
        found = {job.name: job.status.value for job in service.find(Job, 1).items}
        assert service.get(Workflow, 1).user == "ada"
    assert found == {"top": "completed", "left": "completed", "right": "failed", "bottom": "canceled"}
    assert not (tmp_path / "torc_output" / "torc.db").exists()


def test_jobs_are_told_the_address(server, tmp_path):
    (tmp_path / "spec.yaml").write_text("name: n\njobs:\n  - {name: a, command: 'echo $TORC_API_URL > url.txt'}\n")
    torc(tmp_path, "run", "spec.yaml", "--url", server.url)
    assert (tmp_path / "url.txt").read_text().strip() == server.url


def test_commands_find_the_server_of_their_user(server, tmp_path):
    done = torc(tmp_path, "workflows", "list", "-f", "json")
    assert json.loads(done.stdout)["items"] == []
    assert server.url in done.stderr
    assert len(done.stderr.splitlines()) == 1
    stranger = tmp_path / "home"
    stranger.mkdir()
    assert "no database" in torc(stranger, "workflows", "list", code=1).stderr


@pytest.mark.parametrize("words", [("--standalone",), ("--db", "other.db")])
def test_a_database_that_is_asked_for_wins_over_a_server(server, tmp_path, words):
    assert "no database" in torc(tmp_path, *words, "workflows", "list", code=1, TORC_API_URL=server.url).stderr


def test_the_variable_wins_over_the_found_server_and_the_option_over_the_variable(server, tmp_path):
    gone = "http://127.0.0.1:9/torc-service/v1"
    assert "127.0.0.1:9" in torc(tmp_path, "ping", code=1, TORC_API_URL=gone).stderr
    done = torc(tmp_path, "ping", "--url", server.url, TORC_API_URL=gone)
    assert (done.stdout, done.stderr) == ("Server is running\n", "")


def test_url_and_database_exclude_each_other(tmp_path):
    assert "--url" in torc(tmp_path, "--url", "http://h:1", "--db", "x.db", "ping", code=2).stderr


def test_neighbours_of_the_database_talk_to_the_server(server, tmp_path):
    torc(tmp_path, "workflows", "new", "--name", "made", "--url", server.url)
    done = torc(tmp_path, "--db", server.database, "workflows", "list", "-f", "json")
    assert [w["name"] for w in json.loads(done.stdout)["items"]] == ["made"]


def test_a_database_has_one_server(server, tmp_path):
    done = torc(tmp_path, "server", "run", "--port", "0", "--database", server.database, code=1)
    assert "in use" in done.stderr


def test_a_taken_port_is_refused(server, tmp_path):
    done = torc(tmp_path, "server", "run", "--port", server.port, "--database", "b.db", code=2)
    assert done.stderr.splitlines() == [
        f"Error: cannot listen on 127.0.0.1:{server.port}: Address already in use",
        "  Choose another with --port (0: any).",
    ]


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "already in use"), ("203.0.113.7", "Cannot assign"), ("no.such.host.invalid", "cannot listen on")],
)
def test_a_start_that_fails_makes_no_database(server, tmp_path, host, reason):
    words = ("server", "run", "--port", server.port, "--host", host, "--unprotected", "--database", "new/b.db")
    (tmp_path / "new").mkdir()
    assert reason in torc(tmp_path, *words, code=2).stderr
    assert reason in torc(tmp_path, *words, "--daemon", "--log-dir", tmp_path / "logs", code=1).stderr
    assert list((tmp_path / "new").iterdir()) == []


def test_that_a_database_is_in_use_is_told_before_a_taken_port(server, tmp_path):
    words = ("server", "run", "--port", server.port, "--database", server.database)
    assert "in use by another process of torc" in torc(tmp_path, *words, code=1).stderr


def test_a_taken_port_leaves_an_older_database_as_it_is(server, tmp_path):
    torc(tmp_path, "workflows", "new", "--name", "kept", "--db", "b.db", "--standalone")
    assert (
        "Address already in use"
        in torc(tmp_path, "server", "run", "--port", server.port, "--database", "b.db", code=2).stderr
    )
    listed = torc(tmp_path, "workflows", "list", "--db", "b.db", "-f", "json").stdout
    assert [workflow["name"] for workflow in json.loads(listed)["items"]] == ["kept"]


def test_an_address_that_is_not_of_this_machine_is_refused(tmp_path):
    words = ("server", "run", "--port", "0", "--database", "b.db", "--unprotected", "--host", "203.0.113.7")
    assert torc(tmp_path, *words, code=2).stderr.splitlines() == [
        "Error: cannot listen on 203.0.113.7:0: Cannot assign requested address",
        "  Name an address of this machine with --host.",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_leaves_nothing_behind(start_server, tmp_path, number):
    server = start_server()
    with server.service() as service:
        service.create(Workflow(name="kept"))
    server.process.send_signal(number)
    assert server.process.wait(30) == 0
    assert "stopped" in server.text()
    assert sorted(p.name for p in tmp_path.glob("server.db*")) == ["server.db", "server.db.lock"]
    assert list((tmp_path / ".local/state/torc/servers").iterdir()) == []
    with start_server().service() as service:
        assert [w.name for w in service.find(Workflow).items] == ["kept"]


def test_requests_under_way_are_answered_when_the_server_ends(server):
    with server.service() as service:
        workflow = service.create(Workflow(name="w"))
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            path = f"/torc-service/v1/workflows/{workflow.id}/changes?wait_seconds=60"
            version = server.get(f"/workflows/{workflow.id}/changes")["version"]
            sock.sendall(f"GET {path}&version={version} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            until(lambda: b"torc_waiting_requests 1" in metrics(server), "the request does not wait")
            assert server.stop() == 0
            assert sock.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"


def metrics(server):
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return sock.makefile("rb").read()


def test_the_server_ends_with_the_standard_input_of_its_parent(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "torc_core.cli", "server", "run", "--port", "0", "--shutdown-on-stdin-eof"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(tmp_path),
        cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout.readline().startswith(b"TORC_SERVER_PORT=")
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()
    assert (tmp_path / ".local/share/torc/torc.db").exists()


def test_other_machines_are_not_served_without_logins(tmp_path):
    done = torc(tmp_path, "server", "run", "--host", "0.0.0.0", "--port", "0", code=2)
    assert "--require-auth" in done.stderr
    server = ServerProcess(tmp_path, "--host", "0.0.0.0", "--unprotected")
    try:
        assert server.get("/ping") == {"status": "ok"}
    finally:
        server.close()


def test_status_and_stop(server, tmp_path):
    done = torc(tmp_path, "server", "status", "-f", "json")
    [found] = json.loads(done.stdout)["servers"]
    assert (found["url"], found["pid"], found["answers"]) == (server.url, server.process.pid, True)
    torc(tmp_path, "server", "stop")
    assert server.process.wait(30) == 0
    assert torc(tmp_path, "server", "status", code=1).stdout.startswith("No server")
    assert "no server" in torc(tmp_path, "server", "stop", code=1).stderr


def test_a_server_that_was_killed_is_not_found_any_more(server, tmp_path):
    server.kill()
    assert torc(tmp_path, "server", "status", code=1).stdout.startswith("No server")


def test_a_server_in_the_background(tmp_path):
    words = ("--port", "0", "--database", "d.db", "--daemon", "--log-dir", "logs", "--pid-file", "pid")
    done = torc(tmp_path, "server", "run", *words)
    pid = int((tmp_path / "pid").read_text())
    try:
        port = int(done.stdout.strip().partition("=")[2])
        assert torc(tmp_path, "ping", "--url", f"http://127.0.0.1:{port}").stdout == "Server is running\n"
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not (tmp_path / "pid").exists(), "the server does not end")
    assert "stopped" in (tmp_path / "logs" / "torc-server.log").read_text()


def test_a_server_in_the_background_tells_why_it_does_not_start(server, tmp_path):
    words = ("--port", server.port, "--database", "d.db", "--daemon")
    assert str(server.port) in torc(tmp_path, "server", "run", *words, code=1).stderr


def test_torc_server_runs_by_itself(tmp_path):
    code = "from torc_server.commands import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout.readline().startswith(b"TORC_SERVER_PORT=")
    process.terminate()
    assert process.wait(30) == 0
    process.stdout.close()
    listed = subprocess.run(
        [sys.executable, "-c", code, "status"], capture_output=True, env=environment(tmp_path), check=False
    )
    assert listed.returncode == 1
    wrong = subprocess.run(
        [sys.executable, "-c", code, "statsu"], capture_output=True, text=True, env=environment(tmp_path), check=False,
        timeout=60,
    )  # fmt: skip
    assert (wrong.returncode, "No such command 'statsu'" in wrong.stderr) == (2, True)
