"""A service and a whole program on a PostgreSQL database that fails them now and then."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter

import pytest

from tests.plugins.storage.postgres_proxy import LOSE_ANSWER, SWALLOW
from tests.plugins.storage.postgres_use import run_under_fire
from tests.server.server_process import until
from tests.unit.service.conftest import Desk
from torc_core.errors import Unavailable
from torc_core.records.resources import Event, Workflow
from torc_core.service.local import LocalService
from torc_plugins.storage.postgresql_storage import PostgresqlStorage


def serve(url):
    return LocalService(PostgresqlStorage(url.removeprefix("postgresql:")))


@pytest.fixture
def desk(proxy, postgres_url):
    """A service behind a wire that can break, with a running workflow: b waits for a."""
    service = serve(proxy.url(postgres_url))
    desk = Desk(service)
    desk.jobs((), (0,))
    desk.begin()
    yield desk
    service.close()


@pytest.mark.parametrize(("fault", "is_kept"), [(SWALLOW, False), (LOSE_ANSWER, True)])
def test_memory_knows_what_was_kept_when_a_commit_breaks(desk, proxy, fault, is_kept):
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    proxy.at_commit(fault)
    if is_kept:
        desk.finished({job.id: 0})
    else:
        with pytest.raises(Unavailable):
            desk.finished({job.id: 0})
        assert desk.statuses() == "a=running b=blocked"
        desk.finished({job.id: 0})
    assert proxy.broken.is_set()
    assert desk.statuses() == "a=completed b=ready"
    assert [job.name for job in desk.tick(limit=9).jobs] == ["b"]
    assert desk.tick(limit=9).jobs == []


def test_what_another_owner_did_meanwhile_is_seen_and_waiters_hear_of_it(desk, proxy, postgres_server, postgres_url):
    heard = threading.Event()
    desk.service.on_change(desk.workflow_id, heard.set)
    before = desk.service.wait_for_change(desk.workflow_id).version
    answers = []
    waiter = threading.Thread(
        target=lambda: answers.append(desk.service.wait_for_change(desk.workflow_id, before, 60).version)
    )
    waiter.start()
    until(lambda: desk.service._owner._moved._waiters, "nobody waits")
    proxy.cut()
    postgres_server.terminate(postgres_url)
    other = serve(postgres_url)
    theirs = Desk(other)
    theirs.workflow_id = desk.workflow_id
    (job,) = theirs.tick(limit=1).jobs
    theirs.finished({job.id: 0})
    with pytest.raises(Unavailable, match="in use by process"):
        desk.tick(limit=1)
    other.close()
    heard.clear()
    assert desk.statuses() == "a=completed b=ready"
    assert heard.is_set()
    waiter.join(30)
    assert answers != [before]
    assert answers
    assert [job.name for job in desk.tick(limit=9).jobs] == ["b"]


def test_of_many_changes_under_fire_each_is_kept_once_or_told_as_not_kept(postgres_server, postgres_url):
    service = serve(postgres_url)
    workflow = service.create(Workflow(name="w")).id
    told, refused = [], Counter()

    def work(worker):
        for number in range(150):
            name = f"{worker} {number}"
            while True:
                try:
                    service.create(Event(workflow_id=workflow, timestamp=0, data={"name": name}))
                    told.append(name)
                    break
                except Unavailable as exc:
                    refused[exc.details["outcome"]] += 1

    assert run_under_fire(postgres_server, postgres_url, work, 4, told, 10) > 0
    events = service.find(Event, workflow).items
    assert len(told) == 600
    assert sorted(event.data["name"] for event in events) == sorted(told)
    assert set(refused) <= {"not sent"}
    service.close()


def torc(folder, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORC_")}
    command = [sys.executable, "-m", "torc_core.cli", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"HOME": str(folder)},
    )


def test_a_whole_run_goes_on_while_connections_end(tmp_path, postgres_server, postgres_url):
    """Every job runs exactly once, and the program ends well."""
    (tmp_path / "spec.yaml").write_text(
        'name: many\njobs:\n  - {name: "job {i}", command: "echo {i} >> ran; sleep 0.02", parameters: {i: "1:60"}}\n'
    )
    run = torc(tmp_path, "--db", postgres_url, "run", "spec.yaml", "--max-parallel-jobs", "2")
    shots = 0
    while run.poll() is None:
        backends = postgres_server.backends(postgres_url)
        ran = (tmp_path / "ran").read_text().split() if (tmp_path / "ran").exists() else []
        if backends and len(ran) >= 10 * (shots + 1):
            postgres_server.terminate(postgres_url)
            shots += 1
    out, err = run.communicate()
    assert run.returncode == 0, out + err
    assert shots >= 2, out + err
    assert Counter((tmp_path / "ran").read_text().split()) == {str(i): 1 for i in range(1, 61)}
    listed = torc(tmp_path, "--db", postgres_url, "-f", "json", "jobs", "list", "1")
    out, err = listed.communicate()
    assert {job["status"] for job in json.loads(out)["items"]} == {"completed"}, err


def test_a_second_program_is_told_who_has_the_database(tmp_path, postgres_url):
    service = serve(postgres_url)
    program = torc(tmp_path, "--db", postgres_url, "workflows", "list")
    out, err = program.communicate()
    assert program.returncode == 1
    assert f"is in use by process {os.getpid()} on {os.uname().nodename} since 20" in err, out
    assert "Traceback" not in err
    service.close()
