"""The local service seen through a connection: a second opening in one process is a neighbour of the first."""

import threading

import pytest

from torc_core.errors import Conflict, Invalid, NotFound, TorcError
from torc_core.records import answers as a
from torc_core.records.resources import ComputeNode, Job, Workflow
from torc_core.service.embedded import open_embedded
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller
from torc_core.status import JobStatus
from torc_plugins.storage.sqlite_storage import SqliteStorage


@pytest.fixture
def both(tmp_path):
    def make(path, still_mine):
        return LocalService(SqliteStorage(str(path)), still_mine=still_mine)

    def as_user(service, user):
        return service.for_caller(Caller(user))

    owner = open_embedded(tmp_path / "torc.db", make, for_user=as_user)
    neighbour = open_embedded(tmp_path / "torc.db", make, for_user=as_user, user="anna")
    assert (owner.is_owner, neighbour.is_owner) == (True, False)
    yield owner, neighbour
    neighbour.close()
    owner.close()


def test_both_see_the_same_records(both):
    owner, neighbour = both
    made = neighbour.create(Workflow(name="w", user="anna", env={"A": "1"}))
    assert owner.get(Workflow, made.id) == made == neighbour.get(Workflow, made.id)
    job = owner.create(Job(workflow_id=made.id, name="j", command="true"))
    assert neighbour.find(Job, made.id, name="j").items == [job]
    assert neighbour.update(Workflow, made.id, {"description": "new"}).description == "new"
    assert neighbour.get_workflow_status(made.id) == owner.get_workflow_status(made.id)
    assert neighbour.get_version() == owner.get_version()


def test_a_run_goes_through_a_connection(both):
    owner, neighbour = both
    workflow_id = owner.create(Workflow(name="w", user="me")).id
    job = owner.create(Job(workflow_id=workflow_id, name="j", command="echo hi"))
    run_id = neighbour.initialize_jobs(workflow_id).run_id
    node = neighbour.create(
        ComputeNode(
            workflow_id=workflow_id, hostname="h", pid=1, start_time="2026-01-01T00:00:00.000Z", num_cpus=1,
            memory_gb=1.0, num_gpus=0, num_nodes=1, is_active=True, compute_node_type="local",
        )
    )  # fmt: skip
    answer = neighbour.tick(workflow_id, a.Tick(compute_node_id=node.id, run_id=run_id, limit=5))
    (launch,) = answer.jobs
    assert (type(launch), launch.id, launch.command) == (a.JobLaunch, job.id, "echo hi")
    done = a.FinishedJob(
        job_id=job.id, attempt_id=launch.attempt_id, status=JobStatus.COMPLETED, return_code=0,
        exec_time_minutes=0.1, completion_time="2026-01-01T00:00:01.000Z",
    )  # fmt: skip
    report = a.Tick(compute_node_id=node.id, run_id=run_id, finished=[done])
    assert neighbour.tick(workflow_id, report).is_complete
    again = neighbour.tick(workflow_id, report)  # as after a lost answer
    assert (again.is_complete, len(owner.get(Job, job.id).name)) == (True, 1)
    assert owner.get(Job, job.id).status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.get(Workflow, 99),
        lambda s: s.get_workflow_status(99),
        lambda s: s.find(Job, 1, sort_by="nonsense"),
        lambda s: s.create(Job(workflow_id=99, name="j", command="true")),
    ],
    ids=["get", "status", "sort", "create"],
)
def test_both_hear_the_same_errors(both, ask):
    heard: list[TorcError] = []
    for service in both:
        with pytest.raises((NotFound, Invalid, Conflict)) as caught:
            ask(service)
        heard.append(caught.value)
    assert type(heard[0]) is type(heard[1])
    assert (str(heard[0]), heard[0].hint, heard[0].details) == (str(heard[1]), heard[1].hint, heard[1].details)


def test_a_neighbour_hears_of_changes_that_the_owner_makes(both):
    owner, neighbour = both
    workflow_id = owner.create(Workflow(name="w", user="me")).id
    told = threading.Semaphore(0)
    end = neighbour.on_change(workflow_id, told.release)
    assert told.acquire(timeout=20)
    owner.create(Job(workflow_id=workflow_id, name="j", command="true"))
    assert told.acquire(timeout=20)
    end()
