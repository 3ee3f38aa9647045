"""Leases: a table with a clock of its own, and what the owner of a database does when one is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.records.answers import HeldJob, StartedJob
from torc_core.records.resources import ComputeNode, Event, Job, Result
from torc_core.service.leases import LOOK_SECONDS, Leases, Runner
from torc_core.service.local import LocalService
from torc_core.service.orphans import expire
from torc_core.service.turn import Caller
from torc_core.testing.executors import wait_for

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


# the table


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


# the owner


def leased(desk: Desk, seconds: float | None = 0.3, **more: Any) -> int:
    node = ComputeNode(
        workflow_id=desk.workflow_id, hostname="h", pid=1, start_time=MOMENT, num_cpus=4, memory_gb=8.0, num_gpus=0,
        is_active=True, lease_seconds=seconds, **more,
    )  # fmt: skip
    desk.node_id = desk.service.create(node).id
    return desk.node_id


def lose(desk: Desk, *nodes: int) -> None:
    """Let leases be over, as the owner does when nothing was heard of runners."""
    owner = desk.service.owner
    owner.write(lambda turn: expire(turn, desk.workflow_id, list(nodes)), Caller("torc"))
    owner.end_leases(nodes)


def is_active(desk: Desk, node_id: int) -> bool | None:
    return desk.service.get(ComputeNode, node_id).is_active


def events(desk: Desk, kind: str) -> list[Any]:
    return [e.data for e in desk.service.find(Event, desk.workflow_id).items if e.data.get("event_type") == kind]


def results(desk: Desk) -> list[tuple[int, int, int]]:
    found = desk.service.find(Result, desk.workflow_id, all_runs=True).items
    return [(r.job_id, r.attempt_id, r.return_code) for r in found]


def test_a_silent_runner_loses_its_jobs_without_anybody_asking(desk: Desk) -> None:
    desk.jobs((), (), (0,))
    desk.begin()
    node = leased(desk)
    running, claimed = desk.tick(limit=2).jobs
    desk.started(running.id)
    wait_for(lambda: desk.statuses() == "a=ready b=ready c=blocked", "the end of the lease")
    assert results(desk) == [(running.id, 1, -128)]
    [result] = desk.service.find(Result, desk.workflow_id).items
    assert (result.reason, result.compute_node_id) == ("its runner is gone", node)
    assert not is_active(desk, node)
    [told] = events(desk, "runner_lost")
    assert (told["compute_node_id"], told["job_ids"]) == (node, [running.id, claimed.id])
    desk.node()
    assert {job.id: job.attempt_id for job in desk.tick(limit=9).jobs} == {running.id: 2, claimed.id: 1}


def test_one_that_never_took_a_turn_is_lost_too(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk)
    wait_for(lambda: not is_active(desk, node), "the end of the lease")


def test_one_that_goes_on_asking_keeps_them(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    leased(desk, 1.0)
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    other = Desk(desk.service)
    other.workflow_id = desk.workflow_id
    silent = leased(other, 1.0)
    wait_for(lambda: desk.tick() and not is_active(desk, silent), "the other's end")
    assert desk.statuses() == "a=running"
    assert is_active(desk, desk.node_id)


def test_one_without_a_lease_is_never_lost(desk: Desk) -> None:
    """Clients of the published wire do not take turns."""
    desk.jobs((), ())
    desk.begin()
    node = desk.node()
    (job,) = desk.service.claim_next_jobs(desk.workflow_id, 1).jobs or ()
    desk.service.start_job(job.id, 1, node)
    other = leased(desk)
    wait_for(lambda: not is_active(desk, other), "the other's end")
    assert desk.service.get(Job, job.id).status == "running"
    assert is_active(desk, node)


def test_one_that_signed_off_is_not_lost(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk)
    desk.service.update(ComputeNode, node, {"is_active": False})
    other = leased(desk)
    wait_for(lambda: not is_active(desk, other), "the other's end")
    assert [e["compute_node_id"] for e in events(desk, "runner_lost")] == [other]


def test_one_that_signed_off_with_jobs_loses_them_nevertheless(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk)
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    desk.service.update(ComputeNode, node, {"is_active": False})
    wait_for(lambda: desk.statuses() == "a=ready", "the end of the lease")


def test_an_owner_that_begins_gives_everybody_the_whole_lease(tmp_path: Path) -> None:
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    def opened() -> LocalService:
        return LocalService(SqliteStorage(str(tmp_path / "torc.db")))

    desk = Desk(opened())
    desk.jobs(())
    desk.begin()
    node = leased(desk, 0.5)
    desk.tick(limit=1)
    desk.service.close()
    desk.service = opened()
    assert is_active(desk, node)
    assert desk.statuses() == "a=pending"
    wait_for(lambda: desk.statuses() == "a=ready" and not is_active(desk, node), "the end of the lease")
    desk.service.close()


def test_a_workflow_that_was_deleted_meanwhile_disturbs_nobody(desk: Desk) -> None:
    from torc_core.records.resources import Workflow

    desk.jobs(())
    desk.begin()
    leased(desk)
    desk.service.delete(Workflow, desk.workflow_id)
    desk.jobs(())
    node = leased(desk)
    wait_for(lambda: not is_active(desk, node), "the end of the lease")


def test_the_rules_decide_about_lost_jobs_when_they_list_the_code(desk: Desk) -> None:
    desk.create(
        jobs={"name": ["a", "b"], "command": ["true"] * 2, "failure_handler_id": [0, 1]},
        failure_handlers=[
            {"name": "one", "rules": [{"exit_codes": [-128], "max_retries": 1}]},
            {"name": "all", "rules": [{"match_all_exit_codes": True, "max_retries": 1}]},
        ],
    )
    desk.begin()
    leased(desk, 60.0)
    desk.started(*(job.id for job in desk.tick(limit=9).jobs))
    lose(desk, desk.node_id)
    assert desk.statuses() == "a=failed b=ready"


def test_a_lost_job_can_wait_for_its_next_attempt_and_its_script_is_not_run(desk: Desk) -> None:
    rules = [{"exit_codes": [-128], "delay_seconds": 60, "recovery_script": "./clean"}]
    desk.create(
        jobs={"name": ["a"], "command": ["true"], "failure_handler_id": [0]},
        failure_handlers=[{"name": "h", "rules": rules}],
    )
    desk.begin()
    leased(desk, 60.0)
    (job,) = desk.tick(limit=9).jobs
    desk.started(job.id)
    lose(desk, desk.node_id)
    assert desk.statuses() == "a=blocked"
    [told] = events(desk, "job_retried")
    assert told["recovery"] == {"reason": "not run: its runner is gone"}


# late runners


def late(desk: Desk) -> tuple[int, int]:
    """A job whose runner fell silent while it ran; returns the job and the runner."""
    desk.jobs((), (0,))
    desk.begin()
    node = leased(desk, 60.0)
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    lose(desk, node)
    return job.id, node


def as_runner(desk: Desk, node: int) -> Desk:
    other = Desk(desk.service)
    other.workflow_id, other.node_id = desk.workflow_id, node
    return other


def held(*pairs: tuple[int, int]) -> list[HeldJob]:
    return [HeldJob(job_id=job_id, attempt_id=attempt) for job_id, attempt in pairs]


def test_a_late_runner_hears_what_it_has_lost_and_is_given_nothing_at_first(desk: Desk) -> None:
    job_id, node = late(desk)
    answer = desk.tick(limit=9, held=held((job_id, 1)))
    assert (answer.lost, answer.jobs) == ([job_id], [])
    assert is_active(desk, node)
    assert [e["compute_node_id"] for e in events(desk, "runner_returned")] == [node]
    assert [(job.id, job.attempt_id) for job in desk.tick(limit=9, held=[]).jobs] == [(job_id, 2)]


def test_a_late_runner_has_a_lease_again(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk, 0.3)
    wait_for(lambda: not is_active(desk, node), "the end of the lease")
    desk.tick()
    assert is_active(desk, node)
    wait_for(lambda: not is_active(desk, node), "the end of the second lease")


@pytest.mark.parametrize("code", [0, 1])
def test_a_late_result_is_refused_while_the_job_waits(desk: Desk, code: int) -> None:
    job_id, _ = late(desk)
    answer = desk.finished({job_id: code})
    assert ([r["attempt_id"] for r in answer.refused], answer.lost) == ([1], [job_id])
    assert (desk.statuses(), results(desk)) == ("a=ready b=blocked", [(job_id, 1, -128)])


@pytest.mark.parametrize("code", [0, 1])
def test_a_late_result_is_refused_while_the_job_runs_elsewhere(desk: Desk, code: int) -> None:
    job_id, node = late(desk)
    desk.node()
    desk.started(*(job.id for job in desk.tick(limit=1).jobs))
    answer = as_runner(desk, node).finished({job_id: code})
    assert (len(answer.refused), answer.lost) == (1, [job_id])
    assert (desk.statuses(), results(desk)) == ("a=running b=blocked", [(job_id, 1, -128)])
    assert desk.finished({job_id: 0}, 2).refused == []


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0)])
def test_a_late_result_does_not_replace_a_newer_one(desk: Desk, first: int, second: int) -> None:
    job_id, node = late(desk)
    desk.node()
    desk.started(*(job.id for job in desk.tick(limit=1).jobs))
    desk.finished({job_id: second}, 2)
    status = desk.statuses()
    answer = as_runner(desk, node).finished({job_id: first})
    assert len(answer.refused) == 1
    assert (desk.statuses(), results(desk)) == (status, [(job_id, 1, -128), (job_id, 2, second)])
    [latest] = desk.service.find(Result, desk.workflow_id).items
    assert latest.attempt_id == 2


def test_a_late_result_is_refused_though_its_runner_has_the_job_again(desk: Desk) -> None:
    job_id, _ = late(desk)
    desk.tick()
    (again,) = desk.tick(limit=1, held=[]).jobs
    desk.started(again.id)
    answer = desk.finished({job_id: 0}, 1)
    assert (len(answer.refused), answer.lost) == (1, [])  # the second attempt is its own
    assert desk.statuses() == "a=running b=blocked"
    assert desk.finished({job_id: 0}, 2).refused == []
    assert desk.statuses() == "a=completed b=ready"


def test_a_late_start_does_not_take_a_job_from_its_new_runner(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk, 60.0)
    (job,) = desk.tick(limit=1).jobs
    lose(desk, node)  # before its start was reported: it keeps its number
    other = desk.node()
    desk.started(*(job.id for job in desk.tick(limit=1).jobs))
    answer = as_runner(desk, node).tick(started=[StartedJob(job_id=job.id, start_time=MOMENT)], finished=[end(job.id)])
    assert answer.lost
    assert set(answer.lost) == {job.id}
    assert desk.service.get(Job, job.id).compute_node_id == other
    assert desk.finished({job.id: 0}).refused == []
    assert as_runner(desk, node).finished({job.id: 1}).refused
    assert results(desk) == [(job.id, 1, 0)]


def test_what_it_releases_late_is_left_to_its_new_runner(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk, 60.0)
    (job,) = desk.tick(limit=1).jobs
    lose(desk, node)
    desk.node()
    desk.tick(limit=1)
    as_runner(desk, node).tick(released=[job.id])
    assert desk.statuses() == "a=pending"


def test_an_answer_that_is_asked_for_again_has_only_what_is_still_its_own(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    node = leased(desk, 60.0)
    first, _ = desk.tick(limit=2).jobs
    lose(desk, node)
    desk.node()
    assert [job.id for job in desk.tick(limit=1).jobs] == [first.id]
    assert as_runner(desk, node).tick(resend=True, held=[]).jobs == []


def test_what_was_canceled_is_not_lost(desk: Desk) -> None:
    """How a canceled job ended is still worth to be told."""
    desk.jobs(())
    desk.begin()
    leased(desk, 60.0)
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    desk.service.cancel_workflow(desk.workflow_id)
    answer = desk.tick(held=held((job.id, 1)))
    assert (answer.lost, answer.is_canceled) == ([], True)
    assert desk.finished({job.id: 137}).refused == []
    assert results(desk) == [(job.id, 1, 137)]


_OWNER = """
import sys, time
from torc_core.service import leases
leases.LOOK_SECONDS = leases._LATE_SECONDS = 0.1
from torc_core.service.local import LocalService
from torc_core.records.resources import ComputeNode
from torc_plugins.storage.sqlite_storage import SqliteStorage
service = LocalService(SqliteStorage(sys.argv[1]))
node = ComputeNode(workflow_id=1, hostname="h", pid=1, start_time="2026-01-31T08:00:00.000Z", num_cpus=1, memory_gb=1.0,
                   num_gpus=0, is_active=True, lease_seconds=0.8)
id = service.create(node).id
while True:
    print(service.get(ComputeNode, id).is_active, flush=True)
    time.sleep(0.05)
"""


def test_an_owner_that_was_stopped_ends_no_lease_when_it_goes_on(tmp_path: Path) -> None:
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    database = str(tmp_path / "torc.db")
    desk = Desk(LocalService(SqliteStorage(database)))
    desk.jobs(())
    desk.service.close()
    with subprocess.Popen([sys.executable, "-c", _OWNER, database], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline() == "True\n"
            os.kill(owner.pid, signal.SIGSTOP)
            time.sleep(1.2)  # longer than the lease, by the clock that does not stop
            os.kill(owner.pid, signal.SIGCONT)
            lines = [owner.stdout.readline() for _ in range(8)]
            assert lines == ["True\n"] * 8
            wait_for(lambda: owner.stdout.readline() == "False\n", "the end of the lease")
        finally:
            owner.kill()


def test_leases_are_part_of_the_record(desk: Desk) -> None:
    desk.jobs(())
    node = leased(desk, 2.5)
    assert json.loads(json.dumps(desk.service.get(ComputeNode, node).wire()))["lease_seconds"] == 2.5
