"""Jobs that run again: at once, at a moment, after a decision; and the numbers of their attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.errors import Invalid
from torc_core.records.answers import FailureResolution, FinishedJob, JobReset, Resolution, Tick, WorkflowStatus
from torc_core.records.resources import Event, FailureHandler, Job, Result, Workflow
from torc_core.service.clock import utc_text
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller
from torc_core.status import JobStatus
from torc_core.testing.executors import wait_for

NOW = 1_800_000_000_000


class Clock:
    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms

    def after(self, seconds: float) -> str:
        return utc_text(NOW + int(seconds * 1000))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock of the service, which stands still unless it is set."""
    made = Clock()
    monkeypatch.setattr("torc_core.service.turn.now_ms", made)
    monkeypatch.setattr("torc_core.service.upkeep.now_ms", made)
    return made


def failed(job_id: int, attempt: int = 1, **more: Any) -> FinishedJob:
    """The report of an attempt that is to be tried again."""
    return end(job_id, 1, attempt).changed(again=True, decided="a rule", **more)


def run_and_fail(desk: Desk, *, job: int = 0, **more: Any) -> int:
    """Claim and start everything that is ready, report that one of it failed and is tried again; returns its id."""
    jobs = desk.tick(limit=9).jobs
    desk.started(*(job.id for job in jobs))
    desk.tick(finished=[failed(jobs[job].id, jobs[job].attempt_id, **more)])
    return jobs[job].id


def results(desk: Desk) -> list[tuple[int, int, int, str]]:
    return [
        (r.job_id, r.attempt_id, r.return_code, r.status.value)
        for r in desk.service.find(Result, desk.workflow_id, all_runs=True).items
    ]


def events(desk: Desk, kind: str) -> list[Any]:
    return [e.data for e in desk.service.find(Event, desk.workflow_id).items if e.data.get("event_type") == kind]


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


# at a moment


def test_a_job_is_blocked_until_its_moment_and_says_so(desk: Desk, clock: Clock) -> None:
    desk.jobs((), ())
    desk.begin()
    job_id = run_and_fail(desk, retry_delay_seconds=90.0)
    assert desk.statuses() == "a=blocked b=running"
    assert desk.service.get(Job, job_id).retry_at == clock.after(90)
    assert events(desk, "job_retried")[0]["retry_at"] == clock.after(90)
    answer = desk.tick(limit=9)
    assert (answer.jobs, answer.ready_in_seconds, answer.is_complete) == ([], 90.0, False)
    status = desk.service.get_workflow_status(desk.workflow_id)
    assert (status.waiting_retries, status.next_retry_at) == (1, clock.after(90))


def test_the_wait_does_not_let_a_workflow_be_complete(desk: Desk, clock: Clock) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=90.0)
    assert not desk.tick().is_complete
    assert not desk.service.is_workflow_complete(desk.workflow_id).is_complete


@pytest.mark.parametrize("way", ["tick", "claim_next_jobs", "claim_jobs_based_on_resources"])
def test_whoever_asks_for_jobs_after_the_moment_gets_it(desk: Desk, clock: Clock, way: str) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=90.0)

    def ask() -> list[int]:
        if way == "tick":
            return [job.attempt_id for job in desk.tick(limit=9).jobs]
        if way == "claim_next_jobs":
            return [job.attempt_id for job in desk.service.claim_next_jobs(desk.workflow_id).jobs or ()]
        from torc_core.records.resources import NodeResources

        node = NodeResources(num_cpus=4, memory_gb=8.0)
        return [j.attempt_id for j in desk.service.claim_jobs_based_on_resources(desk.workflow_id, 9, node).jobs or ()]

    clock.ms = NOW + 89_999
    assert ask() == []
    clock.ms = NOW + 90_000
    assert ask() == [2]
    assert desk.service.find(Job, desk.workflow_id).items[0].retry_at is None


