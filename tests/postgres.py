"""A private PostgreSQL server for tests: made when the first test asks, one for each process of pytest.

It listens on a Unix socket in a folder of its own and lets everybody in. Where PostgreSQL is not installed, tests are
skipped; in CI they fail.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

USER = "torc"
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
LIMIT_S = 60
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # what was written survives the server, if not the machine
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "log_min_messages": "warning",
}


def missing(what):
    """Skip the test; in CI nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, which CI must have")
    pytest.skip(what)


def programs():
    """Return the folder with the server's programs; None where there are none."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    folders = [path for place in PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    return max(
        folders, key=lambda path: [int(part) for part in path.parts[-2].split(".") if part.isdigit()], default=None
    )


def unprivileged():
    """Return arguments that start a program as somebody who may run PostgreSQL, which refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def name_of(url):
    """Return the name of the database at an address."""
    return url.partition("@/")[2].partition("?")[0]


class PostgresServer:
    """A server with data of its own; ``url`` makes a new database."""

    def __init__(self, bin_folder):
        self._bin = bin_folder
        self._names = count(1)
        self._process = None
        self.folder = Path(tempfile.mkdtemp(prefix="torc-pg-", dir="/tmp"))  # paths of sockets must be short
        self._as_user = unprivileged()
        if self._as_user:
            os.chown(self.folder, self._as_user["user"], self._as_user["group"])
        self.folder.chmod(0o755)
        arguments = ["--pgdata", self.folder / "data", "--username", USER, "--auth=trust"]
        self._run("initdb", *arguments, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
        self.start()

    def _run(self, program, *arguments):
        done = subprocess.run(
            [self._bin / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        """Start and wait until it answers."""
        options = [text for name, value in SETTINGS.items() for text in ("-c", f"{name}={value}")]
        command = [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder, *options]
        if setpriv := shutil.which("setpriv"):  # so that it never outlives the tests
            command = [setpriv, "--pdeathsig", "INT", *command]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self._as_user
            )
        self.wait()

    def wait(self):
        """Wait until it answers."""
        import psycopg

        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError as exc:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, f"{exc}\n{self.log()}"
                time.sleep(0.02)
            else:
                return

    def stop(self, how=signal.SIGINT):
        """Stop: SIGINT ends connections first, SIGQUIT just drops everything."""
        self._process.send_signal(how)
        self._process.wait(LIMIT_S)

    def remove(self):
        """Stop, and leave nothing behind."""
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        """Return what the server said."""
        return (self.folder / "log").read_text()

    def connect(self, database="postgres"):
        """Return an ordinary connection that commits each statement."""
        import psycopg

        return psycopg.connect(
            host=str(self.folder), user=USER, dbname=database, autocommit=True, application_name="test"
        )

    def url(self, options=""):
        """Return the address of a new database; ``options`` are those of CREATE DATABASE."""
        name = f"db{next(self._names)}"
        with self.connect() as connection:
            if connection.info.server_version >= 150000:
                options += " STRATEGY file_copy"  # three times as fast
            connection.execute(f"CREATE DATABASE {name} {options}")
        return f"postgresql://{USER}@/{name}?host={quote(str(self.folder), safe='')}"

    def drop(self, url):
        """Remove a database that ``url`` made."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)")

    def connect_to(self, url):
        """Return an ordinary connection to the database at an address that ``url`` gave."""
        return self.connect(name_of(url))

    def backends(self, url, program="torc%"):
        """Return the server's process ids of the connections that torc has to a database."""
        with self.connect_to(url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s",
                (program,),
            )
            return [pid for (pid,) in rows]

    def terminate(self, url):
        """End torc's connections to a database as an administrator would; returns how many, when they are gone."""
        with self.connect_to(url) as connection:
            ask = "SELECT pg_terminate_backend(%s, 10000)"
            return sum(connection.execute(ask, (pid,)).fetchone()[0] for pid in self.backends(url))


@pytest.fixture(scope="session")
def postgres_server():
    """Give the server of this process of pytest."""
    if find_spec("psycopg") is None:
        missing("psycopg is not installed (extra 'postgresql')")
    folder = programs()
    if folder is None:
        missing("PostgreSQL is not installed (Debian package postgresql)")
    server = PostgresServer(folder)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _shared_url(postgres_server):
    return postgres_server.url()


@pytest.fixture
def emptied_postgres_url(postgres_server, _shared_url):
    """Give the address of a database that has the tables, once it was used, but no rows; faster than a new one."""
    yield _shared_url
    with postgres_server.connect_to(_shared_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        if used := [name for (name,) in tables if name != "torc_version"]:
            connection.execute(f"TRUNCATE {', '.join(used)}")


@pytest.fixture
def postgres_url(postgres_server):
    """Give the address of a new and empty database."""
    url = postgres_server.url()
    yield url
    postgres_server.drop(url)
