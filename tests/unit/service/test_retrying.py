"""Jobs that are tried again: at once, by rules, because somebody decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.service.conftest import Desk, end
from tests.unit.service.retry_desk import complete, decide, events, results, run_and_fail, undecided
from torc_core.errors import Invalid
from torc_core.records.answers import Resolution
from torc_core.records.resources import FailureHandler, Job, Workflow
from torc_core.status import JobStatus

# at once


def test_a_job_that_is_tried_again_keeps_its_result_and_cancels_nobody(desk: Desk) -> None:
    desk.jobs((), (0,), (1,))
    desk.begin()
    job_id = run_and_fail(desk)
    assert desk.statuses() == "a=ready b=blocked c=blocked"
    assert results(desk) == [(job_id, 1, 1, "failed")]
    job = desk.service.get(Job, job_id)
    assert (job.attempt_id, job.origin, job.compute_node_id, job.start_time) == (2, "retry", None, None)
    assert events(desk, "job_retried") == [
        {
            "event_type": "job_retried", "job_id": job_id, "job_name": "a", "previous_attempt": 1, "new_attempt": 2,
            "run_id": 1, "message": "job a is tried again: a rule",
        }
    ]  # fmt: skip
    assert [job.attempt_id for job in desk.tick(limit=9).jobs] == [2]


def test_listeners_hear_of_the_retry_and_of_no_failure(desk: Desk) -> None:
    desk.jobs((), (0,))
    desk.begin()
    stream = desk.service.watch_events(desk.workflow_id, "debug")
    run_and_fail(desk)
    told = [event.event_type for event in stream.take(5.0)]
    assert "job_retried" in told
    assert not {"job_failed", "job_canceled"} & set(told)


def test_how_a_recovery_script_ended_is_kept_with_the_event(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, recovery={"return_code": 3, "log": "x.log"})
    assert events(desk, "job_retried")[0]["recovery"] == {"return_code": 3, "log": "x.log"}


def test_a_spawned_job_stays_one_when_it_is_tried_again(desk: Desk) -> None:
    desk.create(as_is=True, jobs={"name": ["s"], "command": ["true"], "origin": ["spawn"]})
    desk.begin()
    assert desk.service.get(Job, run_and_fail(desk)).origin == "spawn"


# handlers


def test_the_rules_travel_with_the_job(desk: Desk) -> None:
    rules = [{"exit_codes": [1], "max_retries": 5, "delay_seconds": 2.5}]
    desk.create(
        jobs={"name": ["a", "b"], "command": ["true"] * 2, "failure_handler_id": [0, None]},
        failure_handlers=[{"name": "h", "rules": rules}],
    )
    desk.begin()
    a, b = desk.tick(limit=9).jobs
    assert (a.failure_rules, a.asks_on_failure) == (rules, False)
    assert b.failure_rules is None


def test_whether_somebody_is_asked_is_known_as_of_the_claim(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    assert [job.asks_on_failure for job in desk.tick(limit=1).jobs] == [False]
    desk.service.update(Workflow, desk.workflow_id, {"use_pending_failed": True})
    assert [job.asks_on_failure for job in desk.tick(limit=1).jobs] == [True]


def test_a_handler_made_later_counts(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    desk.tick(limit=1)
    text = json.dumps([{"exit_codes": [2]}])  # as on the published wire
    handler = desk.service.create(FailureHandler(workflow_id=desk.workflow_id, name="h", rules=text))
    assert handler.rules == [{"exit_codes": [2]}]
    second = desk.service.find(Job, desk.workflow_id).items[1]
    desk.service.update(Job, second.id, {"failure_handler_id": handler.id})
    (job,) = desk.tick(limit=1).jobs
    assert job.failure_rules == [{"exit_codes": [2]}]


@pytest.mark.parametrize("rules", [{"exit_codes": [1]}, [{"backoff": 0}], "no JSON", "[1]"])
def test_a_handler_that_nobody_could_follow_is_refused(desk: Desk, rules: Any) -> None:
    desk.jobs(())
    with pytest.raises(Invalid, match="failure handler 'h'"):
        desk.service.create(FailureHandler(workflow_id=desk.workflow_id, name="h", rules=rules))


# somebody decides


def test_an_undecided_failure_holds_up_what_follows_and_the_end(desk: Desk) -> None:
    undecided(desk)
    assert desk.statuses() == "a=pending_failed b=blocked c=pending_failed d=blocked"
    assert not desk.tick(limit=9).is_complete


def test_it_can_be_tried_again(desk: Desk) -> None:
    a, _ = undecided(desk)
    answer = decide(desk, Resolution.RETRY, [a], reason="the disk was full")
    assert (answer.resolved, answer.errors) == ([a], [])
    assert desk.statuses() == "a=ready b=blocked c=pending_failed d=blocked"
    assert events(desk, "job_retried")[0]["message"] == (
        "job a is tried again: decided by anonymous: the disk was full"
    )
    assert [(job.id, job.attempt_id) for job in desk.tick(limit=9).jobs] == [(a, 2)]
    assert (a, 1, 7, "pending_failed") in results(desk)


def test_it_can_have_failed(desk: Desk) -> None:
    a, c = undecided(desk)
    stream = desk.service.watch_events(desk.workflow_id)
    decide(desk, Resolution.FAIL, [a, c], reason="wrong input")
    assert desk.statuses() == "a=failed b=canceled c=failed d=canceled"
    assert results(desk) == [(a, 1, 7, "failed"), (c, 1, 7, "failed")]
    assert desk.tick().is_complete
    assert [e["message"] for e in events(desk, "job_failed")] == [
        "job a has failed: decided by anonymous: wrong input", "job c has failed: decided by anonymous: wrong input",
    ]  # fmt: skip
    told = [(e.event_type, e.data.get("job_name"), e.data.get("return_code")) for e in stream.take(5.0)]
    assert told[:4] == [("job_failed", "a", 7), ("job_failed", "c", 7), ("job_canceled", "b", None),
                        ("job_canceled", "d", None)]  # fmt: skip


def test_each_job_is_judged_by_itself(desk: Desk) -> None:
    a, _ = undecided(desk)
    b = desk.service.find(Job, desk.workflow_id).items[1].id
    answer = decide(desk, Resolution.RETRY, [b, a, 999, a])
    assert answer.resolved == [a]
    assert [(error.job_id, error.message) for error in answer.errors] == [
        (b, f"job {b} is blocked, not pending_failed"),
        (999, f"there is no job 999 in workflow {desk.workflow_id}"),
    ]


@pytest.mark.parametrize(
    ("status", "code", "expected"), [("failed", 7, "a=failed b=canceled"), ("completed", 0, "a=completed b=ready")]
)
def test_the_published_call_decides_too_and_leaves_one_result(
    desk: Desk, status: str, code: int, expected: str
) -> None:
    a, c = undecided(desk)
    complete(desk, a, JobStatus(status), code)
    assert desk.statuses().startswith(expected)
    assert sorted(results(desk)) == [(a, 1, code, status), (c, 1, 7, "pending_failed")]


def test_the_published_retry_takes_what_is_undecided(desk: Desk) -> None:
    a, _ = undecided(desk)
    assert desk.service.retry_job(a, 1, 3).attempt_id == 2


@pytest.fixture
def deep(desk: Desk) -> Iterator[Desk]:
    """A chain of five thousand jobs."""
    count = 5000
    desk.create(
        jobs={
            "name": [f"j{i}" for i in range(count)], "command": ["true"] * count,
            "depends_on_job_ids": [[i - 1] if i else [] for i in range(count)],
        }
    )  # fmt: skip
    desk.begin()
    yield desk


# long chains


def test_a_failure_cancels_a_chain_however_long(deep: Desk) -> None:
    (job,) = deep.tick(limit=1).jobs
    assert deep.finished({job.id: 1}).is_complete
    counts = deep.service.get_workflow_status(deep.workflow_id).jobs_by_status
    assert (counts["failed"], counts["canceled"]) == (1, 4999)


def test_a_retry_by_hand_takes_back_the_cancellation_of_a_chain_however_long(deep: Desk) -> None:
    (job,) = deep.tick(limit=1).jobs
    deep.finished({job.id: 1})
    deep.service.retry_job(job.id, 1, 3)
    counts = deep.service.get_workflow_status(deep.workflow_id).jobs_by_status
    assert (counts["ready"], counts["blocked"]) == (1, 4999)


def test_a_resolution_cancels_a_chain_however_long(deep: Desk) -> None:
    (job,) = deep.tick(limit=1).jobs
    deep.tick(finished=[end(job.id, 1).changed(status=JobStatus.PENDING_FAILED)])
    decide(deep, Resolution.FAIL, [job.id])
    assert deep.service.get_workflow_status(deep.workflow_id).jobs_by_status["canceled"] == 4999
