"""The ready jobs of one workflow, kept in lanes of interchangeable jobs.

Jobs that ask for the same things differ only by id, so they share a lane: one heap of nodes. Claims look at lanes
(few), never at jobs: a lane that does not fit is skipped whole, one that fits gives as many jobs as fit at once.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain, groupby
from operator import itemgetter

from torc_core.engine.lanes import UNLIMITED, Lane, Room, are_offered
from torc_core.status import READY

Waiting = tuple[tuple[int, ...], int]
"""Rank and number of a lane."""


def _priority(entry: Waiting) -> int:
    return entry[0][0]


class ReadyQueue:
    """Heaps of ready nodes by lane. Leaving is lazy: an entry whose job is no longer ready is dropped when it comes up.

    ``status`` and ``lane_of`` are the graph's own.
    """

    def __init__(self, status: bytearray, lane_of: array[int]) -> None:
        self.lanes: list[Lane] = []
        self.total = 0
        self._counts: list[int] = []
        self._status = status
        self._lane_of = lane_of
        self._numbers: dict[Lane, int] = {}
        self._heaps: list[list[int]] = []
        self._waiting: list[Waiting] = []  # lanes that have ready jobs, in claim order
        self._least_cpus = UNLIMITED

    def __len__(self) -> int:
        return self.total

    def lane_number(self, lane: Lane) -> int:
        """Return the number of ``lane``, new or known."""
        number = self._numbers.get(lane)
        if number is None:
            number = self._numbers[lane] = len(self.lanes)
            self.lanes.append(lane)
            self._counts.append(0)
            self._heaps.append([])
            self._least_cpus = min(self._least_cpus, lane.cpus)
        return number

    def clear(self) -> None:
        """Forget all jobs, keep the lanes."""
        self.total = 0
        self._counts = [0] * len(self.lanes)
        self._heaps = [[] for _ in self.lanes]
        self._waiting.clear()

    def fill(self, nodes: Sequence[int]) -> None:
        """Add nodes that have just become ready."""
        lane_of = self._lane_of
        if len(nodes) < 8:
            for node in nodes:
                self._push(lane_of[node], (node,))
            return
        by_lane: dict[int, list[int]] = {}
        for node in nodes:
            by_lane.setdefault(lane_of[node], []).append(node)
        for number, members in by_lane.items():
            self._push(number, members)

    def _push(self, lane: int, nodes: Sequence[int]) -> None:
        heap = self._heaps[lane]
        if len(nodes) > 8 + len(heap) // 16:
            heap.extend(nodes)
            heapify(heap)
        else:
            for node in nodes:
                heappush(heap, node)
        if not self._counts[lane]:
            insort(self._waiting, (self.lanes[lane].rank, lane))
        self._counts[lane] += len(nodes)
        self.total += len(nodes)

    def forget(self, node: int) -> None:
        """A node is no longer ready; its entry stays until it comes up."""
        lane = self._lane_of[node]
        self._counts[lane] -= 1
        self.total -= 1
        if not self._counts[lane]:
            self._retire(lane)

    def take_first(self, limit: int, labels: frozenset[str] = frozenset()) -> list[int]:
        """Remove and return up to ``limit`` nodes by priority, then id, whatever they need but labels."""
        taken: list[int] = []
        emptied: list[int] = []
        lanes = self.lanes
        waiting = (entry for entry in self._waiting if are_offered(lanes[entry[1]].labels, labels))
        for _, equals in groupby(waiting, key=_priority):
            heads = [(self._head(number), number) for _, number in equals]
            heapify(heads)
            while heads and len(taken) < limit:
                lane = heads[0][1]
                self._pop(lane, limit - len(taken) if len(heads) == 1 else 1, taken)
                if self._counts[lane]:
                    heapreplace(heads, (self._head(lane), lane))
                else:
                    emptied.append(lane)
                    heappop(heads)
            if len(taken) >= limit:
                break
        for lane in emptied:
            self._retire(lane)
        return taken

    def take_fitting(self, limit: int, room: Room) -> list[int]:
        """Remove and return up to ``limit`` nodes in the order of lanes' ranks, those that fit ``room`` together.

        Jobs of other schedulers are considered only when nothing else is admitted, and never when the match is strict.
        """
        waiting = self._admitted(room, any_scheduler=False)
        first = next(waiting, None)
        if first is None and not room.strict_scheduler:
            waiting = self._admitted(room, any_scheduler=True)
            first = next(waiting, None)
        return self._take_from(chain((first,), waiting), limit, room) if first else []

    def _admitted(self, room: Room, any_scheduler: bool) -> Iterator[Waiting]:
        lanes = self.lanes
        return (entry for entry in self._waiting if room.admits(lanes[entry[1]], any_scheduler))

    def _take_from(self, waiting: Iterator[Waiting], limit: int, room: Room) -> list[int]:
        taken: list[int] = []
        emptied: list[int] = []
        for _, equals in groupby(waiting, key=itemgetter(0)):
            numbers = [number for _, number in equals]
            while numbers and len(taken) < limit:
                alone = len(numbers) == 1
                lane = numbers[0] if alone else min(numbers, key=self._head)  # equal ranks: lowest id first
                wanted = min(limit - len(taken) if alone else 1, room.copies(self.lanes[lane]))
                count = self._pop(lane, wanted, taken)
                if count:
                    room.occupy(self.lanes[lane], count)
                if not self._counts[lane]:
                    emptied.append(lane)
                if not count or not self._counts[lane]:
                    numbers.remove(lane)
            if len(taken) >= limit or room.is_full(self._least_cpus):
                break
        for lane in emptied:
            self._retire(lane)
        return taken

    def _head(self, lane: int) -> int:
        heap, status = self._heaps[lane], self._status
        while status[heap[0]] != READY:
            heappop(heap)
        return heap[0]

    def _pop(self, lane: int, wanted: int, taken: list[int]) -> int:
        heap, status = self._heaps[lane], self._status
        wanted = max(0, min(wanted, self._counts[lane]))
        missing = wanted
        while missing:
            node = heappop(heap)
            if status[node] != READY:
                continue
            taken.append(node)
            missing -= 1
            while heap and heap[0] == node:  # a stale twin: it was ready, left, and became ready again
                heappop(heap)
        self._counts[lane] -= wanted
        self.total -= wanted
        return wanted

    def _retire(self, lane: int) -> None:
        del self._waiting[bisect_left(self._waiting, (self.lanes[lane].rank, lane))]
        self._heaps[lane].clear()
