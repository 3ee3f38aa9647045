"""Which number an attempt has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk
from tests.unit.service.retry_desk import results, run_and_fail
from torc_core.records.answers import JobReset, WorkflowStatus
from torc_core.records.resources import Job, Result
from torc_core.service.turn import Caller
from torc_core.status import JobStatus


def redo(desk: Desk, code: int) -> int:
    """Run the one job that is ready; returns its attempt."""
    (job,) = desk.tick(limit=9).jobs
    desk.started(job.id)
    desk.finished({job.id: code}, job.attempt_id)
    return job.attempt_id


@pytest.mark.parametrize("failed_only", [True, False])
def test_attempts_count_from_one_again_in_the_next_run(desk: Desk, failed_only: bool) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk)
    assert redo(desk, 1) == 2
    desk.service.reset_workflow_status(desk.workflow_id)  # raises the run id
    desk.service.reset_job_status(desk.workflow_id, failed_only)
    desk.service.initialize_jobs(desk.workflow_id)
    assert redo(desk, 0) == 1
    assert [(r.run_id, r.attempt_id) for r in desk.service.find(Result, desk.workflow_id, all_runs=True).items] == [
        (1, 1), (1, 2), (2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("again", [True, False])
def test_attempts_count_from_one_again_when_a_run_begins(desk: Desk, again: bool) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk)
    redo(desk, 1)
    desk.begin(again=again)
    assert redo(desk, 0) == 1


@pytest.mark.parametrize("raises", [True, False])
def test_attempts_count_from_one_again_for_clients_that_raise_the_run_themselves(desk: Desk, raises: bool) -> None:
    """Within one run they do not: what such a client resets without that has results of this run."""
    desk.jobs(())
    desk.begin()
    run_and_fail(desk)
    redo(desk, 1)
    client = desk.service.for_caller(Caller("amy", "0.22"))
    client.reset_workflow_status(desk.workflow_id)
    client.reset_job_status(desk.workflow_id)
    if raises:
        client.update_workflow_status(desk.workflow_id, WorkflowStatus(run_id=2, is_canceled=False))
    client.initialize_jobs(desk.workflow_id)
    assert redo(desk, 0) == (1 if raises else 3)


def test_an_attempt_that_only_has_a_record_of_its_result_counts(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    desk.begin(again=True)  # from here on the service knows that this run has no results
    (job,) = desk.service.find(Job, desk.workflow_id).items
    desk.service.create(
        Result(
            workflow_id=desk.workflow_id, job_id=job.id, run_id=2, attempt_id=1, compute_node_id=desk.node(),
            return_code=1, exec_time_minutes=0.1, completion_time=MOMENT, status=JobStatus.FAILED,
        )
    )  # fmt: skip
    desk.service.initialize_jobs(desk.workflow_id)
    assert redo(desk, 0) == 2


def reset_all(desk: Desk, job_id: int) -> None:
    desk.service.reset_job_status(desk.workflow_id)
    desk.service.initialize_jobs(desk.workflow_id)


def reset_one(desk: Desk, job_id: int) -> None:
    desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[job_id]))
    desk.service.initialize_jobs(desk.workflow_id, only_uninitialized=True)


def set_uninitialized(desk: Desk, job_id: int) -> None:
    desk.service.manage_status_change(job_id, JobStatus.UNINITIALIZED, 1)
    desk.service.initialize_jobs(desk.workflow_id, only_uninitialized=True)


def set_ready(desk: Desk, job_id: int) -> None:
    desk.service.manage_status_change(job_id, JobStatus.READY, 1)


def only_initialize(desk: Desk, job_id: int) -> None:
    desk.service.initialize_jobs(desk.workflow_id)


@pytest.mark.parametrize("reset", [reset_all, reset_one, only_initialize, set_ready, set_uninitialized])
def test_a_job_that_runs_twice_in_one_run_has_two_attempts(desk: Desk, reset: Any) -> None:
    """The triple of job, run and attempt is unique: a second attempt 1 could not be reported at all."""
    desk.jobs(())
    desk.begin()
    job_id = run_and_fail(desk)
    assert redo(desk, 1) == 2
    reset(desk, job_id)
    assert redo(desk, 0) == 3
    assert [r[1:3] for r in results(desk)] == [(1, 1), (2, 1), (3, 0)]


def test_what_was_never_begun_keeps_its_number_when_it_is_given_back(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk)
    (job,) = desk.tick(limit=1).jobs
    desk.tick(released=[job.id])
    assert redo(desk, 0) == 2
