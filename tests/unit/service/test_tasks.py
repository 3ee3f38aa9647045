"""Long operations: answered at once, one of a workflow at a time, ended by the next owner when this one is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.service.conftest import Desk
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.answers import FileTimes
from torc_core.records.resources import Workflow
from torc_core.records.tasks import Task, TaskStatus
from torc_core.service.local import LocalService
from torc_core.service.registry import HANDLERS
from torc_core.service.tasks import INTERRUPTED
from torc_plugins.storage.sqlite_storage import SqliteStorage

PATIENCE_S = 30.0


class Gate:
    """Holds initializations back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, operation: str = "initialize_jobs") -> None:
        self.entered, self._open = threading.Event(), threading.Event()
        handler = HANDLERS[operation]

        def held(turn: object, **arguments: object) -> object:
            self.entered.set()
            assert self._open.wait(PATIENCE_S)
            return handler(turn, **arguments)

        monkeypatch.setitem(HANDLERS, operation, held)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(monkeypatch)
    yield made
    made.open()


def end_of(service: LocalService, task: Task) -> Task:
    """Wait for the end of a task."""
    version = 0
    while (found := service.get(Task, task.id)).status in (TaskStatus.QUEUED, TaskStatus.RUNNING):
        version = service.wait_for_change(task.workflow_id, version, PATIENCE_S).version
    return found


def test_a_task_initializes_jobs_after_its_request_was_answered(desk: Desk) -> None:
    desk.jobs((), (0,))
    task = desk.service.start_initialize_jobs(desk.workflow_id)
    assert (task.operation, task.status, task.workflow_id) == ("initialize_jobs", "queued", desk.workflow_id)
    ended = end_of(desk.service, task)
    assert (ended.status, ended.error) == ("succeeded", None)
    assert ended.created_at_ms <= (ended.started_at_ms or 0) <= (ended.finished_at_ms or 0)
    assert desk.statuses() == "a=ready b=blocked"
    assert desk.service.get_active_task_for_workflow(desk.workflow_id).task is None


def test_what_is_on_the_wire_is_what_is_published(desk: Desk) -> None:
    desk.jobs(())
    task = end_of(desk.service, desk.service.start_initialize_jobs(desk.workflow_id))
    assert set(task.wire()) == {
        "id", "workflow_id", "operation", "status", "created_at_ms", "started_at_ms", "finished_at_ms", "error",
    }  # fmt: skip


def test_the_same_request_gets_the_same_task_and_another_one_a_conflict(desk: Desk) -> None:
    """The storage is asked directly: while a task does its work, requests wait for its transaction."""
    desk.jobs(())
    first = desk.service.create(Workflow(name="other"))
    task = desk.service.start_initialize_jobs(first.id, only_uninitialized=True)
    end_of(desk.service, task)
    with desk.service._owner.storage.transaction():
        desk.service._owner.storage.update(Task, {"status": "running"}, [])
    again = desk.service.start_initialize_jobs(first.id, only_uninitialized=True)
    assert again.id == task.id
    with pytest.raises(Conflict) as caught:
        desk.service.start_initialize_jobs(first.id)
    assert caught.value.details["existing_task_id"] == task.id
    assert caught.value.details["existing_operation"] == "initialize_jobs"
    with pytest.raises(Conflict):
        desk.service.start_begin_run(first.id, FileTimes())
    active = desk.service.get_active_task_for_workflow(first.id).task
    assert active is not None
    assert active.id == task.id
    assert end_of(desk.service, desk.service.start_initialize_jobs(desk.workflow_id)).status == "succeeded"


def test_requests_that_wait_for_a_task_do_not_begin_it_again(desk: Desk, gate: Gate) -> None:
    desk.jobs(())
    tasks: list[Task] = [desk.service.start_initialize_jobs(desk.workflow_id)]
    assert gate.entered.wait(PATIENCE_S)
    asking = threading.Thread(target=lambda: tasks.append(desk.service.start_initialize_jobs(desk.workflow_id)))
    asking.start()
    gate.open()
    asking.join(PATIENCE_S)
    assert [end_of(desk.service, task).status for task in tasks] == ["succeeded", "succeeded"]


