"""Allocations that end without a word: their executors are asked, whoever they are, and their runners are gone."""

import os
import subprocess
import time

import pytest

from tests.cli.queues import offer_queues
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode
from torc_core.service.clock import utc_text
from torc_core.service.local import LocalService
from torc_core.service.processes import process_name
from torc_plugins.storage.sqlite_storage import SqliteStorage

PLAIN = "name: plain\njobs: [{name: j, command: 'true'}]"
LONG_AGO = "2026-01-31T08:00:00.000Z"


@pytest.fixture
def queue(monkeypatch):
    return offer_queues(monkeypatch)


@pytest.fixture
def world(torc, queue):
    """A workflow to which allocations can be added."""

    class World:
        id = torc.create(PLAIN)

        def add(self, scheduler_type, handle, state, *, status="pending", asked_at=LONG_AGO, runner=False, **more):
            if state != "lost":
                queue.states[handle] = state
            service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
            made = service.create(
                ScheduledComputeNode(
                    workflow_id=self.id, scheduler_config_id=0, scheduler_type=scheduler_type, status=status,
                    handle=handle, asked_at=asked_at, **{"scheduler_id": 0, **more},
                )
            )  # fmt: skip
            if runner:
                service.create(
                    ComputeNode(
                        workflow_id=self.id, hostname="elsewhere", pid=1, start_time=LONG_AGO, num_cpus=1,
                        memory_gb=1.0, num_gpus=0, is_active=True,
                        scheduler={"type": scheduler_type, "scheduler_id": made.id},
                    )
                )  # fmt: skip
            service.close()
            return made.id

        def statuses(self):
            listed = torc.items("scheduled-compute-nodes", "list", self.id)
            return [node["status"] for node in listed]

    return World()


def test_what_the_queue_has_no_more_is_over_and_what_it_has_is_not(torc, world):
    for state in ("queued", "running", "done", "lost", "elsewhere"):
        world.add("lsf", f"{state}-1", state)
    done = torc("sync-status", world.id)
    assert [line.split(" (")[0] for line in done.lines[:-1]] == [
        "Noted the end of allocation 3 of lsf", "Noted the end of allocation 4 of lsf",
    ]  # fmt: skip
    assert world.statuses() == ["pending", "pending", "complete", "complete", "pending"]


def test_a_queue_may_take_a_minute_to_list_what_it_was_asked_for(torc, world):
    world.add("lsf", "1", "lost", asked_at=utc_text(time.time_ns() // 1_000_000))
    world.add("lsf", "2", "done", asked_at=utc_text(time.time_ns() // 1_000_000))
    torc("sync-status", world.id)
    assert world.statuses() == ["pending", "complete"]


def test_the_runner_of_an_allocation_that_is_over_is_gone_wherever_it_was(torc, world):
    world.add("slurm", "1", "lost", status="active", runner=True)
    world.add("slurm", "2", "running", status="active", runner=True)
    told = torc.json("sync-status", world.id)
    assert (told["pending_allocations_cleaned"], told["compute_nodes_deactivated"]) == (1, 1)
    assert [node["is_active"] for node in torc.items("compute-nodes", "list", world.id)] == [False, True]
    assert world.statuses() == ["complete", "active"]


@pytest.mark.parametrize(("kind", "said"), [("deaf", "the daemon does not answer"), ("unusable", ""), ("sge", "")])
def test_an_executor_that_cannot_be_asked_keeps_nobody_from_the_others(torc, world, kind, said):
    world.add(kind, "1", "lost")
    world.add("lsf", "2", "lost")
    done = torc("sync-status", world.id)
    assert said in done.err
    assert (done.err == "") == (said == "")
    assert world.statuses() == ["pending", "complete"]


def test_a_recovery_first_notes_what_is_over(torc, world):
    world.add("lsf", "1", "lost")
    assert "has failed" in torc("recover", world.id, code=1).err
    assert world.statuses() == ["complete"]


def test_a_recovery_is_refused_while_an_allocation_waits_and_says_how_to_forget_it(torc, world):
    world.add("lsf", "1", "queued")
    refused = torc("recover", world.id, code=1).err
    assert "1 allocation pending or active" in refused
    assert "torc scheduled-compute-nodes delete" in refused
    assert "1 allocation pending or active" in torc("recover", world.id, "--dry-run", code=1).err


def test_nodes_are_asked_of_any_executor_that_allocates(torc, world, queue):
    done = torc("schedule-nodes", world.id, "--scheduler-type", "lsf", "-n", 2)
    assert done.lines == [f"Allocation {n} asked of lsf, which knows it as {699 + n}" for n in (1, 2)]
    assert world.statuses() == ["pending", "pending"]
    assert list(queue.states) == ["700:x", "701:x"]


@pytest.fixture
def dead():
    """The name of a process that has ended."""
    process = subprocess.Popen(["sleep", "600"])
    name = process_name(process.pid)
    process.kill()
    process.wait()
    return name


def test_what_somebody_was_killed_while_asking_for_is_over_unless_a_worker_has_come_up(torc, world, dead):
    world.add("lsf", None, "lost", process=dead)
    world.add("lsf", None, "lost", process=dead, status="active", runner=True)
    world.add("lsf", None, "lost", process=process_name(os.getpid()))
    torc("sync-status", world.id)
    assert world.statuses() == ["complete", "active", "pending"]
    assert [node["is_active"] for node in torc.items("compute-nodes", "list", world.id)] == [True]


def test_a_worker_that_was_started_before_its_asker_was_killed_is_found(torc, world, dead):
    id = world.add("local", None, "lost", process=dead)
    worker = subprocess.Popen(["sleep", "600"], env={"PATH": "/bin:/usr/bin", "TORC_SCHEDULED_NODE": f"local:{id}:0"})
    try:
        torc("sync-status", world.id)
        assert world.statuses() == ["pending"]
    finally:
        worker.kill()
        worker.wait()
    torc("sync-status", world.id)
    assert world.statuses() == ["complete"]


def test_of_a_record_of_an_older_version_only_the_runner_tells_whether_it_is_over(torc, world):
    """It has the process id of the worker, and nothing that tells that from another process."""
    world.add("local", None, "lost", scheduler_id=12345, status="active", runner=True)
    world.add("slurm", None, "lost", scheduler_id=12345, status="active", runner=True)
    torc("sync-status", world.id)
    assert world.statuses() == ["active", "complete"]


def test_a_worker_that_comes_too_late_ends_its_allocation(torc, world, monkeypatch):
    torc("run", world.id)
    id = world.add("lsf", "1", "running")
    monkeypatch.setenv("TORC_SCHEDULED_NODE", f"lsf:{id}:0")
    assert "Nothing to run" in torc("run", world.id).out
    assert world.statuses() == ["complete"]


def test_a_worker_that_is_refused_ends_its_allocation(torc, world, monkeypatch):
    id = world.add("lsf", "1", "running")
    torc("workflows", "archive", "true", world.id)
    monkeypatch.setenv("TORC_SCHEDULED_NODE", f"lsf:{id}:0")
    assert "is archived" in torc("run", world.id, code=1).err
    assert world.statuses() == ["complete"]
