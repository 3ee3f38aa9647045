"""Copies of databases: of a server while runners use it, of nobody's file, of PostgreSQL; and what is refused."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.postgres import PLACES
from tests.server.seeding import MOMENT, node, ready, workflow
from tests.server.server_process import environment, until
from torc_core.errors import StorageError
from torc_core.records.answers import FinishedJob, Tick
from torc_core.status import JobStatus
from torc_server.copies import checked

BATCH = 20


def torc(folder, *words, code=0, **env):
    """Run a command and return what it says on standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "torc_core.cli", *map(str, words)], cwd=folder, env=environment(folder, **env),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def counts(path):
    """Return how many jobs, completed jobs and results a copy has."""
    with closing(sqlite3.connect(path)) as db:
        asked = "jobs", f"jobs WHERE status = {JobStatus.COMPLETED.number}", "results"
        return [db.execute(f"SELECT count(*) FROM {what}").fetchone()[0] for what in asked]


def ended(job_id):
    return FinishedJob(
        job_id=job_id, attempt_id=1, status=JobStatus.COMPLETED, return_code=0, exec_time_minutes=0.1,
        completion_time=MOMENT,
    )  # fmt: skip


def work(server, workflow_id, stop):
    """Claim and complete twenty jobs a turn, until told to stop."""
    with server.service() as service:
        node_id, run_id = node(server, workflow_id), service.get_workflow_status(workflow_id).run_id
        report = None
        while not stop.is_set():
            tick = Tick(compute_node_id=node_id, run_id=run_id, limit=BATCH, finished=report)
            report = [ended(job.id) for job in service.tick(workflow_id, tick).jobs]
            if not report:
                return


def test_a_copy_of_a_busy_server_is_of_one_moment_and_can_be_served(server, start_server, tmp_path):
    workflow_id, _ = ready(server, *(f"j{n}" for n in range(10_000)))
    results = f"/results?limit=1&workflow_id={workflow_id}"
    stop = threading.Event()
    working = threading.Thread(target=work, args=(server, workflow_id, stop))
    working.start()
    try:
        for n in range(2):
            before = until(lambda: server.get(results)["total_count"], "nothing ends")
            torc(tmp_path, "server", "backup", f"copy{n}.db", "--url", server.url)
            after = server.get(results)["total_count"]
            jobs, completed, kept = counts(tmp_path / f"copy{n}.db")
            assert jobs == 10_000
            assert before <= completed == kept <= after  # a job and its result are of one transaction
            assert completed % BATCH == 0
    finally:
        stop.set()
        working.join(60)
    until(lambda: server.get(results)["total_count"] >= after, "it did not go on")
    server.stop()
    again = start_server(database=str(tmp_path / "copy1.db"))
    assert again.get(results)["total_count"] == kept
    assert again.get(f"/jobs?workflow_id={workflow_id}&status=completed&limit=1")["total_count"] == kept
    assert again.get(f"/jobs?workflow_id={workflow_id}&limit=1")["total_count"] == 10_000


def test_it_is_told_what_was_written(server, tmp_path):
    ready(server, "a", "b")
    said, _ = torc(tmp_path, "server", "backup", "c.db", "--url", server.url, "--format", "json")
    told = json.loads(said)
    assert {name: told[name] for name in ("file", "workflows", "jobs", "source")} == {
        "file": "c.db", "workflows": 1, "jobs": 2, "source": server.url,
    }  # fmt: skip
    assert told["bytes"] == (tmp_path / "c.db").stat().st_size
    assert (tmp_path / "c.db").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob(".*torc-backup*")] == []
    said, _ = torc(tmp_path, "server", "backup", "d.db", "--url", server.url)
    assert said.startswith("Wrote d.db: 1 workflow, 2 jobs")


def test_a_file_is_replaced_only_by_force(server, tmp_path):
    workflow(server)
    (tmp_path / "c.db").write_text("precious")
    _, error = torc(tmp_path, "server", "backup", "c.db", "--url", server.url, code=2)
    assert "exists already" in error
    assert "--force" in error
    assert (tmp_path / "c.db").read_text() == "precious"
    torc(tmp_path, "server", "backup", "c.db", "--url", server.url, "--force")
    assert checked(tmp_path / "c.db").workflows == 1


