"""Allocations of a workflow: which of them are over, and how the batch system or the machine is asked about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.contracts.executor import Handle
from torc_core.contracts.provider import told
from torc_core.errors import Invalid, NotFound
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.service.clock import seconds_of
from torc_core.service.processes import is_dead

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service

UNENDED = ("pending", "active")
_LISTED_AFTER_S = 60.0  # a batch system may not list before what it was asked for


def unended(service: Service, workflow_id: int) -> list[ScheduledComputeNode]:
    """Return the allocations that are asked for or given, as far as is known."""
    return [node for status in UNENDED for node in service.each(ScheduledComputeNode, workflow_id, status=status)]


def handle_of(node: ScheduledComputeNode) -> Handle | None:
    """Return what the executor knows an allocation by; None while it has not answered."""
    known = node.handle or (str(node.scheduler_id) if node.scheduler_id else "")
    return Handle(node.scheduler_type, known) if known else None


def known_as(node: ScheduledComputeNode) -> str:
    """Return what people know an allocation by outside of torc, its number if it has one; "" while it is asked for."""
    return str(node.scheduler_id or node.handle or "")


def find_over(
    host: PluginHost, service: Service, workflow_id: int, warn: Callable[[str], None]
) -> list[ScheduledComputeNode]:
    """Return the allocations that are over though nobody has said so, as far as can be known here.

    Those of which the executor is not installed or of no use here are left out, as are those of other machines.
    """
    found: list[ScheduledComputeNode] = []
    nodes = sorted(unended(service, workflow_id), key=lambda node: node.scheduler_type)
    for scheduler_type, group in groupby(nodes, key=lambda node: node.scheduler_type):
        found += _over(host, scheduler_type, list(group), warn)
    return [node for node in found if _is_as_before(service, node)]  # whoever has come up or ended since has said so


def _over(
    host: PluginHost, scheduler_type: str, nodes: list[ScheduledComputeNode], warn: Callable[[str], None]
) -> list[ScheduledComputeNode]:
    """Ask an executor about its allocations."""
    from torc_core.runner.node_requests import allocating, node_variable

    try:
        with allocating(host, scheduler_type) as executor:
            is_local = executor.capabilities.runs_locally
            handles = [(handle_of(node), node) for node in nodes if node.handle or not is_local]
            asked = {handle: node for handle, node in handles if handle is not None}
            seen = executor.poll(list(asked)) if asked else {}
            found = [
                node
                for handle, node in asked.items()
                if handle in seen and _is_over(seen[handle].state, may_lag=not is_local and _is_new(node))
            ]
            return found + [node for node in nodes if _is_abandoned(node) and not executor.find(*node_variable(node))]
    except (NotFound, Invalid):
        return []
    except Exception as exc:  # noqa: BLE001  (a plugin's, which must not keep from all else)
        warn(f"executor {scheduler_type!r} cannot be asked about its allocations: {told(exc)}")
        return []


def _is_over(state: str, *, may_lag: bool) -> bool:
    """Whether an allocation is over; ``may_lag``: its batch system may not list it yet."""
    return state == "done" or (state == "lost" and not may_lag)


def _is_abandoned(node: ScheduledComputeNode) -> bool:
    """Whether somebody was killed while asking for an allocation, of which nothing has come up since."""
    is_asking = handle_of(node) is None and node.status == "pending"
    return is_asking and node.process is not None and is_dead(node.process)


def told_allocation(node: ScheduledComputeNode) -> str:
    """Name an allocation, and where its runner has said what was wrong, when that is known here."""
    from torc_core.runner.node_requests import worker_log

    folder = node.request.get("output_dir") if isinstance(node.request, dict) else None
    log = Path(worker_log(folder or "torc_output", node.workflow_id, node.id))
    known = f" (see {log})" if log.is_file() else ""
    return f"allocation {node.id} of {node.scheduler_type}{known}"


def _is_new(node: ScheduledComputeNode) -> bool:
    return node.asked_at is not None and time.time() - seconds_of(node.asked_at) < _LISTED_AFTER_S


def _is_as_before(service: Service, node: ScheduledComputeNode) -> bool:
    try:
        return service.get(ScheduledComputeNode, node.id).status == node.status
    except NotFound:
        return False
