"""What follows from how jobs end, case by case: the published behaviour, and our choice where it is defective."""

from __future__ import annotations

from itertools import pairwise

import pytest

from torc_core.engine import transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.lanes import Lane
from torc_core.engine.order import find_cycle
from torc_core.status import BY_NUMBER, JobStatus

FAILED, COMPLETED = JobStatus.FAILED.number, JobStatus.COMPLETED.number
TERMINATED, PENDING_FAILED = JobStatus.TERMINATED.number, JobStatus.PENDING_FAILED.number


def workflow(edges: str, tolerant: str = "") -> tuple[WorkflowGraph, str]:
    """Return the initialized graph of edges like ``A>B B>C``; the jobs in ``tolerant`` lack the cancel flag."""
    pairs = [edge.split(">") for edge in edges.split()]
    names = "".join(sorted({name for pair in pairs for name in pair}))
    needs = [tuple(names.index(a) + 1 for a, b in pairs if b == name) for name in names]
    flags = bytes(name not in tolerant for name in names)
    columns = JobColumns(range(1, len(names) + 1), bytes(len(names)), [Lane()] * len(names), flags, needs)
    graph = build_graph(columns)
    transitions.initialize(graph)
    return graph, names


def outcome(graph: WorkflowGraph, names: str) -> str:
    """Return statuses like ``A=failed B=canceled``."""
    return " ".join(f"{name}={BY_NUMBER[graph.status[node]]}" for node, name in enumerate(names))


@pytest.mark.parametrize(
    ("edges", "tolerant", "ends", "expected"),
    [
        ("A>B B>C", "", [("A", FAILED)], "A=failed B=canceled C=canceled"),
        ("A>B", "B", [("A", FAILED)], "A=failed B=ready"),
        ("A>B B>C", "C", [("A", FAILED)], "A=failed B=canceled C=ready"),
        ("A>C B>C", "", [("A", COMPLETED), ("B", FAILED)], "A=completed B=failed C=canceled"),
        ("A>C B>C", "", [("A", FAILED), ("B", COMPLETED)], "A=failed B=completed C=canceled"),
        ("A>B A>D B>E D>E", "", [("A", FAILED)], "A=failed B=canceled D=canceled E=canceled"),
        ("X>A A>J B>J", "", [("X", FAILED), ("B", COMPLETED)], "A=canceled B=completed J=canceled X=failed"),
        ("A>B", "", [("A", TERMINATED)], "A=terminated B=canceled"),
        ("A>B", "", [("A", PENDING_FAILED)], "A=pending_failed B=blocked"),
        ("A>B B>C C>D", "", [("A", COMPLETED)], "A=completed B=ready C=blocked D=blocked"),
    ],
)
def test_what_waits_is_settled_by_how_jobs_end(
    edges: str, tolerant: str, ends: list[tuple[str, int]], expected: str
) -> None:
    graph, names = workflow(edges, tolerant)
    for name, status in ends:
        transitions.complete(graph, [(names.index(name), status)])
    assert outcome(graph, names) == expected


def test_ends_in_one_batch_are_all_taken_before_anything_is_settled() -> None:
    graph, names = workflow("A>B B>E D>E")
    transitions.complete(graph, [(names.index("A"), FAILED), (names.index("D"), COMPLETED)])
    assert outcome(graph, names) == "A=failed B=canceled D=completed E=canceled"


def test_a_retry_blocks_what_the_failure_canceled_and_success_frees_it() -> None:
    graph, names = workflow("A>B B>C")
    transitions.complete(graph, [(0, FAILED)])
    transitions.retry(graph, 0)
    assert outcome(graph, names) == "A=ready B=blocked C=blocked"
    transitions.complete(graph, [(0, COMPLETED)])
    assert outcome(graph, names) == "A=completed B=ready C=blocked"


