"""The jobs of one workflow in memory: statuses, counts of unfinished and bad dependencies, dependents, ready queue.

A node is a job or a gate. A gate stands between many jobs and many others that all wait for all of them, so that M + N
edges do for M * N dependencies; it ends when the last job before it has ended, badly when one of them did. Gates never
show in counts, lists or changes.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING

from torc_core.engine.lanes import Lane
from torc_core.engine.ready import ReadyQueue
from torc_core.status import BLOCKED, CANCELED, COMPLETED, IS_BAD, IS_COMPLETE, IS_OVER, READY, UNINITIALIZED

if TYPE_CHECKING:
    from torc_core.engine.changes import Changes

CANCEL_ON_FAILURE = 1
GATE = 2
STATUSES = 11


class WorkflowGraph:
    """Statuses and edges; the functions in ``transitions`` change it.

    ``remaining[n]`` is the number of dependencies of n that are not complete, ``bad[n]`` the number that ended badly.
    Both are counts, not marks, so that a reset undoes exactly what a completion did. Nodes of jobs come first, in
    ascending order of their ids; gates follow, with id 0; then jobs that were added later, whose ids are higher.
    A blocked job in ``held`` waits for a moment (ms since 1970) too: that is counted as one more dependency, so that
    nothing else has to know of it.
    ``log``, when it is a list, gets every ``Changes`` of the graph.
    """

    __slots__ = (
        "_dependents", "_first", "_first_ids", "_first_nodes", "_gates", "_last", "_moments", "_reverse", "_room",
        "_spans", "bad", "canceled", "degrees", "flags", "held", "ids", "job_count", "lanes", "log", "ready",
        "remaining", "status", "unfinished", "unkept",
    )  # fmt: skip

    def __init__(
        self, ids: array[int], flags: bytearray, lane_of: Sequence[Lane], first: array[int], dependents: array[int]
    ) -> None:
        """``ids`` are those of the jobs; row n of dependents is ``dependents[first[n]:first[n + 1]]``."""
        nodes = len(flags)
        self.job_count = len(ids)
        self.ids = array("q", ids)
        self.ids.frombytes(bytes(8 * (nodes - len(ids))))
        self.flags = flags
        self.status = bytearray(nodes)
        self.lanes = array("i", bytes(4 * nodes))
        self.ready = ReadyQueue(self.status, self.lanes)
        self._number(lane_of)
        # Row n is dependents[first[n]:last[n]]. A row that grows moves to the end, with room for more.
        self._first, self._last, self._dependents = first[:-1], first[1:], dependents
        self._room: dict[int, int] = {}  # where the room of a row that has moved ends
        self._spans = [(0, self.job_count)]  # where jobs are
        self._gates = range(self.job_count, nodes)
        self.log: list[Changes] | None = None
        self.degrees = _degrees(nodes, dependents)
        self.remaining = array("i", self.degrees)
        self.bad = array("i", bytes(4 * nodes))
        self.held: dict[int, int] = {}
        self.unkept: set[int] = set()  # nodes whose moment is another than that in the storage
        self._moments: list[tuple[int, int]] = []  # (until, node); stale ones are dropped when they come up
        self.unfinished = self.job_count
        self.canceled = False
        self._reverse: tuple[array[int], array[int], array[int]] | None = None
        self._first_ids, self._first_nodes = _runs(ids)

    def __len__(self) -> int:
        return self.job_count

    def _number(self, lane_of: Sequence[Lane]) -> None:
        known: dict[int, int] = {}  # the same lane is nearly always the same object
        lanes, number = self.lanes, self.ready.lane_number
        for node, lane in enumerate(lane_of):
            key = id(lane)
            found = known.get(key)
            if found is None:
                found = known[key] = number(lane)
            lanes[node] = found

    # jobs and nodes

    def node(self, job_id: int) -> int:
        """Return the node of a job; raises KeyError when it is not in this workflow."""
        run = bisect_right(self._first_ids, job_id) - 1
        if run >= 0:
            node = self._first_nodes[run] + job_id - self._first_ids[run]
            if node < len(self.ids) and self.ids[node] == job_id:
                return node
        raise KeyError(job_id)

    def nodes(self, job_ids: Iterable[int]) -> list[int]:
        """Return the nodes of jobs; raises KeyError."""
        return [self.node(job_id) for job_id in job_ids]

    def jobs(self) -> Iterator[int]:
        """Return the nodes of all jobs, ascending."""
        return chain.from_iterable(range(start, end) for start, end in self._spans)

    def job_ids(self, nodes: Iterable[int]) -> list[int]:
        """Return the ids of jobs."""
        ids = self.ids
        return [ids[node] for node in nodes]

    def lane_of(self, node: int) -> Lane:
        """Return what a job asks for."""
        return self.ready.lanes[self.lanes[node]]

    # statuses

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.canceled or not self.unfinished

    @property
    def ready_count(self) -> int:
        """How many jobs are ready."""
        return len(self.ready)

    def counts(self) -> list[int]:
        """Return the number of jobs in each status."""
        status = self.status
        return [sum(status.count(value, start, end) for start, end in self._spans) for value in range(STATUSES)]

    def find(self, *statuses: int) -> list[int]:
        """Return the jobs' nodes having one of ``statuses``, ascending."""
        if not statuses:
            return []
        pattern, status = _any_of(statuses), self.status
        return [match.start() for start, end in self._spans for match in pattern.finditer(status, start, end)]

    def clear_statuses(self) -> None:
        """Make every job uninitialized; ``recount`` has to follow."""
        for start, end in self._spans:
            self.status[start:end] = bytes([UNINITIALIZED]) * (end - start)

    # moments that jobs wait for

    def hold(self, node: int, until: int) -> None:
        """Make a job wait for a moment (ms since 1970), instead of another one that it may wait for."""
        if node not in self.held:
            self.remaining[node] += 1
        self.held[node] = until
        self.unkept.add(node)
        heappush(self._moments, (until, node))

    def let_go(self, node: int) -> None:
        """A job waits for no moment any more."""
        if self.held.pop(node, None) is not None:
            self.remaining[node] -= 1
            self.unkept.add(node)

    @property
    def next_moment(self) -> int | None:
        """The earliest moment that a job waits for (ms since 1970)."""
        moments = self._moments
        while moments and self.held.get(moments[0][1]) != moments[0][0]:
            heappop(moments)
        return moments[0][0] if moments else None

    def take_due(self, now: int) -> list[int]:
        """Let go of the jobs that wait for a moment up to ``now``; returns them."""
        due: list[int] = []
        while (moment := self.next_moment) is not None and moment <= now:
            node = self._moments[0][1]
            self.let_go(node)
            due.append(node)
        return due

    # edges

    def rows(self) -> tuple[array[int], array[int], array[int]]:
        """Return the rows of dependents, for loops that cannot afford a call per node.

        These are the starts of rows, their ends, and what the rows are in.
        """
        return self._first, self._last, self._dependents

    def job_dependents(self, node: int) -> list[int]:
        """Return the jobs that wait for a job, directly or through a gate, ascending."""
        return self._through_gates(node, *self.rows())

    def dependencies(self, node: int) -> list[int]:
        """Return the jobs that a job waits for, directly or through a gate, ascending."""
        return self._through_gates(node, *self._reversed_rows())

    def direct_dependencies(self, node: int) -> Sequence[int]:
        """Return the nodes, gates too, that ``node`` waits for directly."""
        first, last, rows = self._reversed_rows()
        return rows[first[node] : last[node]]

    def _reversed_rows(self) -> tuple[array[int], array[int], array[int]]:
        if self._reverse is None:
            self._reverse = _reversed(*self.rows(), self.degrees)
        return self._reverse

    def _through_gates(self, node: int, first: array[int], last: array[int], rows: array[int]) -> list[int]:
        found: set[int] = set()
        for other in rows[first[node] : last[node]]:
            if self.flags[other] & GATE:
                found.update(rows[first[other] : last[other]])
            else:
                found.add(other)
        found.discard(node)
        return sorted(found)

    # additions

    def add_jobs(self, job_ids: Sequence[int], flags: bytes, lanes: Sequence[Lane]) -> range:
        """Add uninitialized jobs, with ids above all others and ascending, that wait for nothing yet."""
        start, count = len(self.status), len(job_ids)
        self.status += bytes(count)
        self.flags += flags
        self.ids.extend(job_ids)
        self.lanes.extend(map(self.ready.lane_number, lanes))
        nothing = bytes(4 * count)
        for column in (self.degrees, self.remaining, self.bad):
            column.frombytes(nothing)
        for ends in (self._first, self._last):
            ends.frombytes(bytes(8 * count))
        first_ids, first_nodes = _runs(array("q", job_ids))
        self._first_ids += first_ids
        self._first_nodes += [start + node for node in first_nodes]
        if self._spans[-1][1] == start:
            self._spans[-1] = (self._spans[-1][0], start + count)
        else:
            self._spans.append((start, start + count))
        self.job_count += count
        self.unfinished += count
        self._reverse = None
        return range(start, start + count)

    def add_edge(self, before: int, after: int) -> None:
        """Have ``after`` wait for ``before``; whoever adds it settles what follows."""
        last, dependents = self._last, self._dependents
        end = last[before]
        if end == self._room.get(before, end):
            self._move(before)
            end = last[before]
        dependents[end] = after
        last[before] = end + 1
        self.degrees[after] += 1
        if IS_COMPLETE[self.status[before]]:
            self.bad[after] += IS_BAD[self.status[before]]
        else:
            self.remaining[after] += 1
        self._reverse = None

    def _move(self, node: int) -> None:
        """Give a row room to grow to twice its size."""
        dependents = self._dependents
        row = dependents[self._first[node] : self._last[node]]
        start = self._first[node] = len(dependents)
        dependents.extend(row)
        self._last[node] = start + len(row)
        dependents.frombytes(bytes(4 * max(4, len(row))))
        self._room[node] = len(dependents)

    # counts that follow from statuses and edges

    def restore(self, statuses: bytes | bytearray) -> None:
        """Take over the statuses of all jobs, none of which is held; the rest follows from them."""
        self.held.clear()
        taken = 0
        for start, end in self._spans:
            self.status[start:end] = statuses[taken : taken + end - start]
            taken += end - start
        self.recount()

    def recount(self) -> None:
        """Derive gates, counts and the ready queue from the statuses of jobs, those held and the edges."""
        status, (first, last, dependents) = self.status, self.rows()
        remaining = self.remaining = array("i", self.degrees)
        for node in [node for node in self.held if status[node] != BLOCKED]:
            del self.held[node]
            self.unkept.add(node)
        for node in self.held:
            remaining[node] += 1
        bad = self.bad = array("i", bytes(4 * len(status)))
        ended = self.find(*(value for value in range(STATUSES) if IS_COMPLETE[value]))
        for node in self._gates:
            status[node] = BLOCKED
        for node in ended:  # grows by the gates that end
            is_bad = IS_BAD[status[node]]
            for dependent in dependents[first[node] : last[node]]:
                remaining[dependent] -= 1
                bad[dependent] += is_bad
                if not remaining[dependent] and self.flags[dependent] & GATE:
                    status[dependent] = CANCELED if bad[dependent] else COMPLETED
                    ended.append(dependent)
        counts = self.counts()
        self.unfinished = self.job_count - sum(counts[value] for value in range(STATUSES) if IS_OVER[value])
        self.ready.clear()
        self.ready.fill(self.find(READY))