def test_a_database_in_use_is_never_replaced(server, tmp_path):
    _, error = torc(tmp_path, "server", "backup", "server.db", "--url", server.url, "--force", code=2)
    assert "in use" in error
    workflow(server)


def test_the_server_of_a_database_is_found_by_its_file(server, tmp_path):
    workflow(server)
    said, _ = torc(tmp_path, "server", "backup", "c.db", "--db", "server.db", "--format", "json")
    assert json.loads(said)["source"] == server.url


def test_a_database_that_nobody_uses_is_copied_directly(server, tmp_path):
    workflow(server)
    server.stop()
    torc(tmp_path, "server", "backup", "c.db", "--db", "server.db")
    assert checked(tmp_path / "c.db").workflows == 1
    _, error = torc(tmp_path, "server", "backup", "server.db", "--db", "server.db", "--force", code=2)
    assert "the database itself" in error
    _, error = torc(tmp_path, "server", "backup", "d.db", "--db", "nothing.db", code=1)
    assert "there is no database" in error
    assert not (tmp_path / "nothing.db").exists()


def test_where_it_cannot_be_written_nothing_is_left(server, tmp_path):
    _, error = torc(tmp_path, "server", "backup", "no/such/c.db", "--url", server.url, code=1)
    assert "cannot write" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("text", [b"", b"SQLite format 3\0" + b"x" * 5000, b"{}"])
def test_what_is_no_database_is_seen(tmp_path, text):
    (tmp_path / "c.db").write_bytes(text)
    with pytest.raises(StorageError):
        checked(tmp_path / "c.db")


def test_a_damaged_copy_is_seen(server, tmp_path):
    ready(server, *(f"j{n}" for n in range(2000)))
    torc(tmp_path, "server", "backup", "c.db", "--url", server.url)
    path = tmp_path / "c.db"
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 8192] = bytes(8192)
    path.write_bytes(data)
    with pytest.raises(StorageError):
        checked(path)


@pytest.mark.parametrize(
    ("words", "stranger", "user"),
    [((), 0, 0), (("--require-auth",), 1, 0), (("--require-auth", "--enforce-access-control"), 1, 1)],
)
def test_copies_are_for_those_who_may_do_everything(start_server, tmp_path, words, stranger, user):
    for name in ("ada", "root"):
        torc(tmp_path, "server", "user", "add", name, "-f", "users", "-p", f"pw-{name}", "-c", 4)
    server = start_server("--auth-file", "users", "--admin-user", "root", *words)
    asked = "server", "backup", "--url", server.url
    torc(tmp_path, *asked, "root.db", TORC_USERNAME="root", TORC_PASSWORD="pw-root")
    _, error = torc(tmp_path, *asked, "ada.db", code=user, TORC_USERNAME="ada", TORC_PASSWORD="pw-ada")
    assert ("administrators" in error) == bool(user)
    torc(tmp_path, *asked, "nobody.db", code=stranger)
    assert (tmp_path / "nobody.db").exists() == (not stranger)
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob(".torc-backup*")) == []


def test_postgresql_is_copied_by_its_own_tools(start_server, postgres_url, tmp_path):
    url = postgres_url.replace("torc@", "torc:secret@")
    server = start_server(database=url)
    ready(server, "a", "b", "c")
    _, error = torc(tmp_path, "server", "backup", "c.db", "--url", server.url, code=1)
    assert "secret" not in error
    command = re.search(r"pg_dump .*", error)[0]
    assert command == f"pg_dump --format=custom --file=FILE '{postgres_url}'"
    pg_dump = next((path for place in PLACES for path in Path("/").glob(f"{place[1:]}/pg_dump")), None)
    if pg_dump is not None:  # some machines have the server without its tools
        subprocess.run([pg_dump, *shlex.split(command)[1:]], cwd=tmp_path, check=True, timeout=60)
        assert (tmp_path / "FILE").read_bytes().startswith(b"PGDMP")
    assert not (tmp_path / "c.db").exists()
    torc(tmp_path, "server", "backup", "c.db", "--url", server.url, "--sqlite")
    assert checked(tmp_path / "c.db").jobs == 3
