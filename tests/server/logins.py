"""Users with passwords, and what people who log in do: for tests of servers that ask for logins."""

import base64
import subprocess
import sys
from pathlib import Path

import bcrypt

from tests.server.server_process import environment
from torc_core.service.http import HttpService
from torc_core.service.server_address import Login


def users(folder, *names):
    """Write a file of users, each with the password NAME-pw, and return its path."""
    path = Path(folder, "users")
    path.write_text(
        "".join(f"{name}:{bcrypt.hashpw(f'{name}-pw'.encode(), bcrypt.gensalt(4)).decode()}\n" for name in names)
    )
    path.chmod(0o600)
    return path


def login(name, password=None):
    """Return the headers of a login."""
    text = f"{name}:{password or f'{name}-pw'}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def client(server, name, *, password=None, token=""):
    """Return our own client of somebody."""
    return HttpService(server.url, Login(name, None if token else password or f"{name}-pw", token))


def torc(folder, *words, code=0, **env):
    """Run a command without a terminal and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "torc_core.cli", *map(str, words)], capture_output=True, text=True, cwd=folder,
        env=environment(folder, **env), timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert code is None or done.returncode == code, done
    return done
