"""Counting jobs for actions: which statuses count, that jobs are counted and not events, and what it costs."""

from __future__ import annotations

import pytest

from torc_core.engine import transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.lanes import Lane
from torc_core.engine.triggers import HAS_COME_UP, HAS_ENDED, Counter, Watch
from torc_core.status import BY_NUMBER, CANCELED, COMPLETED, FAILED, PENDING_FAILED


@pytest.mark.parametrize(
    ("status", "has_come_up", "has_ended"),
    [
        ("uninitialized", 0, 0), ("blocked", 0, 0), ("ready", 1, 0), ("pending", 1, 0), ("running", 1, 0),
        ("completed", 1, 1), ("failed", 1, 1), ("canceled", 1, 1), ("terminated", 1, 1), ("disabled", 0, 0),
        ("pending_failed", 1, 0),
    ],
)  # fmt: skip
def test_each_status_counts_or_not(status: str, has_come_up: int, has_ended: int) -> None:
    number = [s.value for s in BY_NUMBER].index(status)
    assert (HAS_COME_UP[number], HAS_ENDED[number]) == (has_come_up, has_ended)


def graph_of(*needs: tuple[int, ...]) -> WorkflowGraph:
    """Jobs 1, 2, 3 ..., initialized; each waits for those whose numbers are named."""
    count = len(needs)
    graph = build_graph(JobColumns(range(1, count + 1), bytes(count), [Lane()] * count, bytes([1]) * count, needs))
    transitions.initialize(graph)
    graph.log = []
    return graph


class Counts:
    """Two counters over the same jobs, brought up to date from the log."""

    def __init__(self, graph: WorkflowGraph, nodes: list[int]) -> None:
        self.graph = graph
        self.counters = Counter(1, nodes, HAS_COME_UP), Counter(2, nodes, HAS_ENDED)
        self.watch = Watch(graph, self.counters)

    def now(self) -> tuple[int, int]:
        assert self.graph.log is not None
        self.watch.take(self.graph, self.graph.log)
        self.graph.log.clear()
        return self.counters[0].count, self.counters[1].count


def test_what_has_happened_before_counts() -> None:
    graph = graph_of((), (), (1,))
    transitions.complete(graph, [(0, COMPLETED)])
    assert Counts(graph, [0, 1, 2]).now() == (3, 1)


def test_a_job_that_ends_again_counts_once_and_not_while_it_runs_again() -> None:
    graph = graph_of((), ())
    counts = Counts(graph, [0, 1])
    transitions.complete(graph, [(0, FAILED)])
    assert counts.now() == (2, 1)
    transitions.retry(graph, 0)
    assert counts.now() == (2, 0)
    transitions.claim(graph, 1)
    transitions.complete(graph, [(0, COMPLETED)])
    assert counts.now() == (2, 1)
    transitions.complete(graph, [(1, COMPLETED)])
    assert counts.now() == (2, 2)


def test_a_failure_and_its_retry_in_one_piece_of_work_count_nothing() -> None:
    graph = graph_of(())
    counts = Counts(graph, [0])
    transitions.complete(graph, [(0, FAILED)])
    transitions.retry(graph, 0)
    assert counts.now() == (1, 0)


def test_jobs_that_are_canceled_because_of_others_count() -> None:
    graph = graph_of((), (1,), (2,))
    counts = Counts(graph, [1, 2])
    transitions.complete(graph, [(0, FAILED)])
    assert counts.now() == (2, 2)
    assert graph.status[2] == CANCELED


def test_jobs_that_a_cancellation_of_the_workflow_ends_count_and_others_do_not() -> None:
    graph = graph_of((), (1,))
    counts = Counts(graph, [0, 1])
    transitions.claim(graph, 1)
    transitions.cancel_all(graph)
    assert counts.now() == (1, 1)


def test_what_waits_again_after_a_retry_does_not_count_as_ready() -> None:
    graph = graph_of((), (1,))
    counts = Counts(graph, [1])
    transitions.complete(graph, [(0, COMPLETED)])
    assert counts.now() == (1, 0)
    transitions.set_status(graph, 0, 2)
    assert counts.now() == (0, 0)


def test_an_undecided_failure_is_no_end() -> None:
    graph = graph_of(())
    counts = Counts(graph, [0])
    transitions.complete(graph, [(0, PENDING_FAILED)])
    assert counts.now() == (1, 0)


def test_jobs_in_several_sets_count_in_each_and_later_jobs_in_none() -> None:
    graph = graph_of((), (), ())
    sets = [Counter(key, nodes, HAS_ENDED) for key, nodes in enumerate([[0, 1], [1, 2], [0, 1, 2], []])]
    watch = Watch(graph, sets)
    transitions.add(graph, [4], bytes(1), [Lane()], [])
    transitions.complete(graph, [(1, COMPLETED), (2, COMPLETED), (graph.node(4), COMPLETED)])
    assert graph.log is not None
    moved = watch.take(graph, graph.log)
    assert [counter.count for counter in sets] == [1, 2, 2, 0]
    assert {counter.key for counter in moved} == {0, 1, 2}


def test_only_what_has_changed_is_looked_at() -> None:
    count = 10_000
    graph = graph_of(*[()] * count)
    sets = [Counter(node, [node], HAS_ENDED) for node in range(count)]
    watch = Watch(graph, sets)
    transitions.complete(graph, [(7, COMPLETED)])
    assert graph.log is not None
    assert [node for changes in graph.log for node in changes.nodes()] == [7]
    assert [counter.key for counter in watch.take(graph, graph.log)] == [7]
