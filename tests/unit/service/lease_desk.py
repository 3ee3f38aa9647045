"""Short ways to say what tests of leases say often."""

from __future__ import annotations

from typing import Any

from tests.unit.service.conftest import MOMENT, Desk
from torc_core.records.resources import ComputeNode, Event, Result
from torc_core.service.orphans import expire
from torc_core.service.turn import Caller


def leased(desk: Desk, seconds: float | None = 0.3, **more: Any) -> int:
    node = ComputeNode(
        workflow_id=desk.workflow_id, hostname="h", pid=1, start_time=MOMENT, num_cpus=4, memory_gb=8.0, num_gpus=0,
        is_active=True, lease_seconds=seconds, **more,
    )  # fmt: skip
    desk.node_id = desk.service.create(node).id
    return desk.node_id


def lose(desk: Desk, *nodes: int) -> None:
    """Let leases be over, as the owner does when nothing was heard of runners."""
    desk.service.owner.write(lambda turn: expire(turn, desk.workflow_id, list(nodes)), Caller("torc"))


def is_active(desk: Desk, node_id: int) -> bool | None:
    return desk.service.get(ComputeNode, node_id).is_active


def events(desk: Desk, kind: str) -> list[Any]:
    return [e.data for e in desk.service.find(Event, desk.workflow_id).items if e.data.get("event_type") == kind]


def results(desk: Desk) -> list[tuple[int, int, int]]:
    found = desk.service.find(Result, desk.workflow_id, all_runs=True).items
    return [(r.job_id, r.attempt_id, r.return_code) for r in found]
