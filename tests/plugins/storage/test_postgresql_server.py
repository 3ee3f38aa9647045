"""A server for a team on PostgreSQL: killed, refused, and shot at while people use it."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.plugins.storage.postgres_use import run_under_fire
from tests.server.server_process import ServerProcess, environment


@pytest.fixture
def start(tmp_path, postgres_url):
    started = []

    def start():
        started.append(ServerProcess(tmp_path, database=postgres_url))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.close()


def workflow_with_jobs(server, number):
    workflow = server.post("/workflows", {"name": "w", "user": "ada"})["id"]
    for i in range(number):
        server.post("/jobs", {"workflow_id": workflow, "name": f"job {i}", "command": "true"})
    return workflow


def test_a_killed_server_loses_nothing_and_the_next_begins_at_once(start):
    server = start()
    workflow = workflow_with_jobs(server, 5)
    server.kill()
    server = start()
    assert [job["name"] for job in server.get(f"/jobs?workflow_id={workflow}")["items"]] == [
        f"job {i}" for i in range(5)
    ]
    assert server.stop() == 0


def test_a_second_server_is_refused_and_the_first_goes_on(start, tmp_path, postgres_url):
    server = start()
    folder = tmp_path / "second"
    folder.mkdir()
    command = [sys.executable, "-m", "torc_core.cli", "server", "run", "--port", "0", "--database", postgres_url]
    second = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode != 0
    assert f"is in use by process {server.process.pid} on" in second.stderr
    assert "Traceback" not in second.stderr
    workflow_with_jobs(server, 1)


def test_under_fire_every_answer_is_a_success_or_says_to_come_again(start, postgres_server, postgres_url):
    server = start()
    workflow = workflow_with_jobs(server, 0)
    codes = Counter()
    made = []

    def work(worker):
        for number in range(60):
            name = f"{worker} {number}"
            while True:
                status, _, answer = server.ask("POST", "/user_data", {"workflow_id": workflow, "name": name, "data": 1})
                codes[status] += 1
                if status == 200:
                    made.append(name)
                    break
                assert status == 503, answer
                status, _, answer = server.ask(
                    "GET", f"/user_data?workflow_id={workflow}&name={name.replace(' ', '%20')}"
                )
                codes[status] += 1
                assert status in (200, 503), answer

    assert run_under_fire(postgres_server, postgres_url, work, 3, made, 3) > 0
    kept = server.get(f"/user_data?workflow_id={workflow}")["items"]
    assert sorted(data["name"] for data in kept) == sorted(made)
    assert len(made) == 180
    assert set(codes) <= {200, 503}