def test_the_owner_itself_wakes_jobs(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    heard: list[int] = []
    desk.service.on_change(desk.workflow_id, lambda: heard.append(1))
    run_and_fail(desk, retry_delay_seconds=0.3)
    heard.clear()
    wait_for(lambda: desk.statuses() == "a=ready", "the moment")
    assert heard


def test_of_several_moments_each_has_its_turn(desk: Desk, clock: Clock) -> None:
    desk.jobs((), (), ())
    desk.begin()
    jobs = [job.id for job in desk.tick(limit=9).jobs]
    delays = dict(zip(jobs, (30.0, 10.0, 20.0), strict=True))
    desk.started(*jobs)
    desk.tick(finished=[failed(id, retry_delay_seconds=delay) for id, delay in delays.items()])
    waits = []
    for seconds in (0, 10, 20, 30):
        clock.ms = NOW + seconds * 1000
        answer = desk.tick(limit=9)
        waits.append((answer.ready_in_seconds, [job.name for job in answer.jobs]))
    assert waits == [(10.0, []), (10.0, ["b"]), (10.0, ["c"]), (None, ["a"])]


def test_the_moment_survives_the_owner(tmp_path: Path, clock: Clock) -> None:
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    def opened() -> Desk:
        return Desk(LocalService(SqliteStorage(str(tmp_path / "torc.db"))))

    desk = opened()
    desk.jobs((), (0,))
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=90.0)
    desk.service.close()
    later = opened()
    later.workflow_id, later.node_id = desk.workflow_id, desk.node_id
    assert later.statuses() == "a=blocked b=blocked"
    assert later.tick(limit=9).ready_in_seconds == 90.0
    clock.ms = NOW + 90_000
    assert [job.attempt_id for job in later.tick(limit=9).jobs] == [2]
    later.service.close()


def test_a_moment_that_has_passed_while_nobody_was_there_counts(tmp_path: Path, clock: Clock) -> None:
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    desk = Desk(LocalService(SqliteStorage(str(tmp_path / "torc.db"))))
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=90.0)
    desk.service.close()
    clock.ms = NOW + 10**9
    later = Desk(LocalService(SqliteStorage(str(tmp_path / "torc.db"))))
    later.workflow_id = desk.workflow_id
    assert len(later.service.claim_next_jobs(later.workflow_id).jobs or ()) == 1
    later.service.close()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d, id: d.service.manage_status_change(id, JobStatus.READY, 1), "ready"),  # now, says a person
        (lambda d, id: d.service.manage_status_change(id, JobStatus.DISABLED, 1), "disabled"),
        (lambda d, id: d.service.reset_job_status(d.workflow_id), "uninitialized"),
        (lambda d, id: d.service.reset_jobs(d.workflow_id, JobReset(job_ids=[id])), "uninitialized"),
        (lambda d, id: d.service.initialize_jobs(d.workflow_id), "ready"),
        (lambda d, id: d.service.initialize_jobs(d.workflow_id, only_uninitialized=True), "ready"),
        (lambda d, id: d.begin(again=True), "ready"),
        (lambda d, id: complete(d, id, attempt=2), "completed"),
    ],
)
def test_whatever_else_happens_to_the_job_ends_its_wait(desk: Desk, clock: Clock, change: Any, expected: str) -> None:
    desk.jobs(())
    desk.begin()
    job_id = run_and_fail(desk, retry_delay_seconds=90.0)
    change(desk, job_id)
    job = desk.service.get(Job, job_id)
    assert (job.status.value, job.retry_at) == (expected, None)
    assert desk.service.get_workflow_status(desk.workflow_id).waiting_retries == 0
    clock.ms = NOW + 90_000
    desk.tick()
    assert desk.service.get(Job, job_id).status.value == expected


def test_a_canceled_workflow_gives_out_nothing_at_the_moment_either(desk: Desk, clock: Clock) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=90.0)
    desk.service.cancel_workflow(desk.workflow_id)
    clock.ms = NOW + 90_000
    assert desk.tick(limit=9).jobs == []


