"""Every decision about jobs: no I/O, no clock. Each call changes the graph and says what it changed.

Decisions are made on the graph itself, so that the requests of one transaction see each other; when the transaction
fails, the graph is thrown away and read again. All loops use explicit queues and are linear in what they touch.

One rule settles every job whose dependencies have all ended: it is canceled when it has the cancel flag and one of them
ended badly (failed, terminated or canceled), else it is ready; to a fixed point.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torc_core.engine.changes import Changes
from torc_core.engine.graph import CANCEL_ON_FAILURE, GATE, WorkflowGraph
from torc_core.engine.lanes import Lane, Room
from torc_core.status import (
    BLOCKED,
    CANCELED,
    COMPLETED,
    DISABLED,
    FAILED,
    IS_ACTIVE,
    IS_BAD,
    IS_COMPLETE,
    IS_OVER,
    PENDING,
    PENDING_FAILED,
    READY,
    RUNNING,
    TERMINATED,
    UNINITIALIZED,
)

_STAYING = (DISABLED, PENDING, RUNNING)
"""What no reset of others goes through."""


def claim(graph: WorkflowGraph, limit: int, room: Room | None = None, labels: frozenset[str] = frozenset()) -> Changes:
    """Give out up to ``limit`` ready jobs: those that fit ``room`` together, or without one the first by priority and
    id, to a runner with ``labels``.
    """
    changes = Changes(graph)
    if graph.canceled or limit <= 0:
        return changes
    ready = graph.ready
    changes.claimed = ready.take_first(limit, labels) if room is None else ready.take_fitting(limit, room)
    for node in changes.claimed:
        graph.status[node] = PENDING
    return changes


def start(graph: WorkflowGraph, nodes: Iterable[int]) -> Changes:
    """Jobs that are pending have been started; others are left alone."""
    changes = Changes(graph)
    for node in nodes:
        if graph.status[node] == PENDING:
            graph.status[node] = RUNNING
            changes.started.append(node)
    return changes


def release(graph: WorkflowGraph, nodes: Iterable[int]) -> Changes:
    """Jobs that are held become ready again; others are left alone."""
    changes = Changes(graph)
    for node in nodes:
        if IS_ACTIVE[graph.status[node]]:
            graph.status[node] = READY
            changes.ready.append(node)
    graph.ready.fill(changes.ready)
    return changes


def complete(graph: WorkflowGraph, reports: Iterable[tuple[int, int]]) -> Changes:
    """Take (node, final status), all of them first, then settle what waited; jobs that are complete are left alone.

    What is reported as ``pending_failed`` has not ended: nothing moves on.
    """
    changes = Changes(graph)
    status = graph.status
    ended = []
    for node, final in reports:
        before = status[node]
        if IS_COMPLETE[before]:
            continue
        if before == READY:
            graph.ready.forget(node)
        elif before == BLOCKED:
            graph.let_go(node)
        status[node] = final
        changes.finished.append(node)
        graph.unfinished += IS_OVER[before] - IS_OVER[final]
        if final != PENDING_FAILED:
            ended.append(node)
    _settle_after(graph, ended, changes)
    return changes


def cancel_all(graph: WorkflowGraph) -> Changes:
    """Cancel the workflow: what is held is canceled, what waits stays as it is, nothing is given out any more."""
    graph.canceled = True
    changes = Changes(graph)
    changes.canceled = graph.find(PENDING, RUNNING)
    for node in changes.canceled:
        graph.status[node] = CANCELED
    graph.unfinished -= len(changes.canceled)
    _note_ended(graph, changes.canceled)
    return changes


def retry(graph: WorkflowGraph, node: int, until: int | None = None) -> Changes:
    """Make one job ready again, at once or at a moment (``until``, ms since 1970), up to which it is blocked.

    What moved on because it had ended waits for it again, unless it is active or over.
    """
    changes = Changes(graph)
    before = graph.status[node]
    if before == READY:
        if until is None:
            return changes
        graph.ready.forget(node)
    graph.let_go(node)
    graph.unfinished += IS_OVER[before]
    graph.status[node] = READY if until is None else BLOCKED
    if IS_COMPLETE[before]:
        _take_back(graph, node, before, changes)
    if until is None:
        changes.ready.append(node)
        graph.ready.fill([node])
    else:
        changes.blocked.append(node)
        graph.hold(node, until)
    return changes


def wake(graph: WorkflowGraph, now: int) -> Changes:
    """Make jobs ready whose moment has come (``now`` is ms since 1970) and that wait for nothing else."""
    changes = Changes(graph)
    for node in graph.take_due(now):
        if not graph.remaining[node]:
            graph.status[node] = READY
            changes.ready.append(node)
    graph.ready.fill(changes.ready)
    return changes


def set_status(graph: WorkflowGraph, node: int, status: int) -> Changes:
    """Set a status that is no end, whatever the job's status was.

    When it was complete, direct dependents that have completed or failed become uninitialized if the job does; else
    only what has not started waits again.
    """
    changes = Changes(graph)
    before = graph.status[node]
    if before == READY:
        graph.ready.forget(node)
    graph.let_go(node)
    graph.status[node] = status
    changes.given.append(node)
    graph.unfinished += IS_OVER[before] - IS_OVER[status]
    if IS_COMPLETE[before]:
        _take_back(graph, node, before, changes)
        if status == UNINITIALIZED:
            for dependent in graph.job_dependents(node):
                ended = graph.status[dependent]
                if ended in (COMPLETED, FAILED):
                    graph.status[dependent] = UNINITIALIZED
                    graph.unfinished += 1
                    changes.reset.append(dependent)
                    _take_back(graph, dependent, ended, changes)
    if status == READY:
        graph.ready.fill([node])
    return changes


def downstream(graph: WorkflowGraph, nodes: Iterable[int]) -> list[int]:
    """Return the jobs that wait for ``nodes``, directly or not, without the disabled and those held by runners."""
    seeds = list(nodes)
    first, last, dependents = graph.rows()
    seen = bytearray(len(graph.status))
    reached: list[int] = []
    queue = list(seeds)
    for node in queue:  # grows
        for dependent in dependents[first[node] : last[node]]:
            if not seen[dependent] and graph.status[dependent] not in _STAYING:
                seen[dependent] = 1
                queue.append(dependent)
                if not graph.flags[dependent] & GATE:
                    reached.append(dependent)
    return sorted(reached)


def causes(graph: WorkflowGraph, nodes: Iterable[int]) -> dict[int, int]:
    """Return what is ``downstream`` of ``nodes``, each job with one that it waits for and that is one of them too."""
    queue = [(node, node) for node in nodes]
    first, last, dependents = graph.rows()
    found: dict[int, int] = {}
    seen = bytearray(len(graph.status))
    for node, _ in queue:
        seen[node] = 1
    for node, cause in queue:  # grows
        for dependent in dependents[first[node] : last[node]]:
            if graph.status[dependent] in _STAYING:
                continue
            is_gate = graph.flags[dependent] & GATE
            if not is_gate:
                found.setdefault(dependent, cause)
            if not seen[dependent]:
                seen[dependent] = 1
                queue.append((dependent, cause if is_gate else dependent))
    return found


def reset(graph: WorkflowGraph, nodes: Iterable[int], *, only_these: bool = False) -> Changes:
    """Make jobs uninitialized and, unless only these, everything downstream but disabled and held jobs."""
    seeds = dict.fromkeys(nodes)
    if not only_these:
        seeds |= dict.fromkeys(downstream(graph, seeds))
    changes = Changes(graph)
    changes.reset = [node for node in seeds if graph.status[node] != UNINITIALIZED]
    for node in changes.reset:
        graph.status[node] = UNINITIALIZED
    graph.recount()
    return changes


def reset_failed(graph: WorkflowGraph) -> Changes:
    """Make all jobs that did not succeed, and everything downstream, uninitialized."""
    return reset(graph, graph.find(FAILED, CANCELED, TERMINATED, PENDING_FAILED))


def reset_all(graph: WorkflowGraph, *, keep_disabled: bool = False) -> Changes:
    """Make every job uninitialized, disabled ones too unless they are kept."""
    changes = Changes(graph)
    staying = (UNINITIALIZED, DISABLED) if keep_disabled else (UNINITIALIZED,)
    changes.reset = [node for node in graph.jobs() if graph.status[node] not in staying]
    _clear(graph, graph.find(DISABLED) if keep_disabled else ())
    return changes


def _clear(graph: WorkflowGraph, disabled: Iterable[int]) -> None:
    """Make all jobs uninitialized but these."""
    graph.clear_statuses()
    for node in disabled:
        graph.status[node] = DISABLED
    graph.recount()


def initialize(graph: WorkflowGraph, only_uninitialized: bool = False, *, only_reset: bool = False) -> Changes:
    """Decide ready, blocked or canceled for all jobs but disabled ones.

    With ``only_uninitialized``: for uninitialized, terminated and pending_failed jobs and everything downstream of
    them, and for blocked jobs that nothing holds back any more (after a cancellation or a deletion nobody settles
    them); what has ended otherwise and what runs stays. No job waits for a moment after that. A canceled workflow
    stays canceled: a new run ends that. ``only_reset`` leaves terminated and pending_failed jobs alone as well.
    """
    for node in list(graph.held):
        graph.let_go(node)
    if only_uninitialized or only_reset:
        more = () if only_reset else (TERMINATED, PENDING_FAILED)
        changes = reset(graph, graph.find(UNINITIALIZED, *more))
        again = [*graph.find(UNINITIALIZED), *_held_by_nothing(graph)]
    else:
        changes = Changes(graph)
        _clear(graph, graph.find(DISABLED))
        again = graph.find(UNINITIALIZED)
    _settle(graph, again, changes)
    return changes


def add(
    graph: WorkflowGraph,
    job_ids: Sequence[int],
    flags: bytes,
    lanes: Sequence[Lane],
    edges: Iterable[tuple[int, int]],
) -> Changes:
    """Add jobs to a workflow that runs; ``edges`` are pairs of job ids, of which the first has to end before the other.

    The new ones become blocked, ready or canceled. What waits for a new one must not have started.
    """
    changes = Changes(graph)
    nodes = graph.add_jobs(job_ids, flags, lanes)
    for before, after in edges:
        graph.add_edge(graph.node(before), graph.node(after))
    _settle(graph, nodes, changes)
    return changes


def settle_freed(graph: WorkflowGraph) -> Changes:
    """Settle blocked jobs that nothing holds back any more, as after jobs before them were deleted."""
    changes = Changes(graph)
    _settle(graph, _held_by_nothing(graph), changes)
    return changes


def _held_by_nothing(graph: WorkflowGraph) -> list[int]:
    return [node for node in graph.find(BLOCKED) if not graph.remaining[node]]


def _settle(graph: WorkflowGraph, nodes: Sequence[int], changes: Changes) -> None:
    """Uninitialized jobs, and blocked ones, become blocked, ready or canceled by the state of their dependencies."""
    status, remaining, bad, flags = graph.status, graph.remaining, graph.bad, graph.flags
    for node in nodes:
        status[node] = BLOCKED
    ready: list[int] = []
    ended: list[int] = []
    for node in nodes:
        if not remaining[node]:
            if bad[node] and flags[node] & CANCEL_ON_FAILURE:
                status[node] = CANCELED
                ended.append(node)
            else:
                status[node] = READY
                ready.append(node)
    changes.canceled += ended
    changes.ready += ready
    graph.unfinished -= len(ended)
    graph.ready.fill(ready)
    _settle_after(graph, ended, changes)
    changes.blocked += [node for node in nodes if status[node] == BLOCKED]


def _settle_after(graph: WorkflowGraph, ended: list[int], changes: Changes) -> None:
    """Settle what waited for ``ended``, breadth first; a node is decided once, when its last dependency has ended."""
    status, remaining, bad, flags = graph.status, graph.remaining, graph.bad, graph.flags
    first, last, dependents = graph.rows()
    ready: list[int] = []
    canceled: list[int] = []
    queue = list(ended)
    for node in queue:  # grows
        is_bad = IS_BAD[status[node]]
        for dependent in dependents[first[node] : last[node]]:
            left = remaining[dependent] = remaining[dependent] - 1
            if is_bad:
                bad[dependent] += 1
            if left or status[dependent] != BLOCKED:
                continue
            if flags[dependent] & GATE:
                status[dependent] = CANCELED if bad[dependent] else COMPLETED
                queue.append(dependent)
            elif bad[dependent] and flags[dependent] & CANCEL_ON_FAILURE:
                status[dependent] = CANCELED
                canceled.append(dependent)
                queue.append(dependent)
            else:
                status[dependent] = READY
                ready.append(dependent)
    graph.unfinished -= len(canceled)
    graph.ready.fill(ready)
    changes.ready += ready
    changes.canceled += canceled


def _note_ended(graph: WorkflowGraph, ended: Sequence[int]) -> None:
    """Count ended jobs where they are waited for, without settling anything but gates."""
    status, remaining, bad, flags = graph.status, graph.remaining, graph.bad, graph.flags
    first, last, dependents = graph.rows()
    queue = list(ended)
    for node in queue:  # grows
        is_bad = IS_BAD[status[node]]
        for dependent in dependents[first[node] : last[node]]:
            remaining[dependent] -= 1
            bad[dependent] += is_bad
            if not remaining[dependent] and flags[dependent] & GATE:
                status[dependent] = CANCELED if bad[dependent] else COMPLETED
                queue.append(dependent)


def _take_back(graph: WorkflowGraph, node: int, before: int, changes: Changes) -> None:
    """A job that had ended as ``before`` has not ended after all: undo what followed from it.

    Dependents that are ready become blocked, as do those that a bad dependency canceled; their own dependents follow.
    What is held, completed or failed on its own stays.
    """
    status, remaining, bad, flags = graph.status, graph.remaining, graph.bad, graph.flags
    first, last, dependents = graph.rows()
    queue = [(node, before)]
    for undone, was in queue:  # grows
        was_bad = IS_BAD[was]
        for dependent in dependents[first[undone] : last[undone]]:
            had_bad, was_settled = bad[dependent], not remaining[dependent]
            remaining[dependent] += 1
            bad[dependent] -= was_bad
            now = status[dependent]
            if flags[dependent] & GATE:
                if now != BLOCKED:
                    status[dependent] = BLOCKED
                    queue.append((dependent, now))
            elif not was_settled:
                continue  # it became what it is by somebody's word, or was taken back already
            elif now == READY:
                graph.ready.forget(dependent)
                status[dependent] = BLOCKED
                changes.blocked.append(dependent)
            elif now == CANCELED and had_bad and flags[dependent] & CANCEL_ON_FAILURE:
                status[dependent] = BLOCKED
                graph.unfinished += 1
                changes.blocked.append(dependent)
                queue.append((dependent, now))
