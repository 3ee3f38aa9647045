"""Order and cycles of a graph."""

from __future__ import annotations

from torc_core.engine.graph import GATE, WorkflowGraph


def find_cycle(graph: WorkflowGraph) -> list[int] | None:
    """Return the jobs of one cycle, in the order in which they wait for each other, the first again at the end."""
    left = _left_over(graph)
    if not left:
        return None
    inside = set(left)
    path: list[int] = []
    seen: dict[int, int] = {}
    node = left[0]
    while node not in seen:  # every node that is left over waits for another that is
        seen[node] = len(path)
        path.append(node)
        node = next(other for other in graph.direct_dependencies(node) if other in inside)
    cycle = path[seen[node] :]
    jobs = [node for node in cycle if not graph.flags[node] & GATE]
    return [*jobs, jobs[0]]


def _left_over(graph: WorkflowGraph) -> list[int]:
    """Return the nodes that never come free: those in cycles and behind them; linear."""
    degrees = graph.degrees[:]
    first, last, dependents = graph.rows()
    free = [node for node, degree in enumerate(degrees) if not degree]
    for node in free:  # grows
        for dependent in dependents[first[node] : last[node]]:
            degrees[dependent] -= 1
            if not degrees[dependent]:
                free.append(dependent)
    return [node for node, degree in enumerate(degrees) if degree] if len(free) < len(degrees) else []
