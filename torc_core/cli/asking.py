"""What a command asks for when it asks for nodes, and how: options, the choice of a scheduler, the asking itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from torc_core.cli.app import App
from torc_core.errors import Conflict, Invalid, NotFound, TorcError
from torc_core.records.actions import ActionRunStatus
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers.actions import ActionClaim, ActionReport
from torc_core.records.resources import Workflow, WorkflowAction
from torc_core.spec.choices import ActionType

if TYPE_CHECKING:
    from torc_core.runner.node_requests import NodeRequests
    from torc_core.service.api import Service

F = TypeVar("F", bound=Callable[..., Any])
Request = dict[str, Any]
"""What is asked for, as actions have it."""
_BY_HAND = "nodes were asked for by hand"
_OPTIONS = (
    click.option("--scheduler", metavar="NAME", help="The workflow's scheduler to ask, by name or id (the only one)."),
    click.option("--scheduler-type", metavar="TYPE",
        help="Its type: local, slurm, or what a plugin serves. local needs no scheduler in the spec."),
    click.option("-n", "--num-allocations", type=click.IntRange(1), help="How many to ask for at a time (1)."),
    click.option("-j", "--max-parallel-jobs", type=click.IntRange(1), help="Jobs at a time of each runner."),
    click.option("--start-one-worker-per-node", is_flag=True, help="A runner on every node of an allocation."),
)  # fmt: skip


def request_options(function: F) -> F:
    """Add the options that say what is asked for; the command hands them to ``Wanted``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class Wanted(NamedTuple):
    """What the options say."""

    scheduler: str | None = None
    scheduler_type: str | None = None
    num_allocations: int | None = None
    max_parallel_jobs: int | None = None
    start_one_worker_per_node: bool = False

    def request_like_before(self, service: Service, workflow_id: int) -> Request:
        """Return what to ask for: where nobody has said it, what was asked for last, or what actions would ask for.

        Raises as ``request`` does.
        """
        before = None if self.scheduler or self.scheduler_type else _before(service, workflow_id)
        if before is None:
            return self.request(service, workflow_id)
        given = {"num_allocations": self.num_allocations, "max_parallel_jobs": self.max_parallel_jobs}
        given["start_one_worker_per_node"] = self.start_one_worker_per_node or None
        return {"num_allocations": 1, **before, **{name: value for name, value in given.items() if value is not None}}

    def request(self, service: Service, workflow_id: int) -> Request:
        """Return what to ask for; raises NotFound, and Invalid when there is a choice that nobody has made."""
        scheduler_type, scheduler_id = self._scheduler(service, workflow_id)
        made: Request = {
            "scheduler_type": scheduler_type,
            "scheduler_id": scheduler_id,
            "num_allocations": self.num_allocations or 1,
            "start_one_worker_per_node": self.start_one_worker_per_node,
        }  # fmt: skip
        return made if self.max_parallel_jobs is None else {**made, "max_parallel_jobs": self.max_parallel_jobs}

    def _scheduler(self, service: Service, workflow_id: int) -> tuple[str, int]:
        from torc_core.runner.node_requests import SCHEDULERS

        there = [
            (kind, record.id, str(getattr(record, "name", None) or ""))
            for kind, record_kind in SCHEDULERS.items()
            if self.scheduler_type in (None, kind)
            for record in service.each(record_kind, workflow_id)
        ]
        found = [s for s in there if self.scheduler is None or self.scheduler in (s[2], str(s[1]))]
        if len(found) == 1:
            return found[0][:2]
        names = ", ".join(f"{name or id} ({kind})" for kind, id, name in found or there)
        if found:
            raise Invalid(
                f"workflow {workflow_id} has {len(found)} schedulers", hint=f"Choose with --scheduler: {names}"
            )
        if self.scheduler is not None:
            hint = f"There are: {names}" if there else "It has none; --scheduler-type local needs none."
            raise NotFound(f'workflow {workflow_id} has no scheduler "{self.scheduler}"', hint=hint)
        if self.scheduler_type is None:
            raise Invalid(
                f"workflow {workflow_id} names no scheduler",
                hint="--scheduler-type local starts runners on this machine.",
            )
        return self.scheduler_type, 0


