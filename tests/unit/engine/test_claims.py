"""Which jobs a claim gives: order and packing, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from torc_core.engine import transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.lanes import Lane, Room

GIB = 2**30


def ready(*lanes: Lane) -> WorkflowGraph:
    count = len(lanes)
    graph = build_graph(JobColumns(range(1, count + 1), bytes(count), lanes, bytes(count)))
    transitions.initialize(graph)
    return graph


def claimed(graph: WorkflowGraph, limit: int = 100, **room: Any) -> list[int]:
    """Return the ids that a claim gives."""
    asked = Room(**{"cpus": 4, "memory_bytes": 8 * GIB, **room}) if room else None
    return graph.job_ids(transitions.claim(graph, limit, asked).claimed)


def test_the_order_is_priority_then_gpus_then_time_then_memory_then_cpus_then_id() -> None:
    graph = ready(
        Lane(), Lane(cpus=2), Lane(memory_bytes=GIB), Lane(runtime_s=120), Lane(gpus=1), Lane(priority=1), Lane()
    )
    assert claimed(graph, cpus=100, gpus=9) == [6, 5, 4, 3, 2, 1, 7]


def test_the_limit_is_kept_and_the_rest_stays_ready() -> None:
    graph = ready(*[Lane()] * 5)
    assert claimed(graph, 2) == [1, 2]
    assert graph.ready_count == 3
    assert claimed(graph, 0) == []
    assert claimed(graph) == [3, 4, 5]


def test_what_does_not_fit_is_passed_over_for_what_does() -> None:
    graph = ready(Lane(cpus=3, priority=2), Lane(cpus=2, priority=1), Lane(cpus=1))
    assert claimed(graph, cpus=4) == [1, 3]


def test_memory_is_packed_too() -> None:
    graph = ready(*[Lane(memory_bytes=3 * GIB)] * 3, Lane(memory_bytes=2 * GIB))
    assert claimed(graph, cpus=10, memory_bytes=8 * GIB) == [1, 2, 4]


def test_gpus_are_packed_too() -> None:
    graph = ready(Lane(gpus=2), Lane(gpus=1), Lane())
    assert claimed(graph, gpus=2) == [1, 3]


def test_jobs_longer_than_the_time_left_stay() -> None:
    graph = ready(Lane(runtime_s=601), Lane(runtime_s=600))
    assert claimed(graph, time_s=600) == [2]


@pytest.mark.parametrize(
    ("offered", "expected"), [((), [1]), (("a",), [2]), (("a", "b"), [2, 3]), (("b",), []), (("c",), [])]
)
def test_labels_are_demands_of_jobs_and_offers_of_runners(offered: tuple[str, ...], expected: list[int]) -> None:
    graph = ready(Lane(), Lane(labels=frozenset("a")), Lane(labels=frozenset("ab")))
    assert sorted(claimed(graph, cpus=9, labels=frozenset(offered))) == expected


def test_another_schedulers_jobs_are_taken_only_when_nothing_else_is_left() -> None:
    graph = ready(Lane(scheduler=5, priority=9), Lane(scheduler=4), Lane())
    assert claimed(graph, scheduler=4, cpus=9) == [2, 3]
    assert claimed(graph, scheduler=4, cpus=9, strict_scheduler=True) == []
    assert claimed(graph, scheduler=4, cpus=9) == [1]


def test_two_node_jobs_take_whole_nodes_and_others_share_the_rest() -> None:
    graph = ready(Lane(nodes=2), Lane(nodes=2), Lane(nodes=2), Lane(cpus=8))
    assert claimed(graph, cpus=8, nodes=5) == [4, 1, 2]


def test_without_a_room_the_order_is_priority_then_id_whatever_jobs_need() -> None:
    lanes = [Lane(cpus=10_000), Lane(gpus=8), Lane(priority=1), Lane(), Lane(runtime_s=999), Lane(gpus=8)]
    assert claimed(ready(*lanes)) == [3, 1, 2, 4, 5, 6]
    graph = ready(*lanes)
    assert claimed(graph, 4) == [3, 1, 2, 4]
    assert claimed(graph, 1) == [5]
    assert graph.ready_count == 1


def test_without_a_room_labels_count_too() -> None:
    graph = ready(Lane(), Lane(labels=frozenset("a")), Lane(labels=frozenset("ab")))
    assert claimed(graph) == [1]
    assert graph.job_ids(transitions.claim(graph, 9, labels=frozenset("ab")).claimed) == [2, 3]
