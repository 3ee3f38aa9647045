"""Runners that vanish lose their jobs; the owner notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.lease_desk import events, is_active, leased, lose, results
from torc_core.errors import StorageError
from torc_core.records.resources import ComputeNode, Job, Result
from torc_core.service.leases import Runner
from torc_core.service.local import LocalService
from torc_core.service.orphans import expire
from torc_core.service.turn import Caller, Turn
from torc_core.testing.executors import wait_for


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


def test_one_that_is_heard_of_at_the_last_moment_keeps_its_jobs(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk, 60.0)
    desk.tick(limit=1)
    owner = desk.service.owner
    assert owner.upkeep is not None
    owner.silent_runners = lambda: [Runner(desk.workflow_id, node)]  # type: ignore[method-assign]  (before the tick)
    owner.upkeep._end_leases()
    assert (is_active(desk, node), desk.statuses()) == (True, "a=pending")


def test_a_lease_ends_although_work_that_ended_it_was_undone(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    node = leased(desk, 0.3)

    def fails(turn: Turn) -> None:
        expire(turn, desk.workflow_id, [node])
        raise StorageError("the disk is full")

    with pytest.raises(StorageError):
        desk.service.owner.write(fails, Caller("torc"))
    wait_for(lambda: events(desk, "runner_lost"), "the end of the lease")
    assert not is_active(desk, node)


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
