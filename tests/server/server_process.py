"""A real server in a process of its own, for tests of any folder: start it, wait until it listens, end or kill it."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from torc_core.service.http import HttpService
from torc_core.service.server_address import BASE, Login

DEADLINE_S = 60
RELEASES = {"0.12": "0.12.3", "0.22": "0.22.2", "0.35": "0.35.0"}
"""The official Python client, of each generation."""
STORAGES = ("sqlite", "postgresql")
"""What the wire has to be the same on."""
LEFT_OUT = ("TORC_", "XDG_", "DATABASE_URL", "RUST_LOG", "LISTEN_")


def environment(home, **more):
    """Return the environment of a program that sees nothing of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    return kept | {"HOME": str(home), "USER": "ada", "LC_ALL": "C.UTF-8"} | more


def until(condition, what, seconds=DEADLINE_S):
    """Wait until ``condition()`` is true and return what it gave; ``what`` (text or a function) is told otherwise."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.005)
    return found


class ServerProcess:
    """``torc server run`` on a free port; everything it keeps and writes is in ``folder``.

    ``words`` are more options. The same folder again (after ``stop`` or ``kill``) serves the same database; ``port``
    may then be the same, too.
    """

    def __init__(self, folder, *words, database=None, port=0, **env):
        self.folder = Path(folder)
        self.database = database or str(self.folder / "server.db")
        self.log = self.folder / "server.log"
        command = [sys.executable, "-m", "torc_core.cli", "server", "run", "--port", str(port)]
        command += ["--database", self.database, *map(str, words)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, cwd=self.folder, env=environment(self.folder, **env)
            )
        line = self.process.stdout.readline().decode()
        name, _, number = line.strip().partition("=")
        assert name == "TORC_SERVER_PORT", (line, self.text())
        self.port = int(number)
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = self.root + BASE

    def text(self):
        """Return what the server has logged."""
        return self.log.read_text()

    @contextlib.contextmanager
    def service(self, user="ada"):
        """Give our own client of it."""
        service = HttpService(self.url, Login(user))
        yield service
        service.close()

    def ask(self, method, path, data=None, *, headers=None, body=None):
        """Ask as a stranger does, below the base path; returns status, headers and decoded JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        given = {} if headers is None else dict(headers)
        if data is not None:
            body = json.dumps(data)
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path if path.startswith("//") else BASE + path, body, given)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, answer.headers, json.loads(text) if text else None

    def get(self, path):
        """Return the JSON of an answer that has to be a success."""
        status, _, data = self.ask("GET", path)
        assert status == 200, data
        return data

    def post(self, path, data=None):
        """Send JSON and return that of an answer that has to be a success."""
        status, _, answer = self.ask("POST", path, data)
        assert status == 200, answer
        return answer

    def put(self, path, data=None):
        """Send JSON and return that of an answer that has to be a success."""
        status, _, answer = self.ask("PUT", path, data)
        assert status == 200, answer
        return answer

    def stop(self):
        """End the server in good order and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        return self._wait()

    def _wait(self):
        try:
            return self.process.wait(DEADLINE_S)
        finally:
            self.process.stdout.close()

    def close(self):
        """Make sure that nothing is left."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self._wait()
