"""Turns of runners that wait until there is something to do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Desk, end
from tests.unit.service.retry_desk import results, run_and_fail
from torc_core.records.answers import Tick


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
