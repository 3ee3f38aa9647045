"""Allocations of a workflow: which of them are over, and how the batch system or the machine is asked about them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from torc_core.contracts.executor import Handle
from torc_core.errors import TorcError
from torc_core.records.allocations import ScheduledComputeNode

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service

UNENDED = ("pending", "active")
_OVER = ("done", "lost")


def unended(service: Service, workflow_id: int) -> list[ScheduledComputeNode]:
    """Return the allocations that are asked for or given, as far as is known."""
    return [node for status in UNENDED for node in service.each(ScheduledComputeNode, workflow_id, status=status)]


def find_over(host: PluginHost, service: Service, workflow_id: int) -> list[ScheduledComputeNode]:
    """Return the allocations that are over though nobody has said so, as far as can be known here.

    Those of which the executor is not installed or of no use here are left out, as are those of other machines.
    """
    from torc_core.runner.node_requests import allocating

    found: list[ScheduledComputeNode] = []
    nodes = sorted(unended(service, workflow_id), key=lambda node: node.scheduler_type)
    for scheduler_type, group in groupby(nodes, key=lambda node: node.scheduler_type):
        handles = {_handle(node): node for node in group if node.scheduler_id}  # without: about to be asked for
        try:
            with allocating(host, scheduler_type) as executor:
                seen = executor.poll(list(handles)) if handles else {}
        except TorcError:
            continue
        found += [handles[handle] for handle, observation in seen.items() if observation.state in _OVER]
    return found


def _handle(node: ScheduledComputeNode) -> Handle:
    return Handle(node.scheduler_type, node.handle or str(node.scheduler_id))
