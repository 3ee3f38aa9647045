"""What keeps a server running: the unit for systemd, the file for containers, and that they say the same as we do."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.server_process import environment
from torc_server.units import Unit, text_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
LOGINS = ("--auth-file", "users", "--require-auth")


def unit(folder, *words, code=0):
    """Return what ``torc server unit`` prints and says."""
    done = subprocess.run(
        [sys.executable, "-m", "torc_core.cli", "server", "unit", *words], cwd=folder, env=environment(folder),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def command(text):
    """Return the words that a unit starts."""
    found = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(found[1].replace("\\\n", " "))]


def test_the_example_is_what_its_readme_says(tmp_path):
    said = re.search(r"^torc server unit (.*?)^```", (DEPLOY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    printed, _ = unit(tmp_path, *shlex.split(said[1].replace("\\\n", " ")))
    assert printed == (DEPLOY / "torc.service").read_text()


def test_options_and_paths_are_those_of_the_server(tmp_path):
    words = ("-p", "443", "-t", "4", "-d", "my data/x%.db", "--json-logs", "--admin-user", "a", "--admin-user", "b")
    printed, _ = unit(tmp_path, *words, *LOGINS, "--program", "bin/torc")
    assert command(printed) == [
        f"{tmp_path}/bin/torc", "server", "run", "--port", "443", "--database", f"{tmp_path}/my data/x%.db",
        "--threads", "4", "--json-logs", "--auth-file", f"{tmp_path}/users", "--require-auth", "--admin-user", "a",
        "--admin-user", "b",
    ]  # fmt: skip
    assert f'ReadWritePaths="{tmp_path}/my data"\n' in printed
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in printed
    assert "ExecReload=" in printed


def test_a_unit_that_would_not_start_is_refused(tmp_path):
    _, error = unit(tmp_path, "--host", "0.0.0.0", code=2)
    assert "--require-auth" in error
    assert "0.0.0.0" in unit(tmp_path, "--host", "0.0.0.0", "--unprotected")[0]


@pytest.mark.parametrize("url", ["postgresql://torc:geheim@db/torc", "postgresql://torc@db/torc?password=geheim"])
def test_no_password_gets_into_a_unit(tmp_path, url):
    printed, said = unit(tmp_path, "--database", url)
    assert "geheim" not in printed + said
    assert "DATABASE_URL" in said
    assert "--database" not in command(printed)
    assert "EnvironmentFile=-/etc/torc/environment\n" in printed


def test_a_database_without_a_password_is_named(tmp_path):
    printed, _ = unit(tmp_path, "--database", "postgresql://torc@db/torc")
    assert command(printed)[-2:] == ["--database", "postgresql://torc@db/torc"]


def test_signs_of_systemd_are_only_signs():
    text = text_of(Unit(["/opt/torc"], [["--database", 'a"b\\c $HOME %h']], "torc"))
    assert '--database "a\\"b\\\\c $$HOME %%h"\n' in text


def test_homes_are_out_of_sight_unless_they_are_needed():
    assert "ProtectHome=yes\n" in text_of(Unit(["/opt/torc"], [], "torc"))
    assert "ProtectHome=read-only\n" in text_of(Unit(["/home/ada/bin/torc"], [], "torc"))


def test_systemd_understands_it_and_finds_few_rights(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "torc.service"
    path.write_text(unit(tmp_path, *LOGINS, "--database", "my data/x%.db", "--log-dir", "l")[0])
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "torc" in line]) == (0, [])
    rate = [analyze, "security", "--offline=yes", "--threshold=25", path]
    done = subprocess.run(rate, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]


def test_systemd_hears_when_the_server_is_ready(tmp_path, start_server):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        server = start_server(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert sock.recv(100) == b"READY=1"
        assert server.get("/ping") == {"status": "ok"}


def lines(word):
    """Return the arguments of one kind of line of the file for containers."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)


def test_the_container_has_all_that_is_installed():
    copied = {path for line in lines("COPY") if "--from" not in line for path in line.split()[:-1]}
    assert {path.parent.name for path in ROOT.glob("torc_*/__init__.py")} < copied
    assert {"pyproject.toml", "README.md", "LICENSE"} < copied
    assert all((ROOT / path).exists() for path in copied)


def test_the_container_gives_no_rights_away():
    assert lines("USER") == ["10001"]
    assert lines("FROM") == ["python:3.12-slim AS build", "python:3.12-slim"]
    assert lines("VOLUME") == ["/var/lib/torc"]


def test_the_container_starts_a_server_that_its_check_finds_well(tmp_path):
    (tmp_path / "users").write_text("ada:$2b$04$" + "x" * 53 + "\n")
    (tmp_path / "users").chmod(0o600)
    places = {"/etc/torc/users": str(tmp_path / "users"), "/var/lib/torc/torc.db": str(tmp_path / "torc.db")}
    start = [places.get(word, word) for word in json.loads(lines("ENTRYPOINT")[0]) + json.loads(lines("CMD")[0])]
    check = json.loads(lines("HEALTHCHECK")[0].partition("CMD ")[2])
    env = environment(tmp_path, XDG_STATE_HOME=str(tmp_path / "state"))
    python = [sys.executable, "-m", "torc_core.cli"]

    def is_well():
        done = subprocess.run([*python, *check[1:]], env=env, capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    assert start[0] == check[0] == "torc"
    assert not is_well()
    server = subprocess.Popen([*python, *start[1:], "--port", "0"], env=env, stdout=subprocess.PIPE, cwd=tmp_path)
    try:
        assert server.stdout.readline().startswith(b"TORC_SERVER_PORT=")
        assert is_well()
    finally:
        server.kill()
        server.wait(30)
        server.stdout.close()
    assert not is_well()
