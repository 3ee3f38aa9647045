"""The service of whoever owns the storage: it decides in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from torc_core import __version__
from torc_core.contracts.storage import Storage
from torc_core.errors import NoAuthFile, NotFound, TorcError, Unsupported
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.answers.access import ReloadedAuth
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.resources import Workflow
from torc_core.records.tasks import Task
from torc_core.service import tasks, verbs
from torc_core.service.access import Access
from torc_core.service.api import API_VERSION, OPERATIONS, Service, verb_of
from torc_core.service.events import Subscription
from torc_core.service.orphans import load_leases
from torc_core.service.owner import MAX_WAIT_SECONDS, Owner, Work
from torc_core.service.registry import handler_of
from torc_core.service.turn import Caller, Turn
from torc_core.service.upkeep import Upkeep
from torc_core.units import counted

R = TypeVar("R", bound=Record)


class LocalService(Service):
    """Decides in memory; keeps every change in the storage before anybody hears of it. For any number of threads."""

    def __init__(
        self,
        storage: Storage,
        *,
        caller: Caller | None = None,
        still_mine: Callable[[], bool] | None = None,
        access: Access | None = None,
    ) -> None:
        """Serve a storage. ``still_mine`` is asked before each write: whether this process still owns it.

        ``access`` says who may do what; its administrators become the system group. Without it, everybody may do all.
        """
        self._owner = Owner(storage, still_mine, access)
        self._caller = caller or Caller()
        self._owner.upkeep = Upkeep(self._owner)
        self._owner.read(load_leases, self._caller)
        self._background = tasks.Background(self._owner)
        if self._owner.read(tasks.has_interrupted, self._caller):
            is_alone = still_mine is not None
            self._owner.write(lambda turn: tasks.fail_interrupted(turn, is_alone), self._caller)
        if access is not None:
            from torc_core.service import groups

            self._owner.write(lambda turn: groups.synchronise_administrators(turn, access.administrators), self._caller)

    def for_caller(self, caller: Caller) -> LocalService:
        """Return the same service as another user sees it."""
        other = LocalService.__new__(LocalService)
        other._owner, other._background, other._caller = self._owner, self._background, caller
        return other

    def caller_of_token(self, token: str, release: str = "") -> Caller:
        """Return who bears a worker token; raises Unauthorized."""
        from torc_core.service import tokens

        caller: Caller = self._owner.read(lambda turn: tokens.caller_of(turn, token, release), self._caller)
        return caller

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Carry out a declared operation: reads at once, everything else in a transaction."""
        handler = handler_of(op.name)
        if handler is None:
            raise Unsupported(f"{op.name} is not offered by this service")
        return self._run(op, arguments, lambda turn: handler(turn, **arguments))

    def _run(self, op: Operation, arguments: dict[str, Any], work: Work) -> Any:
        """Do some work if the caller may, which is looked at in the same turn."""
        access = self._owner.access

        def checked(turn: Turn) -> Any:
            access.check(turn, op, arguments)
            return work(turn)

        run = self._owner.read if op.is_read_only else self._owner.write
        return run(checked, self._caller)

    @property
    def owner(self) -> Owner:
        """What works beneath, for who serves many callers at once; it asks nobody for rights."""
        return self._owner

    def check(self, name: str, **arguments: Any) -> None:
        """Raise what an operation that is carried out elsewhere raises for this caller."""
        op = OPERATIONS[name]
        self._owner.read(lambda turn: self._owner.access.check(turn, op, arguments), self._caller)

    def create(self, record: R, **extra: Any) -> R:
        """Store a new record."""
        op = verb_of(type(record), "create")
        made: R = self._run(op, {"body": record}, lambda turn: verbs.create(turn, record, **extra))
        return made

    def get(self, kind: type[R], id: int) -> R:
        """Return the record with that id."""
        found: R = self._run(verb_of(kind, "get"), {"id": id}, lambda turn: turn.get(kind, id))
        return found

    def find(
        self,
        kind: type[R],
        workflow_id: int | None = None,
        offset: int = 0,
        limit: int = MAX_LIMIT,
        sort_by: str | None = None,
        reverse_sort: bool = False,
        **filters: Any,
    ) -> Page[R]:
        """Return one page of records."""
        access = self._owner.access

        def look(turn: Turn) -> Page[R]:
            within = access.visible(turn, kind, workflow_id, filters.get("user"))
            page = (workflow_id, offset, limit, sort_by, reverse_sort)
            return verbs.find(turn, kind, *page, within=within, **filters)

        found: Page[R] = self._run(verb_of(kind, "find"), {"workflow_id": workflow_id}, look)
        return found

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """Change a record."""
        op = verb_of(kind, "update")
        changed: R = self._run(op, {"id": id, "body": changes}, lambda turn: verbs.update(turn, kind, id, changes))
        return changed

    def delete(self, kind: type[R], id: int) -> R:
        """Remove a record."""
        gone: R = self._run(verb_of(kind, "delete"), {"id": id}, lambda turn: verbs.delete(turn, kind, id))
        return gone

    def delete_all(self, kind: type[R], workflow_id: int) -> a.Deleted:
        """Remove all records of a kind."""
        op = verb_of(kind, "delete_all")
        arguments = {"workflow_id": workflow_id}
        count: a.Deleted = self._run(op, arguments, lambda turn: verbs.delete_all(turn, kind, workflow_id))
        return count

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called by whichever thread made a change."""
        self.check("wait_for_change", id=workflow_id)
        return self._owner.listen(workflow_id, notify)

    def wait_for_change(self, id: int, version: int = 0, wait_seconds: float = 0.0) -> a.Change:
        """Wait without keeping anybody else from working."""
        self.check("wait_for_change", id=id)
        return a.Change(version=self._owner.wait(id, version, wait_seconds))

    def tick(self, id: int, report: a.Tick) -> a.TickAnswer:
        """Take a runner's turn, and wait, when it wants to, until there is something to tell it."""
        from torc_core.service import ticks

        answer = self._tick(id, report)
        deadline = time.monotonic() + min(report.wait_seconds, MAX_WAIT_SECONDS)
        report = report.changed(started=None, finished=None, released=None, held=None, actions=None, resend=False)
        while not ticks.says_something(answer):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if answer.ready_in_seconds is not None:
                left = min(left, answer.ready_in_seconds)
            self._owner.wait(id, answer.version, left)
            answer = self._tick(id, report)
        return answer

    def _tick(self, id: int, report: a.Tick) -> a.TickAnswer:
        answer: a.TickAnswer = self.perform(OPERATIONS["tick"], {"id": id, "report": report})
        return answer

    def watch_events(self, id: int, level: str = "info") -> a.EventStream:
        """Hear of what happens to a workflow."""
        return self.subscribe(id, level)

    def subscribe(
        self, workflow_id: int, level: str = "info", notify: Callable[[], None] | None = None
    ) -> Subscription:
        """Return the events of a workflow; ``notify`` is called, quickly, when there are some to take."""
        self.get(Workflow, workflow_id)
        self.check("watch_events", id=workflow_id)
        made = self._owner.events.subscribe(workflow_id, level, notify)
        made.may_hear = self.right_to_hear(workflow_id)
        return made

    def right_to_hear(self, workflow_id: int) -> Callable[[], bool] | None:
        """Return what tells whether the caller still has the right to events, None when everybody has.

        It is asked while the owner publishes.
        """
        is_open = self._owner.access.is_open and not self._caller.token_id
        return None if is_open else lambda: self._may_hear(workflow_id)

    def _may_hear(self, workflow_id: int) -> bool:
        turn = Turn(self._owner, self._caller)
        try:
            self._owner.access.check(turn, OPERATIONS["watch_events"], {"id": workflow_id})
        except NotFound:  # it was deleted, which is the last that is heard
            return True
        except TorcError:
            return False
        return True

    def start_initialize_jobs(
        self, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
    ) -> Task:
        """Begin to initialize jobs."""
        given = {"only_uninitialized": only_uninitialized, "clear_ephemeral_user_data": clear_ephemeral_user_data}
        return self._start("start_initialize_jobs", {"id": id, **given})

    def start_begin_run(
        self, id: int, found: a.FileTimes, again: bool = False, force: bool = False, only_reset: bool = False
    ) -> Task:
        """Begin to begin a run."""
        given = {"found": found, "again": again, "force": force, "only_reset": only_reset}
        return self._start("start_begin_run", {"id": id, **given})

    def _start(self, name: str, arguments: dict[str, Any]) -> Task:
        task: Task = self.perform(OPERATIONS[name], arguments)
        self._background.begin(task, arguments, self._caller)
        return task

    def ping(self) -> a.Ping:
        """Answer at once."""
        return a.Ping(status="ok")

    def get_version(self) -> a.Version:
        """Tell our release."""
        return a.Version(version=__version__, api_version=API_VERSION)

    def reload_auth(self) -> ReloadedAuth:
        """Read the users again; nobody waits for that."""
        self.check("reload_auth")
        reload = self._owner.access.reload
        if reload is None:
            raise NoAuthFile("this server has no file of users", hint="Start it with --auth-file FILE.")
        count = reload()
        return ReloadedAuth(message=f"read {counted(count, 'user')}", user_count=count)

    def close(self) -> None:
        """Let tasks end, and close the storage."""
        self._background.close()
        self._owner.close()

    def abandon(self) -> None:
        """Let go of the storage without writing a byte."""
        self._owner.close(abandon=True)
