"""How many of a chosen set of jobs are where something waits for them to be.

Jobs are counted, not events: a job that fails, is tried again and ends again counts once, and while it runs again it
does not count. What a transition changed is all that is looked at, so a set of many jobs costs nothing while they rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from torc_core.engine.changes import Changes
from torc_core.engine.graph import WorkflowGraph
from torc_core.status import (
    CANCELED,
    COMPLETED,
    FAILED,
    IS_COMPLETE,
    PENDING,
    PENDING_FAILED,
    READY,
    RUNNING,
    TERMINATED,
)

HAS_ENDED = IS_COMPLETE
"""For each status whether a job that has it has ended."""
HAS_COME_UP = bytes(
    status in (READY, PENDING, RUNNING, COMPLETED, FAILED, CANCELED, TERMINATED, PENDING_FAILED)
    for status in range(256)
)  # fmt: skip
"""Whether it waits for nothing any more: it is ready, or was. One that was canceled is waited for no longer either."""


class Counter:
    """Counts the jobs of one set whose status is one that ``table`` marks. ``key`` says whose it is."""

    __slots__ = ("count", "key", "nodes", "table")

    def __init__(self, key: int, nodes: Sequence[int], table: bytes) -> None:
        self.key = key
        self.nodes = nodes
        self.table = table
        self.count = 0


class Watch:
    """All sets of jobs of one workflow; ``take`` keeps their counts right.

    A number for each node says which of the sets it is in. Jobs that are added later are in none.
    """

    def __init__(self, graph: WorkflowGraph, counters: Sequence[Counter]) -> None:
        self._seen = bytearray(graph.status)
        self._combination = array("i", bytes(4 * len(graph.status)))
        self._counters: list[tuple[Counter, ...]] = [()]
        known: dict[tuple[int, int], int] = {}
        for place, counter in enumerate(counters):
            counter.count = sum(counter.table[graph.status[node]] for node in counter.nodes)
            for node in counter.nodes:
                before = self._combination[node]
                number = known.get((before, place))
                if number is None:
                    number = known[before, place] = len(self._counters)
                    self._counters.append((*self._counters[before], counter))
                self._combination[node] = number

    def take(self, graph: WorkflowGraph, log: Iterable[Changes]) -> set[Counter]:
        """Bring the counts to the present; ``log`` has what has changed since they were. Returns those that moved."""
        moved: set[Counter] = set()
        status, seen, combination = graph.status, self._seen, self._combination
        known = len(seen)
        for changes in log:
            for node in changes.nodes():
                if node >= known or status[node] == seen[node]:
                    continue
                before, now = seen[node], status[node]
                seen[node] = now
                for counter in self._counters[combination[node]]:
                    step = counter.table[now] - counter.table[before]
                    if step:
                        counter.count += step
                        moved.add(counter)
        return moved
