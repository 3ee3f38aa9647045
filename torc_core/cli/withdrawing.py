"""Allocations taken out of the queues that they wait in: nobody needs them when their workflow is over or gone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from torc_core.cli.allocations import handle_of, known_as, unended
from torc_core.contracts.executor import Handle
from torc_core.contracts.provider import told
from torc_core.errors import NotFound, TorcError
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service

_END = "Their runners end as soon as they start. To have them out of the queue,"
_OWN_COMMANDS = "use the batch system's own commands"
_UNANSWERED = "asked for at this moment, or by somebody who was killed: their number is not known yet"
_ELSEWHERE = "nothing is known of them on this machine"


class Left(NamedTuple):
    """Allocations that may go on waiting, and why nothing could be done about them."""

    nodes: list[ScheduledComputeNode]
    reason: str

    def __str__(self) -> str:
        listed = ", ".join(known_as(node) or f"allocation {node.id}" for node in self.nodes)
        return f"{self.nodes[0].scheduler_type} {listed} ({self.reason})"


class Withdrawal(NamedTuple):
    """What became of the allocations of a workflow that wait."""

    taken: list[ScheduledComputeNode]
    left: list[Left]

    @property
    def warning(self) -> str:
        """Name those that are left; empty when there are none."""
        count = sum(len(left.nodes) for left in self.left)
        listed = "; ".join(map(str, self.left))
        return f"{counted(count, 'allocation')} may still wait in a queue: {listed}" if count else ""

    @property
    def last_way_out(self) -> str:
        """Say what ends those that are left when torc has no record of them any more."""
        return f"{_END} {_OWN_COMMANDS}."

    @property
    def way_out(self) -> str:
        """Say what ends those that are left while their workflow is there, and what makes torc forget them."""
        ids = " ".join(str(node.id) for left in self.left for node in left.nodes)
        return (
            f"{_END} cancel again where it can be asked, or {_OWN_COMMANDS} "
            f"and forget them here: torc scheduled-compute-nodes delete {ids}"
        )


def withdraw(host: PluginHost, service: Service, workflow_id: int) -> Withdrawal:
    """Take what waits out of its queue, and note that it is over; what has nodes is left to its runner.

    Whatever an executor does, this goes on with the others. Raises TorcError when the service fails.
    """
    found = Withdrawal([], [])
    unanswered: dict[str, list[ScheduledComputeNode]] = {}
    asked: dict[str, dict[Handle, ScheduledComputeNode]] = {}
    for node in unended(service, workflow_id):
        handle = handle_of(node)
        if handle is not None:
            asked.setdefault(node.scheduler_type, {})[handle] = node
        else:
            unanswered.setdefault(node.scheduler_type, []).append(node)
    for scheduler_type, nodes in asked.items():
        taken, left = _withdraw(host, scheduler_type, nodes)
        found.taken.extend(taken)
        if left.nodes:
            found.left.append(left)
    found.left.extend(Left(nodes, _UNANSWERED) for nodes in unanswered.values())
    for node in found.taken:
        with suppress(NotFound):  # somebody deleted the record meanwhile
            service.update(ScheduledComputeNode, node.id, {"status": "complete"})
    return found


def _withdraw(
    host: PluginHost, scheduler_type: str, asked: Mapping[Handle, ScheduledComputeNode]
) -> tuple[list[ScheduledComputeNode], Left]:
    """Ask one executor; what is active has a runner, which hears by itself that it is not needed any more."""
    from torc_core.runner.node_requests import allocating

    taken: list[ScheduledComputeNode] = []
    unsure = [handle for handle, node in asked.items() if node.status == "pending"]
    reason = _ELSEWHERE
    try:
        with allocating(host, scheduler_type) as executor:
            seen = executor.poll(list(asked))
            queued = [handle for handle in asked if handle in seen and seen[handle].state == "queued"]
            unknown = [handle for handle in unsure if handle not in seen]
            unsure = queued + unknown
            if queued:
                executor.cancel(queued, 0.0)
            taken, unsure = [asked[handle] for handle in queued], unknown
    except TorcError as exc:
        reason = str(exc)
    except Exception as exc:  # noqa: BLE001 - a third party's executor
        reason = told(exc)
    return taken, Left([asked[handle] for handle in unsure], reason)
