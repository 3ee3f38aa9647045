"""Long operations in a thread of the owner: begun by a request that is answered at once, kept as records."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torc_core.contracts.storage import Condition
from torc_core.errors import Conflict, NotFound, TorcError
from torc_core.records.answers import FileTimes
from torc_core.records.answers.tasks import ActiveTask
from torc_core.records.tasks import Task, TaskStatus
from torc_core.service import runs
from torc_core.service.api import Service
from torc_core.service.clock import now_ms
from torc_core.service.processes import is_dead, process_name
from torc_core.service.registry import HANDLERS, handles
from torc_core.service.turn import Caller, Turn, of_workflow, with_ids

if TYPE_CHECKING:
    from torc_core.service.owner import Owner

_ACTIVE = Condition("status", "one_of", [TaskStatus.QUEUED.value, TaskStatus.RUNNING.value])
_FINISH_S = 60.0
INTERRUPTED = "the service ended before this was done; nothing of it was kept"


# requests


@handles(Service.start_initialize_jobs)
def start_initialize_jobs(
    turn: Turn, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
) -> Task:
    """Keep the task; whoever called this begins it."""
    turn.state(id)
    given = {"only_uninitialized": only_uninitialized, "clear_ephemeral_user_data": clear_ephemeral_user_data}
    return _queue(turn, id, "initialize_jobs", given)


@handles(Service.start_begin_run)
def start_begin_run(
    turn: Turn, id: int, found: FileTimes, again: bool = False, force: bool = False, only_reset: bool = False
) -> Task:
    """Refuse what would fail, and keep the task."""
    given = {"again": again, "force": force, "only_reset": only_reset}
    active = _active(turn, id)
    if active is None:
        runs.check_begin(turn, id, found, force)
    return _queue(turn, id, "begin_run", given)


def _active(turn: Turn, workflow_id: int) -> Task | None:
    return next(iter(turn.records(Task, of_workflow(workflow_id, _ACTIVE))), None)


def _queue(turn: Turn, workflow_id: int, operation: str, given: dict[str, Any]) -> Task:
    """Return the task that goes on, when it is the same, or a new one; raises Conflict."""
    active = _active(turn, workflow_id)
    if active is None:
        return turn.insert(
            Task(
                workflow_id=workflow_id, operation=operation, status=TaskStatus.QUEUED, created_at_ms=turn.now,
                given=given, process=process_name(os.getpid()),
            )
        )  # fmt: skip
    [(text,)] = turn.rows(Task, ("given",), with_ids([active.id]))
    if active.operation == operation and json.loads(text) == given:
        return active
    raise Conflict(
        f"{active.operation} of workflow {workflow_id} goes on, with other settings or as something else",
        hint=f"Wait for it: torc tasks wait {active.id}",
        existing_task_id=active.id, existing_operation=active.operation,
    )  # fmt: skip


@handles(Service.get_active_task_for_workflow)
def get_active_task_for_workflow(turn: Turn, id: int) -> ActiveTask:
    """Return the task that goes on."""
    turn.state(id)
    return ActiveTask(task=_active(turn, id))


# what an owner does


def fail_interrupted(turn: Turn, is_alone: bool) -> None:
    """End the tasks of owners that are gone; ``is_alone`` says that there is no other owner than this one."""
    left = [id for id, process in turn.rows(Task, ("id", "process"), [_ACTIVE]) if is_alone or is_dead(process or "")]
    for task in turn.records(Task, with_ids(left)) if left else ():
        _finish(turn, task, INTERRUPTED)


def has_interrupted(turn: Turn) -> bool:
    """Whether there is a task that has not ended."""
    return bool(turn.storage.count(Task, [_ACTIVE]))


def _finish(turn: Turn, task: Task, error: str | None) -> None:
    """Keep how a task ended, and tell it."""
    status = TaskStatus.FAILED if error is not None else TaskStatus.SUCCEEDED
    turn.touch(task.workflow_id)
    turn.set(Task, {"status": status, "finished_at_ms": now_ms(), "error": error}, with_ids([task.id]))
    more = {} if error is None else {"error": error}
    turn.tell(
        task.workflow_id, "task_completed", "info" if error is None else "error", category="tasks",
        type="task_completed", task_id=task.id, operation=task.operation, status=status.value, user=turn.caller.user,
        message=f"{task.operation} of workflow {task.workflow_id} {status}", **more,
    )  # fmt: skip


class Background:
    """The threads of one owner's tasks."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._threads: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()

    def begin(self, task: Task, arguments: dict[str, Any], caller: Caller) -> None:
        """Carry a task out, unless that has begun."""
        with self._lock:
            if task.id in self._threads or task.status is not TaskStatus.QUEUED:
                return
            self._threads = {id: thread for id, thread in self._threads.items() if thread.is_alive()}
            thread = threading.Thread(target=self._carry_out, args=(task, arguments, caller), name=f"task {task.id}")
            thread.daemon = True
            self._threads[task.id] = thread
            thread.start()

    def _carry_out(self, task: Task, arguments: dict[str, Any], caller: Caller) -> None:
        handler = HANDLERS[task.operation]
        try:
            if self._owner.write(lambda turn: _start(turn, task), caller):
                self._owner.write(lambda turn: _do(turn, task, handler, arguments), caller)
        except Exception as exc:  # noqa: BLE001  (the thread's only way to say it)
            said = str(exc) if isinstance(exc, TorcError) else f"{type(exc).__name__}: {exc}"
            try:
                self._owner.write(lambda turn: _finish(turn, task, said), caller)
            except TorcError as late:  # the service ends, or the workflow is gone with its tasks
                if not isinstance(late, NotFound):
                    import logging

                    logging.getLogger(__name__).warning("task_id=%s cannot be ended: %s", task.id, late)

    def close(self) -> None:
        """Wait for what goes on; what takes too long is found interrupted by the next owner."""
        for thread in list(self._threads.values()):
            thread.join(_FINISH_S)


def _start(turn: Turn, task: Task) -> bool:
    """Say that a task goes on, unless somebody has begun it before."""
    waits = [*with_ids([task.id]), Condition("status", "equal", TaskStatus.QUEUED.value)]
    turn.touch(task.workflow_id)
    return bool(turn.set(Task, {"status": TaskStatus.RUNNING, "started_at_ms": now_ms()}, waits))


def _do(turn: Turn, task: Task, handler: Callable[..., object], arguments: dict[str, Any]) -> None:
    """Carry out what a task is for, and end it, in one transaction."""
    handler(turn, **arguments)
    _finish(turn, task, None)