def test_a_full_initialization_begins_anew_and_leaves_disabled_jobs() -> None:
    graph, names = workflow("A>B B>C")
    transitions.complete(graph, [(0, FAILED)])
    transitions.set_status(graph, 2, JobStatus.DISABLED.number)
    transitions.initialize(graph)
    assert outcome(graph, names) == "A=ready B=blocked C=disabled"


def test_a_partial_initialization_keeps_what_has_ended() -> None:
    graph, names = workflow("A>B B>C D>E")
    transitions.complete(graph, [(names.index(n), COMPLETED) for n in "ABD"])
    transitions.set_status(graph, names.index("B"), JobStatus.UNINITIALIZED.number)
    transitions.initialize(graph, only_uninitialized=True)
    assert outcome(graph, names) == "A=completed B=ready C=blocked D=completed E=ready"


def test_canceling_ends_what_is_held_and_leaves_what_waits() -> None:
    graph, names = workflow("A>B C>D")
    transitions.claim(graph, 1)
    transitions.cancel_all(graph)
    assert outcome(graph, names) == "A=canceled B=blocked C=ready D=blocked"
    assert graph.is_complete
    assert transitions.claim(graph, 5).claimed == []


def test_a_chain_of_a_hundred_thousand_jobs_is_canceled_without_recursion() -> None:
    count = 100_000
    needs = [(), *((node,) for node in range(1, count))]
    graph = build_graph(JobColumns(range(1, count + 1), bytes(count), [Lane()] * count, bytes([1]) * count, needs))
    transitions.initialize(graph)
    transitions.complete(graph, [(0, FAILED)])
    assert graph.counts()[JobStatus.CANCELED.number] == count - 1
    assert graph.is_complete


def test_a_layer_of_a_thousand_by_a_thousand_needs_one_gate() -> None:
    shared = tuple(range(1, 1001))
    needs = [()] * 1000 + [shared] * 1000
    graph = build_graph(JobColumns(range(1, 2001), bytes(2000), [Lane()] * 2000, bytes([1]) * 2000, needs))
    *_, dependents = graph.rows()
    assert len(dependents) == 2000
    assert len(graph) == 2000
    assert graph.dependencies(1999) == list(range(1000))
    transitions.initialize(graph)
    transitions.complete(graph, [(node, COMPLETED) for node in range(999)])
    assert graph.ready_count == 1
    transitions.complete(graph, [(999, FAILED)])
    assert graph.counts()[JobStatus.CANCELED.number] == 1000


def test_jobs_that_share_a_file_wait_for_its_writers_but_not_for_themselves() -> None:
    writes = [(7,), (7,), (7,), ()]
    reads = [(), (), (7,), (7,)]
    graph = build_graph(JobColumns([1, 2, 3, 4], bytes(4), [Lane()] * 4, bytes([1]) * 4, inputs=reads, outputs=writes))
    assert graph.dependencies(2) == [0, 1]
    assert graph.dependencies(3) == [0, 1, 2]
    assert find_cycle(graph) is None


def test_a_cycle_is_named_in_the_order_of_waiting() -> None:
    graph, names = workflow("A>B B>C C>A C>D")
    cycle = find_cycle(graph)
    assert cycle is not None
    assert cycle[0] == cycle[-1]
    assert {names[node] for node in cycle} == {"A", "B", "C"}
    assert all(later in graph.dependencies(node) for node, later in pairwise(cycle))


def test_ids_with_holes_are_found() -> None:
    graph = build_graph(JobColumns([3, 4, 9, 20], bytes(4), [Lane()] * 4, bytes(4), [(), (3,), (5,), (9, 4)]))
    assert [graph.node(id) for id in (3, 4, 9, 20)] == [0, 1, 2, 3]
    for id in (0, 2, 5, 8, 21):
        with pytest.raises(KeyError):
            graph.node(id)
    assert graph.dependencies(3) == [1, 2]
    assert graph.dependencies(2) == []
