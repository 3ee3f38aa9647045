"""The jobs of one workflow in memory: statuses, counts of unfinished and bad dependencies, dependents, ready queue.

A node is a job or a gate. A gate stands between many jobs and many others that all wait for all of them, so that M + N
edges do for M * N dependencies; it ends when the last job before it has ended, badly when one of them did. Gates never
show in counts, lists or changes.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from torc_core.engine.lanes import Lane
from torc_core.engine.ready import ReadyQueue
from torc_core.status import BLOCKED, CANCELED, COMPLETED, IS_BAD, IS_COMPLETE, IS_OVER, READY

CANCEL_ON_FAILURE = 1
GATE = 2
STATUSES = 11


class WorkflowGraph:
    """Statuses and edges; the functions in ``transitions`` change it.

    ``remaining[n]`` is the number of dependencies of n that are not complete, ``bad[n]`` the number that ended badly.
    Both are counts, not marks, so that a reset undoes exactly what a completion did. Nodes of jobs come first, in
    ascending order of their ids; gates follow, with id 0.
    """

    __slots__ = (
        "_dependents", "_first", "_first_ids", "_first_nodes", "_reverse", "bad", "canceled", "degrees", "flags", "ids",
        "job_count", "lanes", "ready", "remaining", "status", "unfinished",
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
        self._first, self._dependents = first, dependents
        self.degrees = _degrees(nodes, dependents)
        self.remaining = array("i", self.degrees)
        self.bad = array("i", bytes(4 * nodes))
        self.unfinished = self.job_count
        self.canceled = False
        self._reverse: tuple[array[int], array[int]] | None = None
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
            if node < self.job_count and self.ids[node] == job_id:
                return node
        raise KeyError(job_id)

    def nodes(self, job_ids: Iterable[int]) -> list[int]:
        """Return the nodes of jobs; raises KeyError."""
        return [self.node(job_id) for job_id in job_ids]

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
        jobs = self.status[: self.job_count]
        return [jobs.count(status) for status in range(STATUSES)]

    def find(self, *statuses: int) -> list[int]:
        """Return the jobs' nodes having one of ``statuses``, ascending."""
        return [match.start() for match in _any_of(statuses).finditer(self.status, 0, self.job_count)]

    # edges

    def rows(self) -> tuple[array[int], array[int]]:
        """Return the rows of dependents, for loops that cannot afford a call per node."""
        return self._first, self._dependents

    def job_dependents(self, node: int) -> list[int]:
        """Return the jobs that wait for a job, directly or through a gate, ascending."""
        return self._through_gates(node, self._first, self._dependents)

    def dependencies(self, node: int) -> list[int]:
        """Return the jobs that a job waits for, directly or through a gate, ascending."""
        return self._through_gates(node, *self._reversed_rows())

    def direct_dependencies(self, node: int) -> Sequence[int]:
        """Return the nodes, gates too, that ``node`` waits for directly."""
        first, rows = self._reversed_rows()
        return rows[first[node] : first[node + 1]]

    def _reversed_rows(self) -> tuple[array[int], array[int]]:
        if self._reverse is None:
            self._reverse = _reversed(self._first, self._dependents, self.degrees)
        return self._reverse

    def _through_gates(self, node: int, first: array[int], rows: array[int]) -> list[int]:
        found: set[int] = set()
        for other in rows[first[node] : first[node + 1]]:
            if self.flags[other] & GATE:
                found.update(rows[first[other] : first[other + 1]])
            else:
                found.add(other)
        found.discard(node)
        return sorted(found)

    # counts that follow from statuses and edges

    def restore(self, statuses: bytes | bytearray) -> None:
        """Take over the statuses of all jobs; gates, counts and the ready queue follow from them."""
        self.status[: self.job_count] = statuses
        self.recount()

    def recount(self) -> None:
        """Derive gates, counts and the ready queue from the statuses of jobs and the edges."""
        status, first, dependents = self.status, self._first, self._dependents
        remaining = self.remaining = array("i", self.degrees)
        bad = self.bad = array("i", bytes(4 * len(status)))
        ended = self.find(*(value for value in range(STATUSES) if IS_COMPLETE[value]))
        for node in range(self.job_count, len(status)):
            status[node] = BLOCKED
        for node in ended:  # grows by the gates that end
            is_bad = IS_BAD[status[node]]
            for dependent in dependents[first[node] : first[node + 1]]:
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


def _reversed(first: array[int], rows: array[int], degrees: array[int]) -> tuple[array[int], array[int]]:
    """Return rows of dependencies from rows of dependents."""
    starts = array("q", [0])
    total = 0
    for degree in degrees:
        total += degree
        starts.append(total)
    turned = array("i", bytes(4 * total))
    cursor = starts[:-1]
    for node in range(len(degrees)):
        for dependent in rows[first[node] : first[node + 1]]:
            turned[cursor[dependent]] = node
            cursor[dependent] += 1
    return starts, turned
