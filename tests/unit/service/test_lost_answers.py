"""A runner beside an owner that ends when it has taken a turn and not answered it: nothing it gave is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service import action_desk
from tests.unit.service.conftest import Desk, end
from torc_core.errors import Unavailable
from torc_core.operations import Operation
from torc_core.service.failover import FailoverService, Seat
from torc_core.service.far import FarService
from torc_core.service.local import LocalService


class Ending(FarService):
    """The connection to an owner that breaks in the first turn: before it was sent, or when it was carried out."""

    def __init__(self, owner: LocalService, outcome: str) -> None:
        super().__init__()
        self._owner, self._outcome = owner, outcome
        self.reports: list[Any] = []

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        if op.name != "tick" or self.reports:
            return self._pass_on(op, arguments)
        if self._outcome == "unknown":
            self._pass_on(op, arguments)
        self.reports.append(arguments["report"])
        raise Unavailable("the connection broke", outcome=self._outcome)

    def _pass_on(self, op: Operation, arguments: dict[str, Any]) -> Any:
        if op.name == "tick":
            self.reports.append(arguments["report"])
        return op.call(self._owner, arguments)


@pytest.fixture(params=["unknown", "not sent"])
def beside(desk: Desk, request: pytest.FixtureRequest) -> Any:
    """Makes the desk's service one that goes on when the first turn from then on gets no answer."""
    made: list[FailoverService] = []
    owner = desk.service

    def beside() -> Ending:
        far = Ending(owner, request.param)
        made.append(FailoverService(lambda _: Seat(far, lambda: None)))
        desk.service = made[-1]  # type: ignore[assignment]
        return far

    yield beside
    desk.service = owner
    for service in made:
        service.close()


def test_jobs_given_in_an_answer_that_was_lost_are_given_in_the_next(desk: Desk, beside: Any) -> None:
    desk.jobs((), ())
    desk.begin()
    desk.node()
    beside()
    assert {job.name for job in desk.tick(limit=2).jobs} == {"a", "b"}
    assert desk.tick(limit=2).jobs == []


def test_an_action_given_in_an_answer_that_was_lost_is_given_in_the_next(desk: Desk, beside: Any) -> None:
    desk.jobs(())
    made = action_desk.action(desk, "on_workflow_start")
    desk.begin()
    desk.node()
    beside()
    assert action_desk.given(action_desk.ask(desk)) == [made]
    assert action_desk.given(action_desk.ask(desk)) == []


def test_ends_that_were_taken_before_the_answer_was_lost_count_once_and_bring_what_follows(
    desk: Desk, beside: Any
) -> None:
    """The last job of two runners: the action that comes at the end is carried out by somebody."""
    desk.jobs(())
    made = action_desk.action(desk, "on_workflow_complete")
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    beside()
    answer = action_desk.ask(desk, finished=[end(job.id)])
    assert (action_desk.given(answer), answer.is_complete, answer.refused) == ([made], True, [])


def test_only_a_turn_that_may_have_been_taken_asks_for_what_it_gave(desk: Desk, beside: Any) -> None:
    desk.jobs(())
    desk.begin()
    desk.node()
    far = beside()
    desk.tick(limit=1)
    was_sent = far._outcome == "unknown"
    assert far.reports[-1].resend is was_sent
