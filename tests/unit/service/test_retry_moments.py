"""Jobs that are tried again at a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.retry_desk import complete, decide, events, failed, run_and_fail, undecided
from torc_core.records.answers import JobReset, Resolution
from torc_core.records.resources import Job
from torc_core.service.clock import utc_text
from torc_core.service.local import LocalService
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


def test_it_can_be_tried_again_later(desk: Desk, clock: Clock) -> None:
    a, _ = undecided(desk)
    decide(desk, Resolution.RETRY, [a], delay_seconds=60.0)
    assert desk.service.get(Job, a).retry_at == clock.after(60)