def test_delays_beyond_a_month_are_a_month(desk: Desk, clock: Clock) -> None:
    desk.jobs(())
    desk.begin()
    job_id = run_and_fail(desk, retry_delay_seconds=1e18)
    assert desk.service.get(Job, job_id).retry_at == clock.after(30 * 86_400)


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


def undecided(desk: Desk) -> list[int]:
    """A workflow a -> b, c -> d in which a and c are pending_failed; returns their ids."""
    desk.jobs((), (0,), (), (2,))
    desk.begin()
    jobs = [job.id for job in desk.tick(limit=9).jobs]
    desk.started(*jobs)
    desk.tick(finished=[end(id, 7).changed(status=JobStatus.PENDING_FAILED) for id in jobs])
    return jobs


def decide(desk: Desk, decision: Resolution, ids: list[int], **more: Any) -> Any:
    choice = FailureResolution(job_ids=ids, decision=decision, **more)
    return desk.service.resolve_failures(desk.workflow_id, choice)


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


def test_it_can_be_tried_again_later(desk: Desk, clock: Clock) -> None:
    a, _ = undecided(desk)
    decide(desk, Resolution.RETRY, [a], delay_seconds=60.0)
    assert desk.service.get(Job, a).retry_at == clock.after(60)


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


def complete(desk: Desk, job_id: int, status: JobStatus = JobStatus.COMPLETED, code: int = 0, attempt: int = 1) -> Job:
    """Say by the published call how a job ended."""
    result = Result(
        workflow_id=desk.workflow_id, job_id=job_id, run_id=1, attempt_id=attempt, return_code=code, status=status,
        exec_time_minutes=0.0, completion_time=MOMENT,
    )  # fmt: skip
    return desk.service.complete_job(job_id, status, 1, result)


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


# numbers of attempts


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


# long chains


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


# turns that wait


def test_a_turn_waits_until_there_is_something_to_do(desk: Desk) -> None:
    import threading

    desk.jobs((), (0,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    first, second = desk.node_id, desk.node()
    answers: list[Any] = []
    waiting = Tick(compute_node_id=second, run_id=1, limit=1, wait_seconds=50.0)
    thread = threading.Thread(target=lambda: answers.append(desk.service.tick(desk.workflow_id, waiting)))
    thread.start()
    desk.node_id = first
    desk.started(job.id)
    assert not answers
    desk.finished({job.id: 0})
    thread.join(20)
    assert [job.name for job in answers[0].jobs] == ["b"]


def test_a_turn_that_waits_in_vain_answers_in_the_end(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    desk.tick(limit=1)
    desk.node()
    answer = desk.tick(limit=1, wait_seconds=0.2)
    assert (answer.jobs, answer.unfinished_count) == ([], 1)


def test_a_turn_waits_for_a_moment_no_longer_than_that(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    run_and_fail(desk, retry_delay_seconds=0.3)
    assert [job.attempt_id for job in desk.tick(limit=1, wait_seconds=50.0).jobs] == [2]


def test_what_is_reported_with_a_turn_that_waits_is_taken_once(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    a, _ = desk.tick(limit=2).jobs
    answer = desk.tick(finished=[end(a.id)], limit=1, wait_seconds=0.2)
    assert (answer.jobs, answer.refused) == ([], [])
    assert results(desk) == [(a.id, 1, 0, "completed")]


@pytest.mark.parametrize("what", ["complete", "canceled"])
def test_a_turn_does_not_wait_when_there_is_nothing_to_wait_for(desk: Desk, what: str) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    if what == "complete":
        desk.finished({job.id: 0})
    else:
        desk.service.cancel_workflow(desk.workflow_id)
    answer = desk.tick(limit=1, wait_seconds=50.0)
    assert answer.is_complete
