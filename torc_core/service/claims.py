"""Handing out jobs: which, to whom, and all that is needed to start them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from torc_core.engine import transitions
from torc_core.engine.lanes import UNLIMITED, Room
from torc_core.errors import Invalid
from torc_core.records.answers import ClaimedJobs, FittingJobs, JobLaunch
from torc_core.records.resources import File, Job, NodeResources, UserData
from torc_core.service.api import Service
from torc_core.service.digests import differences, input_hash
from torc_core.service.registry import handles
from torc_core.service.retrying import wake_due
from torc_core.service.state import Needs, WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import IS_COMPLETE, PENDING
from torc_core.units import UnitError, parse_duration

_LAUNCHED = (
    "id", "name", "command", "attempt_id", "invocation_script", "env", "supports_termination",
    "resource_requirements_id", "stdio", "output_file_ids", "depends_on_job_ids", "input_file_ids",
    "input_user_data_ids", "output_user_data_ids", "failure_handler_id",
)  # fmt: skip
_LINKS = slice(9, 14)  # output files, dependencies, input files, input data, output data
_READ = 3
_MOST_GIB = 2.0**33  # what 63 bits of bytes hold
HASHED = ("command", "invocation_script", "env", *_LAUNCHED[_LINKS])
"""Columns of a job that its digest is made from."""


@handles(Service.claim_next_jobs)
def claim_next_jobs(turn: Turn, id: int, limit: int = 10, labels: list[str] | None = None) -> ClaimedJobs:
    """Give the first ready jobs, whatever they need."""
    state = turn.state(id)
    taken = take(turn, state, limit if limit >= 0 else len(state.graph), None, None, frozenset(labels or ()))
    return ClaimedJobs(jobs=_as_jobs(turn, state, taken))


@handles(Service.claim_jobs_based_on_resources)
def claim_jobs_based_on_resources(
    turn: Turn, id: int, limit: int, node: NodeResources, strict_scheduler_match: bool = False
) -> FittingJobs:
    """Give ready jobs that fit the node together."""
    state = turn.state(id)
    if state.graph.canceled:
        return FittingJobs(jobs=[], reason="the workflow is canceled")
    taken = take(turn, state, limit, room_of(node, strict_scheduler_match), None)
    return FittingJobs(jobs=_as_jobs(turn, state, taken))


def room_of(node: NodeResources, strict_scheduler_match: bool = False) -> Room:
    """Return what the graph understands by a node's free resources; raises Invalid for a wrong time limit."""
    time_s = UNLIMITED
    if node.time_limit is not None:
        try:
            time_s = parse_duration(node.time_limit)
        except UnitError as exc:
            raise Invalid(f"time_limit: {exc}", field="time_limit", value=node.time_limit) from exc
    return Room(
        node.num_cpus,
        int(min(max(node.memory_gb, 0.0), _MOST_GIB) * 2**30),
        node.num_gpus,
        node.num_nodes,
        time_s,
        node.scheduler_config_id or 0,
        frozenset(node.labels or ()),
        strict_scheduler_match,
    )


def take(
    turn: Turn,
    state: WorkflowState,
    limit: int,
    room: Room | None,
    holder: int | None,
    labels: frozenset[str] = frozenset(),
) -> list[int]:
    """Claim jobs for ``holder`` (a compute node, None when nobody says) and write it down; returns their ids."""
    if limit <= 0 or state.graph.canceled:
        return []
    wake_due(turn, state)
    claimed = transitions.claim(state.graph, limit, room, labels).claimed
    if not claimed:
        return []
    turn.touch(state.id)
    ids = state.graph.ids
    taken = [ids[node] for node in claimed]
    if holder is not None:
        state.holders.update(dict.fromkeys(taken, holder))
    return taken


