"""Runners that come back late: what they have lost stays lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.service.conftest import MOMENT, Desk, end
from tests.unit.service.lease_desk import events, is_active, leased, lose, results
from torc_core.records.answers import HeldJob, StartedJob
from torc_core.records.resources import ComputeNode, Job, Result
from torc_core.service.local import LocalService
from torc_core.testing.executors import wait_for


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

    def ends() -> list[int]:
        return [e["compute_node_id"] for e in events(desk, "runner_lost")]

    wait_for(lambda: ends() == [node], "the end of the lease")
    desk.tick()
    assert [e["compute_node_id"] for e in events(desk, "runner_returned")] == [node]
    wait_for(lambda: ends() == [node, node], "the end of the second lease")
    assert not is_active(desk, node)


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
    print(time.monotonic(), service.get(ComputeNode, id).is_active, flush=True)
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
            assert owner.stdout.readline().endswith("True\n")
            os.kill(owner.pid, signal.SIGSTOP)
            time.sleep(1.2)  # longer than the lease, by the clock that does not stop
            went_on = time.monotonic()
            os.kill(owner.pid, signal.SIGCONT)
            ended = next(float(line.split()[0]) for line in owner.stdout if line.endswith("False\n"))
            assert ended - went_on >= 0.6  # nearly a whole lease, and many looks at leases
        finally:
            owner.kill()


def test_leases_are_part_of_the_record(desk: Desk) -> None:
    desk.jobs(())
    node = leased(desk, 2.5)
    assert json.loads(json.dumps(desk.service.get(ComputeNode, node).wire()))["lease_seconds"] == 2.5
