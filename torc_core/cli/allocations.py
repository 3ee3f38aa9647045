"""Allocations of a workflow: which of them are over, and how the batch system or the machine is asked about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.contracts.executor import Handle
from torc_core.errors import Invalid, NotFound
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.service.clock import seconds_of
from torc_core.service.processes import is_dead

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service

UNENDED = ("pending", "active")
_LISTED_AFTER_S = 60.0


def unended(service: Service, workflow_id: int) -> list[ScheduledComputeNode]:
    """Return the allocations that are asked for or given, as far as is known."""
    return [node for status in UNENDED for node in service.each(ScheduledComputeNode, workflow_id, status=status)]


def find_over(
    host: PluginHost, service: Service, workflow_id: int, warn: Callable[[str], None]
) -> list[ScheduledComputeNode]:
    """Return the allocations that are over though nobody has said so, as far as can be known here.

    Those of which the executor is not installed or of no use here are left out, as are those of other machines.
    """
    found: list[ScheduledComputeNode] = []
    nodes = sorted(unended(service, workflow_id), key=lambda node: node.scheduler_type)
    for scheduler_type, group in groupby(nodes, key=lambda node: node.scheduler_type):
        asked: dict[Handle, ScheduledComputeNode] = {}
        for node in group:
            if node.handle or node.scheduler_id:
                asked[_handle(node)] = node
            elif node.process is not None and is_dead(node.process):  # it was killed while it asked
                found.append(node)
        found += _over(host, scheduler_type, asked, warn)
    return [node for node in found if _is_unended(service, node.id)]  # whoever has ended since has said so


def _over(
    host: PluginHost, scheduler_type: str, asked: dict[Handle, ScheduledComputeNode], warn: Callable[[str], None]
) -> list[ScheduledComputeNode]:
    """Ask an executor about its allocations."""
    from torc_core.runner.node_requests import allocating

    if not asked:
        return []
    try:
        with allocating(host, scheduler_type) as executor:
            seen = executor.poll(list(asked))
            is_at_once = executor.capabilities.runs_locally
    except (NotFound, Invalid):
        return []
    except Exception as exc:  # noqa: BLE001  (a plugin's, which must not keep from all else)
        warn(f"executor {scheduler_type!r} cannot be asked about its allocations: {exc}")
        return []
    return [
        asked[handle]
        for handle, observation in seen.items()
        if observation.state == "done" or (observation.state == "lost" and (is_at_once or not _is_new(asked[handle])))
    ]


def told_allocation(node: ScheduledComputeNode) -> str:
    """Name an allocation, and where its runner has said what was wrong, when that is known here."""
    from torc_core.runner.node_requests import worker_log

    folder = node.request.get("output_dir") if isinstance(node.request, dict) else None
    log = Path(worker_log(folder or "torc_output", node.workflow_id, node.id))
    known = f" (see {log})" if log.is_file() else ""
    return f"allocation {node.id} of {node.scheduler_type}{known}"


def _is_new(node: ScheduledComputeNode) -> bool:
    """Whether a batch system may not list an allocation yet."""
    return node.asked_at is not None and time.time() - seconds_of(node.asked_at) < _LISTED_AFTER_S


def _is_unended(service: Service, id: int) -> bool:
    try:
        return service.get(ScheduledComputeNode, id).status in UNENDED
    except NotFound:
        return False


def _handle(node: ScheduledComputeNode) -> Handle:
    return Handle(node.scheduler_type, node.handle or str(node.scheduler_id))
