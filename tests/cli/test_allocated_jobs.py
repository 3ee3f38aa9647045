"""``torc scheduled-compute-nodes list-jobs``: the jobs that an allocation was good for."""

import json

import pytest

from tests.cli.programs import SLOW, until
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Result
from torc_core.service.local import LocalService
from torc_core.status import JobStatus
from torc_plugins.storage.sqlite_storage import SqliteStorage

JOBS = "name: w\njobs: [{name: 'j{i}', command: 'true', parameters: {i: '1:5'}}]"
LIST = ("scheduled-compute-nodes", "list-jobs")


@pytest.fixture
def history(torc):
    """A workflow with five jobs: three allocations with three, one and no compute nodes, and a node of its own."""
    id = torc.create(JOBS)
    service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
    for number in (501, 502, 503):
        made = ScheduledComputeNode(
            workflow_id=id, scheduler_id=number, scheduler_config_id=0, scheduler_type="slurm", status="complete"
        )
        service.create(made)
    for scheduler in (*[{"type": "slurm", "scheduler_id": 1}] * 3, {"type": "slurm", "scheduler_id": 2}, None):
        node = ComputeNode(
            workflow_id=id, hostname="n", pid=1, start_time="2026-01-01T00:00:00.000Z", is_active=False, num_cpus=1,
            memory_gb=1.0, num_gpus=0, scheduler=scheduler,
        )  # fmt: skip
        service.create(node)
    # job, run, attempt, compute node
    for job, run, attempt, node in ((4, 1, 1, 1), (2, 1, 1, 2), (2, 1, 2, 1), (2, 2, 1, 4), (3, 1, 1, 4), (5, 1, 1, 5)):
        result = Result(
            workflow_id=id, job_id=job, run_id=run, attempt_id=attempt, compute_node_id=node, return_code=0,
            status=JobStatus.COMPLETED, exec_time_minutes=1.0, completion_time="2026-01-01T00:01:00.000Z",
        )  # fmt: skip
        service.create(result)
    service.close()
    return torc


@pytest.mark.parametrize(("allocation", "nodes", "jobs"), [(1, 3, [2, 4]), (2, 1, [2, 3]), (3, 0, [])])
def test_jobs_of_all_runs_and_attempts_are_listed_once(history, allocation, nodes, jobs):
    assert history.json(*LIST, allocation) == {
        "scheduled_compute_node_id": allocation, "workflow_id": 1, "compute_node_count": nodes, "job_ids": jobs,
    }  # fmt: skip


def test_people_see_names_and_where_each_ran(history):
    done = history(*LIST, 1)
    assert done.head == "ID Name Status Compute Nodes"
    assert [line.split(maxsplit=3) for line in done.lines[2:4]] == [
        ["2", "j2", "uninitialized", "1, 2"], ["4", "j4", "uninitialized", "1"],
    ]  # fmt: skip
    assert done.lines[-1] == "Total: 2 jobs"
    assert history(*LIST, 3).out == "No jobs.\n"
    assert history(*LIST, 2, "-f", "csv", "-x", "status").lines == ["ID,Name,Compute Nodes", "2,j2,4", "3,j3,4"]


def test_an_allocation_that_is_not_there_is_an_error(history):
    assert "with id 9" in history(*LIST, 9, code=1).err
    history(*LIST, code=2)


def test_more_jobs_than_are_asked_for_one_by_one_are_listed_too(torc):
    id = torc.create("name: w\njobs: [{name: 'j{i}', command: 'true', parameters: {i: '1:30'}}]")
    torc("schedule-nodes", id, "--scheduler-type", "local")
    torc("wait", id)
    done = torc(*LIST, 1)
    assert done.lines[-1] == "Total: 30 jobs"
    assert [line.split()[1] for line in done.lines[2:32]] == [f"j{i}" for i in range(1, 31)]


def test_a_job_is_listed_while_it_runs_and_one_that_waits_is_not(torc):
    id = torc.create(SLOW)
    torc("schedule-nodes", id, "--scheduler-type", "local")
    try:
        until((torc.path / "pid").exists, "the start of the job")
        until(lambda: torc.json("status", id)["jobs_by_status"]["running"] == 1, "the word of its start")
        body = torc.json(*LIST, 1)
        assert (body["compute_node_count"], body["job_ids"]) == (1, [1])
        assert torc(*LIST, 1).lines[2].split() == ["1", "slow", "running", "1"]
    finally:
        torc("cancel", id)
        torc("wait", id, code=None)
        torc("watch", id, code=None)  # until no runner is left
    assert json.loads(torc(*LIST, 1, "-f", "json").out)["job_ids"] == [1]