def launches(turn: Turn, state: WorkflowState, job_ids: Sequence[int], holder: int | None) -> list[JobLaunch]:
    """Return what starts the claimed jobs, in the order of ``job_ids``, and store that they are claimed."""
    if not job_ids:
        return []
    rows = {row[0]: row for row in turn.rows(Job, _LAUNCHED, with_ids(job_ids))}
    paths = _paths(turn, (row[9] for row in rows.values()))
    data = _data_texts(turn, (row[12] for row in rows.values()))
    made, claims = [], []
    for job_id in job_ids:
        row = rows[job_id]
        claims.append((PENDING, holder, input_hash(state, row[2], row[4], row[5], row[_LINKS], data), job_id))
        made.append(_launch(state, row, paths))
    turn.set_each(Job, ("status", "compute_node_id", "input_hash"), claims)
    return made


def _launch(state: WorkflowState, row: tuple[Any, ...], paths: dict[int, str]) -> JobLaunch:
    id, name, command, attempt, script, env, graceful, needs_id, stdio, outputs, *_, handler = row
    values: dict[str, Any] = {"id": id, "name": name, "command": command, "attempt_id": attempt}
    if script is not None:
        values["invocation_script"] = script
    if env is not None or state.env:
        values["env"] = {**state.env, **json.loads(env)} if env else state.env
    if graceful:
        values["supports_termination"] = True
    if stdio is not None:
        values["stdio"] = json.loads(stdio)
    if outputs is not None:
        ids = json.loads(outputs)
        values["output_file_ids"] = ids
        values["output_files"] = [paths[i] for i in ids if i in paths]
    if handler is not None and state.rules.get(handler):
        values["failure_rules"] = state.rules[handler]
    if state.asks:
        values["asks_on_failure"] = True
    needs = state.requirements.get(needs_id)
    if needs is not None:
        values |= _needs(needs)
    return JobLaunch.of(values)


def _needs(needs: Needs) -> dict[str, Any]:
    return {
        "requirements_name": needs.name, "num_cpus": needs.cpus, "num_gpus": needs.gpus, "num_nodes": needs.nodes,
        "memory_bytes": needs.memory_bytes, "runtime_seconds": needs.runtime_s,
    }  # fmt: skip


def _paths(turn: Turn, lists: Iterable[str | None]) -> dict[int, str]:
    ids = sorted({i for text in lists if text is not None for i in json.loads(text)})
    return dict(turn.rows(File, ("id", "path"), with_ids(ids))) if ids else {}


def _data_texts(turn: Turn, lists: Iterable[str | None]) -> dict[int, str | None]:
    ids = sorted({i for text in lists if text is not None for i in json.loads(text)})
    return dict(turn.rows(UserData, ("id", "data"), with_ids(ids))) if ids else {}


def _as_jobs(turn: Turn, state: WorkflowState, job_ids: Sequence[int]) -> list[Job]:
    if not job_ids:
        return []
    launches(turn, state, job_ids, None)
    found = {job.id: job for job in turn.records(Job, with_ids(job_ids))}
    return [found[id] for id in job_ids]


def note_data(turn: Turn, state: WorkflowState) -> None:
    """Note what user data the jobs that have not ended would be given now: it may change before they are claimed.

    The rest of what a job is given stays as it is from now on.
    """
    data: dict[int, str | None] = dict(turn.rows(UserData, ("id", "data"), of_workflow(state.id)))
    if not data:
        return
    graph = state.graph
    made = [
        (input_hash(state, command, script, env, links, data), id)
        for id, command, script, env, *links in turn.rows(Job, ("id", *HASHED), of_workflow(state.id))
        if links[_READ] and not IS_COMPLETE[graph.status[graph.node(id)]]
    ]
    if made:
        turn.set_each(Job, ("input_hash",), made)


def changed_inputs(turn: Turn, state: WorkflowState) -> list[tuple[int, str, list[str]]]:
    """Return id and name of the jobs that ran with something else than what they would be given now, and what it is.

    That is said with the keys of ``digests.differences``.
    """
    names = ("id", "name", "input_hash", *HASHED)
    data: dict[int, str | None] = dict(turn.rows(UserData, ("id", "data"), of_workflow(state.id)))
    return [
        (id, name, differences(kept, now))
        for id, name, kept, command, script, env, *links in turn.rows(Job, names, of_workflow(state.id))
        if kept is not None and kept != (now := input_hash(state, command, script, env, links, data))
    ]
