"""``torc scheduled-compute-nodes list-jobs``: the jobs that an allocation was good for."""

from contextlib import contextmanager

import pytest

from tests.cli.programs import SLOW, until
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import StartedJob, Tick
from torc_core.records.resources import ComputeNode, Result
from torc_core.service.local import LocalService
from torc_core.status import JobStatus
from torc_plugins.storage.sqlite_storage import SqliteStorage

JOBS = "name: w\njobs: [{name: 'j{i}', command: 'true', parameters: {i: '1:5'}}]"
MOMENT = "2026-01-01T00:00:00.000Z"
LIST = ("scheduled-compute-nodes", "list-jobs")


@contextmanager
def opened(torc):
    """Gives the service of the folder's database, between commands."""
    service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
    yield service
    service.close()


def allocation(number):
    return ScheduledComputeNode(
        workflow_id=1, scheduler_id=number, scheduler_config_id=0, scheduler_type="slurm", status="complete"
    )


def compute_node(scheduler, *, is_active=False):
    return ComputeNode(
        workflow_id=1, hostname="n", pid=1, start_time=MOMENT, is_active=is_active, num_cpus=1, memory_gb=1.0,
        num_gpus=0, scheduler=scheduler,
    )  # fmt: skip


def result(job, run, attempt, node):
    return Result(
        workflow_id=1, job_id=job, run_id=run, attempt_id=attempt, compute_node_id=node, return_code=0,
        status=JobStatus.COMPLETED, exec_time_minutes=1.0, completion_time=MOMENT,
    )  # fmt: skip


def of(id):
    return {"type": "slurm", "scheduler_id": id}


@pytest.fixture
def history(torc):
    """A workflow with five jobs: three allocations with three, one and no compute nodes, and a node of its own."""
    torc.create(JOBS)
    ended = ((4, 1, 1, 1), (2, 1, 1, 2), (2, 1, 2, 1), (2, 2, 1, 4), (3, 1, 1, 4), (5, 1, 1, 5))
    with opened(torc) as service:
        for number in (501, 502, 503):
            service.create(allocation(number))
        for scheduler in (of(1), of(1), of(1), of(2), None):
            service.create(compute_node(scheduler))
        for one in ended:
            service.create(result(*one))
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
    torc.create("name: w\njobs: [{name: 'j{i}', command: 'true', parameters: {i: '1:30'}}]")
    with opened(torc) as service:
        service.create(allocation(501))
        service.create(compute_node(of(1)))
        for job in range(3, 29):
            service.create(result(job, 1, 1, 1))
    done = torc(*LIST, 1)
    assert done.lines[-1] == "Total: 26 jobs"
    assert [line.split()[1] for line in done.lines[2:28]] == [f"j{i}" for i in range(3, 29)]


def test_only_jobs_that_run_there_are_listed_before_they_have_ended(torc):
    torc.create(JOBS)
    torc("workflows", "init", 1)
    with opened(torc) as service:
        service.create(allocation(501))
        for node, claimed, started in ((1, 2, [1]), (2, 1, [3])):
            service.create(compute_node(of(1) if node == 1 else None, is_active=True))
            service.tick(1, Tick(compute_node_id=node, run_id=1, limit=claimed))
            begun = [StartedJob(job_id=id, start_time=MOMENT) for id in started]
            service.tick(1, Tick(compute_node_id=node, run_id=1, started=begun))
    held = {job["id"]: (job["status"], job.get("compute_node_id")) for job in torc.items("jobs", "list", 1)}
    assert [held[1], held[2], held[3]] == [("running", 1), ("pending", 1), ("running", 2)]
    assert torc.json(*LIST, 1)["job_ids"] == [1]


def test_a_job_is_listed_while_it_runs_and_when_it_has_ended(torc):
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
    assert torc.json(*LIST, 1)["job_ids"] == [1]
