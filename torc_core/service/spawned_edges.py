"""Which jobs wait for which because new ones appear: by name, by file and by user data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.engine.graph import WorkflowGraph
from torc_core.errors import Invalid
from torc_core.records.resources import Job
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow
from torc_core.status import BLOCKED, BY_NUMBER, DISABLED, UNINITIALIZED

Edge = tuple[int, int]
"""Ids of two jobs, of which the first has to end before the other."""
_FEW = 4  # things that are looked for one by one; more of them by reading the lists of all jobs
_NOT_BEGUN = (UNINITIALIZED, BLOCKED, DISABLED)


class Newcomer(NamedTuple):
    """A new job: what it waits for by name, and the ids of what it reads and writes."""

    id: int
    name: str
    depends_on: list[int]
    inputs: list[int]
    outputs: list[int]
    data_inputs: list[int]
    data_outputs: list[int]


def edges_of(
    turn: Turn, state: WorkflowState, newcomers: Sequence[Newcomer], old_files: set[int], old_data: set[int]
) -> list[Edge]:
    """Return all edges that come with new jobs; ``old_*`` are the files and data that other jobs may use too.

    Raises Invalid when a job that waits for nothing any more reads what a new one writes.
    """
    edges = dict.fromkeys((other, new.id) for new in newcomers for other in new.depends_on)
    for reads, writes, old, columns in (
        ("inputs", "outputs", old_files, ("input_file_ids", "output_file_ids")),
        ("data_inputs", "data_outputs", old_data, ("input_user_data_ids", "output_user_data_ids")),
    ):
        new_readers, new_writers = _by_thing(newcomers, reads), _by_thing(newcomers, writes)
        readers = _users(turn, state, columns[0], old & new_writers.keys())
        writers = _users(turn, state, columns[1], old & new_readers.keys())
        _check_not_begun(turn, state, readers)
        for thing, new in new_readers.items():
            before = (*writers.get(thing, ()), *new_writers.get(thing, ()))
            edges |= dict.fromkeys((other, id) for other in before for id in new if other != id)
        for thing, after in readers.items():
            edges |= dict.fromkeys((id, other) for id in new_writers[thing] for other in after)
    return list(edges)


def _by_thing(newcomers: Iterable[Newcomer], field: str) -> dict[int, list[int]]:
    turned: dict[int, list[int]] = {}
    for new in newcomers:
        for thing in getattr(new, field):
            turned.setdefault(thing, []).append(new.id)
    return turned


def _users(turn: Turn, state: WorkflowState, column: str, things: set[int]) -> dict[int, list[int]]:
    """Return the jobs that are there already whose lists hold the things, by thing."""
    if not things:
        return {}
    found: dict[int, list[int]] = {}
    if len(things) <= _FEW:
        for thing in sorted(things):
            where = of_workflow(state.id, Condition(column, "has", thing))
            found[thing] = [id for (id,) in turn.rows(Job, ("id",), where)]
        return found
    for id, text in turn.rows(Job, ("id", column), of_workflow(state.id)):
        for thing in things.intersection(json.loads(text)) if text is not None else ():
            found.setdefault(thing, []).append(id)
    return found


def _check_not_begun(turn: Turn, state: WorkflowState, readers: dict[int, list[int]]) -> None:
    graph = state.graph
    for job_ids in readers.values():
        for job_id in job_ids:
            status = graph.status[graph.node(job_id)]
            if status not in _NOT_BEGUN:
                name = turn.get(Job, job_id).name
                raise Invalid(
                    f"job {name!r} is {BY_NUMBER[status]} and reads what a new job would write",
                    hint="Let it wait for the job that adds jobs.", field="jobs",
                )  # fmt: skip


def check_cycles(graph: WorkflowGraph, newcomers: Sequence[Newcomer], edges: Iterable[Edge]) -> None:
    """Refuse new jobs that would wait for themselves, also by way of jobs that are there; raises Invalid."""
    names = {new.id: new.name for new in newcomers}
    after: dict[int, set[int]] = {id: set() for id in names}
    followers: dict[int, list[int]] = {}  # new jobs by the job before them that is there already
    readers: dict[int, list[int]] = {}  # jobs that are there already by the new one before them
    for before, then in edges:
        if before in names and then in names:
            after[before].add(then)
        elif then in names:
            followers.setdefault(before, []).append(then)
        else:
            readers.setdefault(before, []).append(then)
    for id, jobs in readers.items():
        nodes = graph.nodes(jobs)
        for job_id in (*jobs, *graph.job_ids(transitions.downstream(graph, nodes))):
            after[id].update(followers.get(job_id, ()))
    left = _never_free(after)
    if left:
        raise Invalid(f"jobs wait for each other: {', '.join(names[id] for id in left)}", field="jobs")


def _never_free(after: dict[int, set[int]]) -> list[int]:
    """Return the nodes in cycles and behind them."""
    degrees = dict.fromkeys(after, 0)
    for followers in after.values():
        for id in followers:
            degrees[id] += 1
    free = [id for id, degree in degrees.items() if not degree]
    for id in free:  # grows
        for follower in after[id]:
            degrees[follower] -= 1
            if not degrees[follower]:
                free.append(follower)
    return [id for id, degree in degrees.items() if degree]