def _before(service: Service, workflow_id: int) -> Request | None:
    """Return what was asked for last, else what the first action to do so would ask for."""
    actions = service.find(WorkflowAction, workflow_id).items
    plans: list[Request] = [a.action_config for a in actions if a.action_type == ActionType.SCHEDULE_NODES]
    last = service.find(ScheduledComputeNode, workflow_id, limit=1, sort_by="id", reverse_sort=True).items
    if not last:
        return plans[0] if plans else None
    asked = {"scheduler_type": last[0].scheduler_type, "scheduler_id": last[0].scheduler_config_id}
    return next((plan for plan in plans if asked.items() <= {"scheduler_id": 0, **plan}.items()), asked)


def listed(actions: list[WorkflowAction]) -> str:
    """Name actions."""
    return ", ".join(f"action {action.id} ({action.trigger_type})" for action in actions)


class Asking:
    """Asks for nodes of one workflow from the command line."""

    def __init__(self, app: App, workflow_id: int, output_dir: str | Path | None) -> None:
        self._app, self._id, self._service = app, workflow_id, app.service()
        self._output_dir = str(output_dir or app.config["client.run.output_dir"])

    def check(self, request: Request) -> None:
        """Make sure that there is somebody to ask, and that workers will find the service; raises NotFound, Invalid."""
        from torc_core.runner.node_requests import allocating

        self._refuse_lonely()
        with allocating(self._app.host, request["scheduler_type"]):
            pass

    def _refuse_lonely(self) -> None:
        """Refuse a database that workers could not use beside each other and this command."""
        from torc_core.service.databases import DOOR_SCHEME, database_of

        if self._app.api_url:
            return
        database = database_of(self._app.database)
        if database.path is None and database.scheme != DOOR_SCHEME:
            raise Invalid(
                f"{database} is used by one process at a time, so no runners can share it",
                hint="Start a server on it (torc server run --database ...), and name that with --url.",
            )

    def ask(
        self, request: Request, suppressed: list[WorkflowAction] | None = None
    ) -> tuple[list[ScheduledComputeNode], TorcError | None]:
        """Ask; returns the allocations that were made, and what kept it from making all of them.

        The actions to suppress are taken before, and given back when there is not a single allocation.
        """
        from torc_core.runner.node_requests import allocating
        from torc_core.runner.output_files import make_folder

        made: list[ScheduledComputeNode] = []
        trouble: TorcError | None = None
        taken = self._take(suppressed or [])
        try:
            make_folder(Path(self._output_dir))
            with self._requests() as requests, allocating(self._app.host, request["scheduler_type"]) as executor:
                settings = requests.settings(request)
                while len(made) < request["num_allocations"]:
                    made.append(requests.ask(executor, request, settings))
        except TorcError as exc:
            trouble = exc
        finally:
            self._settle(taken, is_done=bool(made))
        return made, trouble

    def _take(self, actions: list[WorkflowAction]) -> list[int]:
        """Take actions before a runner does; returns those that were still to be had."""
        taken = []
        for action in actions:
            try:
                self._service.claim_action(self._id, action.id, ActionClaim())
            except Conflict:
                self._app.say("warn", f"{listed([action])} is carried out already")
            else:
                taken.append(action.id)
        return taken

    def _settle(self, taken: list[int], *, is_done: bool) -> None:
        status = ActionRunStatus.COMPLETED if is_done else ActionRunStatus.LOST
        for action_id in taken:
            report = ActionReport(status=status, reason=_BY_HAND if is_done else "no nodes could be had")
            self._service.finish_action(self._id, action_id, report)

    @contextmanager
    def _requests(self) -> Iterator[NodeRequests]:
        """Give what asks, with the environment by which workers find the service."""
        from torc_core.cli.logins import token_for_jobs, trusted
        from torc_core.runner.environment import run_environment
        from torc_core.runner.node_requests import NodeRequests
        from torc_core.service.databases import database_of

        app = self._app
        workflow = self._service.get(Workflow, self._id)
        path = None if app.api_url else database_of(app.database).path
        database = "" if app.api_url else app.database if path is None else str(path.absolute())
        with token_for_jobs(app, self._service, self._id) as token:
            environment, _ = run_environment(
                os.environ, self._id, workflow.run_id, self._output_dir, str(Path.cwd()), app.api_url,
                workflow.submission_directory, "", database, token,
            )  # fmt: skip
            yield NodeRequests(self._service, self._id, self._output_dir, environment | trusted(app))
