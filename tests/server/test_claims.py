"""A thousand who claim jobs at the same time: none is given twice, none is left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import seeding
from tests.server.server_process import STORAGES, environment

CLAIMERS = Path(__file__).with_name("claimers.py")
PROCESSES, EACH, JOBS = 8, 125, 10_000


@pytest.mark.parametrize("storage", STORAGES)
def test_a_thousand_claimers_get_every_job_once(start_server, database_on, storage, tmp_path):
    server = start_server("--threads", "8", database=database_on(storage))
    workflow_id, ids = seeding.ready(server, *(f"j{n}" for n in range(JOBS)))
    node = seeding.node(server, workflow_id)
    words = [sys.executable, CLAIMERS, server.port, workflow_id, node, EACH]
    crowd = [
        subprocess.Popen(
            list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(tmp_path)
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in crowd:
            process.stdin.write("go\n")
            process.stdin.flush()
        given = [part for process in crowd for part in json.loads(process.communicate(timeout=300)[0])]
    finally:
        for process in crowd:
            process.kill()
    assert len(given) == PROCESSES * EACH
    assert sorted(job for part in given for job in part) == ids
    assert len([part for part in given if part]) > EACH  # it was no race of one
    pending = server.get(f"/jobs?workflow_id={workflow_id}&status=pending&limit=1")
    assert pending["total_count"] == JOBS


def test_dependents_are_ready_at_once(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [first] = seeding.jobs(shared_server, workflow_id, "a")
    [second] = seeding.jobs(shared_server, workflow_id, "b", depends_on_job_ids=[first])
    shared_server.post(f"/workflows/{workflow_id}/initialize_jobs")
    seeding.complete(shared_server, workflow_id, first, seeding.node(shared_server, workflow_id))
    assert [job["id"] for job in shared_server.post(f"/workflows/{workflow_id}/claim_next_jobs")["jobs"]] == [second]