def _any_of(statuses: Sequence[int]) -> re.Pattern[bytes]:
    """Return what finds these bytes, at the speed of C."""
    return re.compile(b"[" + b"".join(re.escape(bytes([status])) for status in statuses) + b"]")


def _degrees(nodes: int, dependents: array[int]) -> array[int]:
    degrees = array("i", bytes(4 * nodes))
    for node in dependents:
        degrees[node] += 1
    return degrees


def _runs(ids: array[int]) -> tuple[list[int], list[int]]:
    """Return where ids are consecutive: the first id and the first node of each run."""
    if not ids:
        return [], []
    if ids[-1] - ids[0] == len(ids) - 1:
        return [ids[0]], [0]
    starts = [0, *(node for node in range(1, len(ids)) if ids[node] != ids[node - 1] + 1)]
    return [ids[node] for node in starts], starts


def _reversed(
    first: array[int], last: array[int], rows: array[int], degrees: array[int]
) -> tuple[array[int], array[int], array[int]]:
    """Return rows of dependencies from rows of dependents."""
    starts = array("q", [0])
    total = 0
    for degree in degrees:
        total += degree
        starts.append(total)
    turned = array("i", bytes(4 * total))
    cursor = starts[:-1]
    for node in range(len(degrees)):
        for dependent in rows[first[node] : last[node]]:
            turned[cursor[dependent]] = node
            cursor[dependent] += 1
    return starts[:-1], starts[1:], turned
