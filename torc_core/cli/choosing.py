"""What a command asks for when it asks for nodes: the options, and the choice of a scheduler."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from torc_core.errors import Invalid, NotFound
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import WorkflowAction
from torc_core.spec.choices import ActionType

if TYPE_CHECKING:
    from torc_core.service.api import Service

F = TypeVar("F", bound=Callable[..., Any])
Request = dict[str, Any]
"""What is asked for, as actions have it."""
_OPTIONS = (
    click.option("--scheduler", metavar="NAME", help="The workflow's scheduler to ask, by name or id (the only one)."),
    click.option("--scheduler-type", metavar="TYPE",
        help="Its type: local, slurm, or what a plugin serves. local needs no scheduler in the spec."),
    click.option("-n", "--num-allocations", type=click.IntRange(1), help="How many to ask for at a time (1)."),
    click.option("-j", "--max-parallel-jobs", type=click.IntRange(1), help="Jobs at a time of each runner."),
    click.option("--start-one-worker-per-node", is_flag=True,
        help="A runner on every node of an allocation, where the batch system can do that."),
)  # fmt: skip


def request_options(function: F) -> F:
    """Add the options that say what is asked for; the command gets them as ``wanted``."""
    return options_as("wanted", Wanted, _OPTIONS, function)


def options_as(name: str, kind: Callable[..., Any], options: tuple[Callable[[Any], Any], ...], function: F) -> F:
    """Add options to a command that gets them as one value: ``kind``, a named tuple, made of all of them."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]

    @functools.wraps(function)
    def bundled(*args: Any, **given: Any) -> Any:
        value = kind(**{field: given.pop(field) for field in fields})
        return function(*args, **given, **{name: value})

    made: Any = bundled
    for option in reversed(options):
        made = option(made)
    return made  # type: ignore[no-any-return]


class Wanted(NamedTuple):
    """What the options say."""

    scheduler: str | None = None
    scheduler_type: str | None = None
    num_allocations: int | None = None
    max_parallel_jobs: int | None = None
    start_one_worker_per_node: bool = False

    def request(self, service: Service, workflow_id: int) -> Request:
        """Return what to ask for; raises NotFound, and Invalid when there is a choice that nobody has made."""
        scheduler_type, scheduler_id = self._scheduler(service, workflow_id)
        asked = {"scheduler_type": scheduler_type, "scheduler_id": scheduler_id, "num_allocations": 1}
        return asked | self._given()

    def request_like_before(self, service: Service, workflow_id: int) -> Request:
        """Return what to ask for: where nobody has said it, what was asked for last, or what actions would ask for.

        Raises as ``request`` does.
        """
        before = None if self.scheduler or self.scheduler_type else _before(service, workflow_id)
        if before is None:
            return self.request(service, workflow_id)
        return {"num_allocations": 1} | before | self._given()

    def _given(self) -> Request:
        given = {"num_allocations": self.num_allocations, "max_parallel_jobs": self.max_parallel_jobs}
        found = {name: value for name, value in given.items() if value is not None}
        return found | ({"start_one_worker_per_node": True} if self.start_one_worker_per_node else {})

    def _scheduler(self, service: Service, workflow_id: int) -> tuple[str, int]:
        """Return type and id of the one scheduler that is meant; id 0 is a type without settings."""
        from torc_core.records.allocations import SCHEDULERS

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
            hint = f"Choose with --scheduler: {names}"
            raise Invalid(f"workflow {workflow_id} has {len(found)} schedulers that could be meant", hint=hint)
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
    last = service.find(ScheduledComputeNode, workflow_id, limit=1, sort_by="id", reverse_sort=True).items
    if last and isinstance(last[0].request, dict):
        return {name: value for name, value in last[0].request.items() if name != "output_dir"}
    if last:  # by a client that does not say more
        return {"scheduler_type": last[0].scheduler_type, "scheduler_id": last[0].scheduler_config_id}
    actions = service.find(WorkflowAction, workflow_id).items
    return next((dict(a.action_config) for a in actions if a.action_type == ActionType.SCHEDULE_NODES), None)
