"""From the columns of stored jobs to a graph: ids become nodes, shared files and long shared lists become gates."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

from torc_core.engine.graph import CANCEL_ON_FAILURE, GATE, WorkflowGraph
from torc_core.engine.lanes import Lane

Lists = Sequence[Sequence[int]] | None
_LONG = 8
"""Lists of dependencies of this length that several jobs share as one object go through a gate."""


class JobColumns:
    """Jobs of one workflow, column by column; ids ascend. A column of lists is None when every list is empty."""

    __slots__ = (
        "cancel_on_failure", "data_inputs", "data_outputs", "depends_on", "ids", "inputs", "lanes", "outputs",
        "statuses",
    )  # fmt: skip

    def __init__(
        self,
        ids: Sequence[int],
        statuses: bytes,
        lanes: Sequence[Lane],
        cancel_on_failure: bytes,
        depends_on: Lists = None,
        inputs: Lists = None,
        outputs: Lists = None,
        data_inputs: Lists = None,
        data_outputs: Lists = None,
    ) -> None:
        """``depends_on`` has ids of jobs, the others of files and of user data."""
        self.ids, self.statuses, self.lanes, self.cancel_on_failure = ids, statuses, lanes, cancel_on_failure
        self.depends_on, self.inputs, self.outputs = depends_on, inputs, outputs
        self.data_inputs, self.data_outputs = data_inputs, data_outputs


def build_graph(columns: JobColumns) -> WorkflowGraph:
    """Return the graph in the state that the statuses say.

    A job that writes what it reads does not wait for itself. Dependencies on jobs that are not in the columns are left
    out: they were deleted.
    """
    edges = _Edges(columns)
    edges.add_lists()
    edges.add_things(columns.inputs, columns.outputs)
    edges.add_things(columns.data_inputs, columns.data_outputs)
    first, dependents = edges.rows()
    flags = bytearray(flag and CANCEL_ON_FAILURE for flag in columns.cancel_on_failure)
    flags += bytes([GATE]) * (edges.nodes - len(columns.ids))
    graph = WorkflowGraph(array("q", columns.ids), flags, columns.lanes, first, dependents)
    graph.restore(columns.statuses)
    return graph


class _Edges:
    """Collects edges: ``sources[i]`` has to end before ``targets[i]``."""

    def __init__(self, columns: JobColumns) -> None:
        self._columns = columns
        self.nodes = len(columns.ids)
        self._sources = array("i")
        self._targets = array("i")

    def _gate(self, before: Sequence[int], after: Sequence[int]) -> None:
        gate = self.nodes
        self.nodes += 1
        self._sources.extend(before)
        self._targets.extend([gate] * len(before))
        self._sources.extend([gate] * len(after))
        self._targets.extend(after)

    def add_lists(self) -> None:
        """Add the explicit dependencies."""
        lists = self._columns.depends_on
        if lists is None:
            return
        node_of = self._node_of()
        sources, targets = self._sources, self._targets
        shared: dict[int, tuple[Sequence[int], list[int]]] = {}
        for node, ids in enumerate(lists):
            if not ids:
                continue
            if len(ids) >= _LONG:
                shared.setdefault(id(ids), (ids, []))[1].append(node)
                continue
            for job_id in ids:
                other = node_of.get(job_id)
                if other is not None:
                    sources.append(other)
                    targets.append(node)
        for ids, after in shared.values():
            before = [node_of[job_id] for job_id in ids if job_id in node_of]
            if len(after) > 1:
                self._gate(before, after)
                continue
            for node in after:
                sources.extend(before)
                targets.extend([node] * len(before))

    def _node_of(self) -> _Offset | dict[int, int]:
        ids = self._columns.ids
        if ids and ids[-1] - ids[0] == len(ids) - 1:
            return _Offset(ids[0], len(ids))
        return {job_id: node for node, job_id in enumerate(ids)}

    def add_things(self, reads: Lists, writes: Lists) -> None:
        """Add the dependencies by files or user data: readers wait for all writers."""
        if reads is None or writes is None:
            return
        readers, writers = _by_thing(reads), _by_thing(writes)
        sources, targets = self._sources, self._targets
        for thing, after in readers.items():
            before = writers.get(thing)
            if before is None:
                continue
            both = set(after) & set(before)
            free = [node for node in after if node not in both] if both else after
            if len(both) == 1:
                (node,) = both
                others = [other for other in before if other != node]
                sources.extend(others)
                targets.extend([node] * len(others))
            elif both:  # they wait for each other and never run; a gate says so with the fewest edges
                self._gate(before, sorted(both))
            if len(before) * len(free) > len(before) + len(free):
                self._gate(before, free)
                continue
            for node in free:
                sources.extend(before)
                targets.extend([node] * len(before))

    def rows(self) -> tuple[array[int], array[int]]:
        """Return the dependents of each node in compressed rows, by counting."""
        sources, targets = self._sources, self._targets
        widths = array("i", bytes(4 * self.nodes))
        for node in sources:
            widths[node] += 1
        first = array("q", [0])
        first.extend(accumulate(widths))
        rows = array("i", bytes(4 * len(sources)))
        cursor = first[:-1]
        for node, target in zip(sources, targets, strict=True):
            place = cursor[node]
            rows[place] = target
            cursor[node] = place + 1
        return first, rows


class _Offset:
    """Consecutive ids as nodes, like a dictionary."""

    def __init__(self, first: int, count: int) -> None:
        self._first, self._count = first, count

    def get(self, job_id: int) -> int | None:
        node = job_id - self._first
        return node if 0 <= node < self._count else None

    def __contains__(self, job_id: int) -> bool:
        return self.get(job_id) is not None

    def __getitem__(self, job_id: int) -> int:
        return job_id - self._first


def _by_thing(lists: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """Return the nodes by what their lists hold."""
    turned: dict[int, list[int]] = {}
    for node, things in enumerate(lists):
        for thing in things:
            turned.setdefault(thing, []).append(node)
    return turned
