"""The table of leases: times, and nothing else."""

from __future__ import annotations

import pytest

from torc_core.service.leases import LOOK_SECONDS, Leases, Runner

A, B = Runner(1, 10), Runner(2, 20)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, leases: Leases, seconds: float) -> list[Runner]:
        """Let time pass as an owner does that looks whenever it has to; returns whose leases are over in the end."""
        until = self.now + seconds
        over = leases.look()
        while self.now < until:
            self.now = min(until, self.now + LOOK_SECONDS)
            over = leases.look()
        return over


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Leases:
    return Leases(clock)


def test_a_lease_is_over_after_its_time_and_not_before(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    assert clock.passes(leases, 59.9) == []
    assert clock.passes(leases, 0.1) == [A]


def test_whoever_is_heard_of_has_the_whole_lease_again(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    for _ in range(5):
        assert clock.passes(leases, 50.0) == []
        assert leases.renew(A.compute_node_id)
    assert clock.passes(leases, 60.0) == [A]


def test_each_runner_has_its_own(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    leases.begin(B, 30.0)
    assert clock.passes(leases, 30.0) == [B]
    leases.end([B.compute_node_id])
    assert clock.passes(leases, 30.0) == [A]


def test_whoever_has_no_lease_is_known_and_never_over(clock: Clock, leases: Leases) -> None:
    leases.begin(A, None)
    assert leases.renew(A.compute_node_id)
    assert leases.next_at() is None
    assert clock.passes(leases, 10**6) == []
    assert not leases.renew(B.compute_node_id)


def test_a_lease_that_ended_in_work_that_was_undone_goes_on(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    leases.begin(B, 90.0)
    leases.end([A.compute_node_id])
    leases.keep()
    leases.end([B.compute_node_id])
    assert leases.is_empty
    leases.undo()
    assert clock.passes(leases, 90.0) == [B]
    assert leases.is_over(B.compute_node_id)
    assert not leases.is_over(A.compute_node_id)


@pytest.mark.parametrize("asleep", [11.0, 59.0, 61.0, 3600.0, 10**7])
def test_time_in_which_nobody_looked_counts_for_nobody(clock: Clock, leases: Leases, asleep: float) -> None:
    """The owner was stopped, or the machine slept: runners could not reach it."""
    leases.begin(A, 60.0)
    assert clock.passes(leases, 20.0) == []
    clock.now += asleep
    assert leases.look() == []
    assert clock.passes(leases, 39.9) == []
    assert clock.passes(leases, 0.1) == [A]


def test_a_look_that_is_a_little_late_is_no_sleep(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    leases.look()
    for _ in range(7):
        clock.now += LOOK_SECONDS + 4.9
        over = leases.look()
    assert over == [A]


def test_nobody_gets_more_than_a_whole_lease_by_sleeping(clock: Clock, leases: Leases) -> None:
    leases.begin(A, 60.0)
    leases.look()
    clock.now += 1000
    leases.renew(A.compute_node_id)
    assert leases.look() == []
    assert clock.passes(leases, 60.0) == [A]


def test_the_next_look_is_when_a_lease_is_over_or_soon(clock: Clock, leases: Leases) -> None:
    assert leases.next_at() is None
    leases.begin(A, 60.0)
    first = clock.now + LOOK_SECONDS
    assert leases.next_at() == first
    clock.now += 1
    assert leases.next_at() == first  # it does not move away
    assert clock.passes(leases, 57) == []
    assert leases.next_at() == clock.now + 2
    leases.end([A.compute_node_id])
    assert leases.next_at() is None
