"""One workflow in memory: the graph that decides, and the little that decisions need beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from torc_core.contracts.storage import Condition, Storage
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.lanes import Lane
from torc_core.errors import NotFound, StorageError
from torc_core.records.record import loaded_fields, row_reader
from torc_core.records.resources import FailureHandler, Job, ResourceRequirements, Workflow
from torc_core.service.action_index import ActionIndex, load_actions
from torc_core.service.clock import seconds_of
from torc_core.status import BLOCKED
from torc_core.units import UnitError, parse_duration, parse_memory

LINKS = ("depends_on_job_ids", "input_file_ids", "output_file_ids", "input_user_data_ids", "output_user_data_ids")
_COLUMNS = (
    "id", "status", "priority", "cancel_on_blocking_job_failure", "resource_requirements_id", "scheduler_id", "labels",
    "compute_node_id", "attempt_id", "retry_at", *LINKS,
)  # fmt: skip
NOTHING: tuple[int, ...] = ()


class WorkflowState:
    """A workflow in memory. ``holders`` and ``attempts`` are sparse: who holds a job, attempts other than the first.

    ``actions`` is None when the workflow has none; ``rules`` are those of its failure handlers.
    """

    __slots__ = (
        "actions", "asks", "attempts", "env", "graph", "has_results", "holders", "id", "is_archived", "nodes",
        "requirements", "rules", "run_id",
    )  # fmt: skip

    def __init__(self, workflow: Workflow, requirements: dict[int, Needs], graph: WorkflowGraph) -> None:
        self.id = workflow.id
        self.run_id = workflow.run_id
        self.env = workflow.env or {}
        self.is_archived = workflow.is_archived
        self.asks = workflow.use_pending_failed
        self.requirements = requirements
        self.graph = graph
        self.holders: dict[int, int] = {}
        self.attempts: dict[int, int] = {}
        self.has_results = True  # the present run may have some
        self.rules: dict[int, Any] = {}
        self.actions: ActionIndex | None = None
        self.nodes: set[int] = set()  # compute nodes that are known to be the workflow's

    def node(self, job_id: int) -> int:
        """Return the graph's node of a job of this workflow; raises NotFound."""
        try:
            return self.graph.node(job_id)
        except KeyError:
            raise NotFound(f"there is no job {job_id} in workflow {self.id}", id=job_id) from None

    def attempt(self, job_id: int) -> int:
        """Return the number of the job's present attempt."""
        return self.attempts.get(job_id, 1)


class Needs:
    """A requirements record with its quantities as numbers."""

    __slots__ = ("cpus", "gpus", "memory_bytes", "name", "nodes", "runtime_s")

    def __init__(self, record: ResourceRequirements) -> None:
        self.name = record.name
        self.cpus = record.num_cpus
        self.gpus = record.num_gpus
        self.nodes = record.num_nodes
        self.memory_bytes = parse_memory(record.memory)
        self.runtime_s = parse_duration(record.runtime)

    def lane(self, priority: int, scheduler: int | None, labels: frozenset[str]) -> Lane:
        """Return the lane of jobs with these needs."""
        return Lane(
            priority, self.gpus, self.runtime_s, self.memory_bytes, self.cpus, self.nodes, scheduler or 0, labels
        )


def load_state(storage: Storage, workflow_id: int) -> WorkflowState:
    """Read a workflow into memory; raises NotFound."""
    workflow = _workflow(storage, workflow_id)
    mine = [Condition("workflow_id", "equal", workflow_id)]
    names = [f.name for f in loaded_fields(ResourceRequirements)]
    records = map(row_reader(ResourceRequirements), storage.rows(ResourceRequirements, names, mine))
    try:
        requirements = {record.id: Needs(record) for record in records}
    except UnitError as exc:
        raise StorageError(
            f"the requirements of workflow {workflow_id} are damaged: {exc}", hint="Restore a copy of the database."
        ) from exc
    sparse = _Sparse({}, {}, {})
    graph = build_graph(_columns(storage, mine, requirements, sparse))
    graph.canceled = workflow.is_canceled
    for job_id, until in sparse.moments.items():
        graph.hold(graph.node(job_id), until)
    graph.unkept.clear()
    state = WorkflowState(workflow, requirements, graph)
    state.holders, state.attempts = sparse.holders, sparse.attempts
    handlers = storage.rows(FailureHandler, ("id", "rules"), mine)
    state.rules = {id: json.loads(text) for id, text in handlers if text is not None}
    state.actions = load_actions(storage, workflow_id, graph)
    return state


def _workflow(storage: Storage, workflow_id: int) -> Workflow:
    names = [f.name for f in loaded_fields(Workflow)]
    for row in storage.rows(Workflow, names, [Condition("id", "equal", workflow_id)]):
        return row_reader(Workflow)(row)
    raise NotFound(f"there is no workflow with id {workflow_id}", id=workflow_id)


class _Sparse(NamedTuple):
    """What few jobs have, by their ids."""

    holders: dict[int, int]
    attempts: dict[int, int]
    moments: dict[int, int]


def _columns(storage: Storage, mine: list[Condition], requirements: dict[int, Needs], sparse: _Sparse) -> JobColumns:
    ids: list[int] = []
    statuses = bytearray()
    lanes: list[Lane] = []
    flags = bytearray()
    links: list[list[Sequence[int]] | None] = [None] * len(LINKS)
    lane_of: dict[tuple[Any, ...], Lane] = {}
    lists: dict[str, tuple[int, ...]] = {}  # equal lists become one object, which the graph turns into gates
    lowest = Needs(ResourceRequirements.of({}))
    holders, attempts, moments = sparse
    for id, status, priority, flag, needs_id, scheduler, labels, holder, attempt, until, *texts in storage.rows(
        Job, _COLUMNS, mine
    ):
        key = (priority, needs_id, scheduler, labels)
        lane = lane_of.get(key)
        if lane is None:
            needs = requirements.get(needs_id, lowest)
            offered = frozenset(json.loads(labels)) if labels else frozenset[str]()
            lane = lane_of[key] = needs.lane(priority, scheduler, offered)
        lanes.append(lane)
        for which, text in enumerate(texts):
            if text is not None:
                found = lists.get(text)
                if found is None:
                    found = tuple(json.loads(text))
                    if len(found) > 2:
                        lists[text] = found
                column = links[which]
                if column is None:
                    column = links[which] = []
                column.extend([NOTHING] * (len(ids) - len(column)))
                column.append(found)
        if holder is not None:
            holders[id] = holder
        if attempt != 1:
            attempts[id] = attempt
        if until is not None and status == BLOCKED:
            moments[id] = int(seconds_of(until) * 1000)
        ids.append(id)
        statuses.append(status)
        flags.append(flag)
    for column in links:
        if column is not None:
            column.extend([NOTHING] * (len(ids) - len(column)))
    return JobColumns(ids, bytes(statuses), lanes, bytes(flags), *links)