def test_a_task_that_fails_says_why_and_keeps_nothing(desk: Desk) -> None:
    desk.jobs((1,), (0,))
    ended = end_of(desk.service, desk.service.start_initialize_jobs(desk.workflow_id))
    assert ended.status == "failed"
    assert "wait for each other" in (ended.error or "")
    assert desk.statuses() == "a=uninitialized b=uninitialized"


def test_a_run_is_begun_by_a_task_and_refused_at_once_when_it_cannot_be(desk: Desk) -> None:
    desk.create(
        files=[{"name": "in", "path": "in.csv"}],
        jobs={"name": ["j"], "command": ["true"], "input_file_ids": [(0,)]},
    )
    with pytest.raises(Conflict, match=r"in\.csv"):
        desk.service.start_begin_run(desk.workflow_id, FileTimes())
    assert desk.service.get_active_task_for_workflow(desk.workflow_id).task is None
    task = desk.service.start_begin_run(desk.workflow_id, FileTimes(st_mtimes={"1": 5.0}))
    assert end_of(desk.service, task).status == "succeeded"
    assert desk.service.get(Workflow, desk.workflow_id).run_id == 1
    assert desk.statuses() == "j=ready"
    desk.tick(limit=1)
    with pytest.raises(Invalid, match="running or about to"):
        desk.service.start_begin_run(desk.workflow_id, FileTimes(st_mtimes={"1": 5.0}))


def test_listeners_hear_how_a_task_ended(desk: Desk) -> None:
    desk.jobs(())
    with_events = desk.service.subscribe(desk.workflow_id)
    task = desk.service.start_initialize_jobs(desk.workflow_id)
    end_of(desk.service, task)
    told = [e for e in with_events.take() if e.event_type == "task_completed"]
    assert [(e.severity, e.data["task_id"], e.data["status"]) for e in told] == [("info", task.id, "succeeded")]
    assert told[0].data["category"] == "tasks"
    assert told[0].data["type"] == "task_completed"


def test_an_unknown_workflow_or_task_is_not_found(desk: Desk) -> None:
    for call in (
        lambda: desk.service.start_initialize_jobs(99),
        lambda: desk.service.get_active_task_for_workflow(99),
        lambda: desk.service.get(Task, 99),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_service_that_is_closed_lets_its_task_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = LocalService(SqliteStorage(str(tmp_path / "torc.db")))
    gate = Gate(monkeypatch)
    desk = Desk(service)
    desk.jobs(())
    task = service.start_initialize_jobs(desk.workflow_id)
    assert gate.entered.wait(PATIENCE_S)
    closing = threading.Thread(target=service.close)
    closing.start()
    gate.open()
    closing.join(PATIENCE_S)
    with_next = LocalService(SqliteStorage(str(tmp_path / "torc.db")))
    assert with_next.get(Task, task.id).status == "succeeded"
    with_next.close()


@pytest.mark.parametrize("status", ["queued", "running"])
def test_the_next_owner_ends_what_a_dead_one_left(tmp_path: Path, status: str) -> None:
    path = str(tmp_path / "torc.db")
    storage = SqliteStorage(path)
    service = LocalService(storage)
    desk = Desk(service)
    desk.jobs(())
    task = end_of(service, service.start_initialize_jobs(desk.workflow_id))
    with storage.transaction():
        storage.update(Task, {"status": status, "finished_at_ms": None, "process": "boot pid 1 0"}, [])
    service.close()
    following = LocalService(SqliteStorage(path), still_mine=lambda: True)
    found = following.get(Task, task.id)
    assert (found.status, found.error) == ("failed", INTERRUPTED)
    assert found.finished_at_ms is not None
    assert end_of(following, following.start_initialize_jobs(desk.workflow_id)).status == "succeeded"
    following.close()
