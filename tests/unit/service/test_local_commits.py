"""Transactions of the local service: shared ones, failed ones, and many callers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.contracts.storage import StorageError
from torc_core.errors import Conflict, Invalid, Unavailable
from torc_core.records.answers import NewWorkflow, StartedJob, Tick
from torc_core.records.resources import ComputeNode, Job, Result
from torc_core.service.local import LocalService
from torc_core.service.owner import Owner
from torc_core.service.turn import Caller, Turn
from torc_plugins.storage.memory_storage import MemoryStorage


def test_what_cannot_be_written_did_not_happen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.jobs((), (0,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    storage = desk.service._owner.storage
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise StorageError("disk full")

        patch.setattr(storage, "update_each", full)
        with pytest.raises(StorageError, match="disk full"):
            desk.finished({job.id: 0})
    assert desk.statuses() == "a=pending b=blocked"
    assert desk.service.find(Result, desk.workflow_id).total_count == 0
    desk.finished({job.id: 0})
    assert desk.statuses() == "a=completed b=ready"


class Counting(MemoryStorage):
    """Counts transactions and can hold one open until it is told to go on."""

    def __init__(self) -> None:
        super().__init__("")
        self.transactions = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.inside = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            self.transactions += 1
            self.inside.set()
            self.go_on.wait(30)
            yield


def test_those_who_wait_share_one_transaction_and_fail_alone() -> None:
    storage = Counting()
    owner = Owner(storage)
    storage.go_on.clear()
    answers: dict[int, object] = {}

    def work(number: int) -> None:
        def write(turn: Turn) -> int:
            if number == 3:
                raise Invalid("number three")
            turn.is_dirty = True
            return number

        try:
            answers[number] = owner.write(write, Caller())
        except Invalid as exc:
            answers[number] = str(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    threads[0].start()
    assert storage.inside.wait(30)
    for thread in threads[1:]:
        thread.start()
    deadline = threading.Event()
    while len(owner._queue) < 5:
        deadline.wait(0.001)
    storage.go_on.set()
    for thread in threads:
        thread.join(30)
    assert answers == {0: 0, 1: 1, 2: 2, 3: "number three", 4: 4, 5: 5}
    assert storage.transactions == 2


def test_a_piece_that_fails_half_way_is_undone_and_the_others_are_kept() -> None:
    service = LocalService(MemoryStorage(""))
    made = service.create_whole_workflow(NewWorkflow(workflow={"name": "w"}, jobs={"name": ["a"], "command": ["x"]}))
    with pytest.raises(Invalid):
        service._owner.write(lambda turn: _spoil(turn, made.workflow_id), Caller())
    assert service.find(Job, made.workflow_id).items[0].command == "x"


def _spoil(turn: Turn, workflow_id: int) -> None:
    turn.touch(workflow_id)
    turn.set(Job, {"command": "spoilt"}, [])
    raise Invalid("after writing")


def test_no_two_runners_get_the_same_job_and_none_is_lost(desk: Desk) -> None:
    count = 200
    desk.create(jobs={"name": [f"j{i}" for i in range(count)], "command": ["true"] * count})
    desk.begin()
    given: list[int] = []
    errors: list[BaseException] = []

    def runner() -> None:
        try:
            node = desk.service.create(
                ComputeNode(
                    workflow_id=desk.workflow_id,
                    hostname="h",
                    pid=1,
                    start_time=MOMENT,
                    num_cpus=1,
                    memory_gb=1.0,
                    num_gpus=0,
                    is_active=True,
                )
            )
            while True:
                answer = desk.service.tick(desk.workflow_id, Tick(compute_node_id=node.id, run_id=1, limit=7))
                if not answer.jobs:
                    return
                ids = [job.id for job in answer.jobs]
                given.extend(ids)
                desk.service.tick(
                    desk.workflow_id,
                    Tick(
                        compute_node_id=node.id,
                        run_id=1,
                        started=[StartedJob(job_id=i, start_time=MOMENT) for i in ids],
                        finished=[end(i) for i in ids],
                    ),
                )
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=runner) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(given) == len(set(given)) == count
    assert desk.service.is_workflow_complete(desk.workflow_id).is_complete
    assert desk.service.find(Result, desk.workflow_id).total_count == count


def test_changes_are_told_after_they_are_kept(desk: Desk) -> None:
    desk.jobs(())
    seen: list[str] = []
    stop = desk.service.on_change(desk.workflow_id, lambda: seen.append(desk.statuses()))
    before = desk.service.wait_for_change(desk.workflow_id, 0, 0).version
    desk.begin()
    stop()
    desk.tick(limit=1)
    assert seen[0] == "a=ready"
    assert "a=pending" not in seen
    assert desk.service.wait_for_change(desk.workflow_id, before, 30).version > before


def test_a_waiter_hears_of_a_change_by_another(desk: Desk) -> None:
    desk.jobs(())
    version = desk.service.wait_for_change(desk.workflow_id, 0, 0).version
    heard: list[int] = []
    waiter = threading.Thread(
        target=lambda: heard.append(desk.service.wait_for_change(desk.workflow_id, version, 30).version)
    )
    waiter.start()
    desk.begin()
    waiter.join(30)
    assert heard and heard[0] > version


def test_whoever_is_no_longer_the_owner_writes_nothing() -> None:
    mine = [True]
    storage = MemoryStorage("")
    service = LocalService(storage, still_mine=lambda: mine[0])
    made = service.create_whole_workflow(NewWorkflow(workflow={"name": "w"}, jobs={"name": ["a"], "command": ["x"]}))
    mine[0] = False
    with pytest.raises(Unavailable, match="taken over"):
        service.cancel_workflow(made.workflow_id)


def test_a_closed_service_says_so() -> None:
    service = LocalService(MemoryStorage(""))
    service.close()
    service.close()
    with pytest.raises(Unavailable, match="closed"):
        service.find(Job)


def test_a_listener_that_fails_keeps_nobody_else_from_hearing(desk: Desk) -> None:
    desk.jobs(())
    heard: list[str] = []

    def broken() -> None:
        raise OSError("gone")

    desk.service.on_change(desk.workflow_id, broken)
    desk.service.on_change(desk.workflow_id, lambda: heard.append("told"))
    assert desk.begin().run_id == 1
    assert heard


def test_a_refusal_elsewhere_leaves_a_workflow_in_memory(desk: Desk) -> None:
    first = desk.jobs(())
    desk.begin()
    graph = desk.service._owner.state(first).graph
    desk.jobs(())
    with pytest.raises(Conflict):
        desk.service.create(Job(workflow_id=desk.workflow_id, name="a", command="x"))
    assert desk.service._owner.state(first).graph is graph
