"""The published calls about single jobs, with the flaws of the original that ours must not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.answers import Completions, JobCompletion
from torc_core.records.resources import Event, Job, Result
from torc_core.status import JobStatus

COMPLETED, FAILED = JobStatus.COMPLETED, JobStatus.FAILED


def result(desk: Desk, job_id: int, code: int = 0, **more: Any) -> Result:
    fields = {
        "workflow_id": desk.workflow_id, "job_id": job_id, "run_id": 1, "attempt_id": 1, "return_code": code,
        "status": FAILED if code else COMPLETED, "exec_time_minutes": 0.0, "completion_time": MOMENT,
    }  # fmt: skip
    return Result(**{**fields, **more})


def complete(desk: Desk, job_id: int, code: int = 0, **more: Any) -> Job:
    sent = result(desk, job_id, code, **more)
    return desk.service.complete_job(job_id, sent.status, 1, sent)


def results(desk: Desk) -> list[tuple[int, int, int]]:
    found = desk.service.find(Result, desk.workflow_id, all_runs=True).items
    return [(r.job_id, r.attempt_id, r.return_code) for r in found]


@pytest.fixture
def running(desk: Desk) -> Desk:
    """Jobs a and b run on a node, c waits for both; ids are in ``desk.ids``."""
    desk.jobs((), (), (0, 1))
    desk.begin()
    node = desk.node()
    claimed = desk.service.claim_next_jobs(desk.workflow_id, 9).jobs or ()
    for job in claimed:
        desk.service.start_job(job.id, 1, node)
    desk.ids = [job.id for job in desk.service.find(Job, desk.workflow_id).items]  # type: ignore[attr-defined]
    return desk


def ids(desk: Desk) -> list[int]:
    return desk.ids  # type: ignore[attr-defined, no-any-return]


# completing


def test_what_is_refused_is_not_stored(running: Desk) -> None:
    a, *_ = ids(running)
    sent = result(running, a)
    for status, run, more in (
        (COMPLETED, 2, {"run_id": 2}),  # a wrong run: the original stored it and forgot the node
        (COMPLETED, 2, {}),
        (COMPLETED, 1, {"run_id": 2}),
        (FAILED, 1, {}),  # the result says something else
        (COMPLETED, 1, {"job_id": ids(running)[1]}),
        (JobStatus.READY, 1, {"status": JobStatus.READY}),
        (COMPLETED, 1, {"compute_node_id": 999}),
    ):
        with pytest.raises(Invalid):
            running.service.complete_job(a, status, run, sent.changed(**more))
        job = running.service.get(Job, a)
        assert (job.status.value, job.compute_node_id) == ("running", running.node_id)
    assert results(running) == []


def test_a_job_ends_once(running: Desk) -> None:
    a, *_ = ids(running)
    complete(running, a)
    with pytest.raises(Invalid, match="already"):
        complete(running, a, 1)
    assert (results(running), running.service.get(Job, a).status) == ([(a, 1, 0)], "completed")


def test_dependents_move_on_at_once(running: Desk) -> None:
    a, b, c = ids(running)
    complete(running, a)
    assert running.service.get(Job, c).status == "blocked"
    complete(running, b)
    assert running.service.get(Job, c).status == "ready"


def test_a_job_that_was_never_begun_may_be_reported(desk: Desk) -> None:
    desk.jobs((), (0,))
    a, _ = (job.id for job in desk.service.find(Job, desk.workflow_id).items)
    sent = result(desk, a, run_id=0)
    assert desk.service.complete_job(a, COMPLETED, 0, sent).status == "completed"


def test_many_ends_are_judged_one_by_one(running: Desk) -> None:
    """In the original a status that is no end, or an attempt that had a result, undid the whole batch."""
    a, b, _ = ids(running)
    other = Desk(running.service)
    other.jobs(())
    foreign = other.service.find(Job, other.workflow_id).items[0].id
    entries = [
        (a, COMPLETED, result(running, a)),
        (a, COMPLETED, result(running, a)),  # twice
        (b, JobStatus.RUNNING, result(running, b, status=JobStatus.RUNNING)),
        (b, FAILED, result(running, b)),  # disagrees
        (999, COMPLETED, result(running, 999)),
        (foreign, COMPLETED, result(running, foreign)),
        (b, FAILED, result(running, b, 3)),
    ]
    batch = Completions(completions=[JobCompletion(job_id=j, status=s, run_id=1, result=r) for j, s, r in entries])
    answer = running.service.batch_complete_jobs(running.workflow_id, batch)
    assert [error.job_id for error in answer.errors] == [a, b, b, 999, foreign]
    assert results(running) == [(a, 1, 0), (b, 1, 3)]
    assert running.statuses() == "a=completed b=failed c=canceled"


def test_no_ends_at_all_are_fine_and_an_unknown_workflow_is_not(running: Desk) -> None:
    empty = Completions(completions=[])
    assert running.service.batch_complete_jobs(running.workflow_id, empty).completed == []
    with pytest.raises(NotFound):
        running.service.batch_complete_jobs(999, empty)


def test_a_client_that_does_not_count_attempts_may_end_what_it_runs(running: Desk) -> None:
    a, *_ = ids(running)
    running.service.retry_job(a, 1, 3)
    running.service.claim_next_jobs(running.workflow_id, 1)
    running.service.start_job(a, 1, running.node_id)
    assert complete(running, a, compute_node_id=running.node_id).status == "completed"
    assert results(running) == [(a, 1, 0)]


@pytest.mark.parametrize("is_claimed", [False, True])
def test_an_attempt_that_was_given_up_cannot_end_the_one_that_runs_elsewhere(running: Desk, is_claimed: bool) -> None:
    a, *_ = ids(running)
    late = running.node_id
    running.service.retry_job(a, 1, 3)
    if is_claimed:
        running.node()
        running.service.claim_next_jobs(running.workflow_id, 1)
        running.service.start_job(a, 1, running.node_id)
    status = running.service.get(Job, a).status
    with pytest.raises(Invalid, match="attempt 1 was given up"):
        complete(running, a, compute_node_id=late)
    assert (running.service.get(Job, a).status, results(running)) == (status, [])


def test_counting_goes_on_from_what_a_client_says(running: Desk) -> None:
    a, *_ = ids(running)
    complete(running, a, 1, attempt_id=4)
    assert running.service.retry_job(a, 1, 9).attempt_id == 5


# starting


def test_a_job_starts_where_it_was_claimed(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    mine, other = desk.node_id, desk.node()
    with pytest.raises(Conflict, match=f"held by compute node {mine}"):
        desk.service.start_job(job.id, 1, other)
    assert desk.service.start_job(job.id, 1, mine).status == "running"


def test_only_what_is_claimed_starts_and_only_in_its_run(running: Desk) -> None:
    a, _, c = ids(running)
    for job_id in (a, c):
        with pytest.raises(Invalid, match="not pending"):
            running.service.start_job(job_id, 1, running.node_id)
    with pytest.raises(Invalid, match="run id 7"):
        running.service.start_job(a, 7, running.node_id)
    with pytest.raises(NotFound):
        running.service.start_job(999, 1, running.node_id)


# trying again


@pytest.mark.parametrize("ended", [None, 1])
def test_a_retry_counts_attempts_and_lets_go_of_the_node(running: Desk, ended: int | None) -> None:
    a, *_ = ids(running)
    if ended is not None:
        complete(running, a, ended)
    job = running.service.retry_job(a, 1, 3)
    assert (job.status.value, job.attempt_id, job.origin, job.compute_node_id) == ("ready", 2, "retry", None)
    [event] = [e.data for e in running.service.find(Event, running.workflow_id).items]
    assert (event["event_type"], event["previous_attempt"], event["new_attempt"]) == ("job_retried", 1, 2)


def test_a_retry_takes_back_what_the_failure_canceled(running: Desk) -> None:
    a, b, _ = ids(running)
    complete(running, b)
    complete(running, a, 1)
    assert running.statuses() == "a=failed b=completed c=canceled"
    running.service.retry_job(a, 1, 3)
    assert running.statuses() == "a=ready b=completed c=blocked"


@pytest.mark.parametrize(("most", "allowed"), [(3, True), (2, True), (1, False), (0, False), (-1, False)])
def test_a_retry_is_refused_when_attempts_are_used_up(running: Desk, most: int, allowed: bool) -> None:
    a, *_ = ids(running)
    if allowed:
        assert running.service.retry_job(a, 1, most).attempt_id == 2
    else:
        with pytest.raises(Invalid, match="has used its"):
            running.service.retry_job(a, 1, most)
        assert running.service.get(Job, a).status == "running"


def test_what_has_not_begun_or_went_well_is_not_tried_again(running: Desk) -> None:
    a, _, c = ids(running)
    complete(running, a)
    for job_id in (a, c):
        with pytest.raises(Invalid, match="only running, failed"):
            running.service.retry_job(job_id, 1, 3)
    with pytest.raises(Invalid, match="run id 2"):
        running.service.retry_job(c, 2, 3)


# statuses by hand


def test_no_end_can_be_set_by_hand(running: Desk) -> None:
    a, *_ = ids(running)
    for status in (COMPLETED, FAILED, JobStatus.CANCELED, JobStatus.TERMINATED):
        with pytest.raises(Invalid, match="set by reporting"):
            running.service.manage_status_change(a, status, 1)
    assert running.service.get(Job, a).status == "running"


def test_the_same_status_is_fine_in_any_run_and_another_one_only_in_the_present(running: Desk) -> None:
    a, *_ = ids(running)
    assert running.service.manage_status_change(a, JobStatus.RUNNING, 77).status == "running"
    with pytest.raises(Invalid, match="run id 77"):
        running.service.manage_status_change(a, JobStatus.READY, 77)


def test_to_undo_a_job_undoes_what_directly_follows(desk: Desk) -> None:
    desk.jobs((), (0,), (1,))
    desk.begin()
    for _ in range(3):
        (job,) = desk.tick(limit=1).jobs
        desk.finished({job.id: 0})
    first = desk.service.find(Job, desk.workflow_id).items[0].id
    desk.service.manage_status_change(first, JobStatus.UNINITIALIZED, 1)
    assert desk.statuses() == "a=uninitialized b=uninitialized c=completed"
