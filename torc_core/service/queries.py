"""Questions about a workflow: counts, who waits for whom, what reads and writes what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid
from torc_core.records import answers as a
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.resources import ComputeNode, File, Job, Result, UserData, Workflow
from torc_core.records.values import Value
from torc_core.service.api import Service
from torc_core.service.clock import seconds_of, utc_text
from torc_core.service.processes import is_dead
from torc_core.service.registry import handles
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import BY_NUMBER, COMPLETED, DISABLED, READY, UNINITIALIZED
from torc_core.units import format_duration

V = TypeVar("V", bound=Value)


def counts_of(state: WorkflowState) -> dict[str, int]:
    """Return the number of jobs in each of the eleven statuses."""
    return {status.value: count for status, count in zip(BY_NUMBER, state.graph.counts(), strict=True)}


def check_page(offset: int, limit: int) -> None:
    """Refuse what cannot be a page."""
    if offset < 0 or not 0 <= limit <= MAX_LIMIT:
        raise Invalid(f"offset must not be negative and limit be between 0 and {MAX_LIMIT}", field="limit")


def names_of(turn: Turn, kind: type[Record], ids: Sequence[int]) -> list[str]:
    """Return the names of records, in the order of ``ids``."""
    if not ids:
        return []
    names: dict[int, str] = dict(turn.rows(kind, ("id", "name"), with_ids(list(ids))))
    return [names[id] for id in ids if id in names]


def _page(
    kind: type[V], rows: Sequence[dict[str, Any]], offset: int, limit: int, sort: str | None, down: bool
) -> Page[V]:
    limit = min(limit, MAX_LIMIT)  # a larger one is no error here, as on the published wire
    check_page(offset, limit)
    if sort:
        if sort not in kind.FIELDS:
            raise Invalid(f"cannot sort by {sort!r}; fields: {', '.join(kind.FIELDS)}", field="sort_by")
        rows = sorted(rows, key=lambda row: (row.get(sort) is not None, row.get(sort)), reverse=down)
    elif down:
        rows = rows[::-1]
    return Page([kind.of(row) for row in rows[offset : offset + limit]], len(rows), offset, limit)


@handles(Service.get_workflow_status)
def get_workflow_status(turn: Turn, id: int) -> a.StatusSummary:
    """Sum a workflow up."""
    workflow, state = turn.get(Workflow, id), turn.state(id)
    latest = of_workflow(id, Condition("is_latest", "equal", 1))
    minutes, walltime = _times(turn, latest, state.run_id)
    nodes = turn.rows(ComputeNode, ("process",), of_workflow(id, Condition("is_active", "equal", 1)))
    active = sum(process is None or not is_dead(process) for (process,) in nodes)
    moment = state.graph.next_moment
    allocations = turn.storage.tally(ScheduledComputeNode, "status", of_workflow(id))
    return a.StatusSummary(
        workflow_id=id, workflow_name=workflow.name, workflow_user=workflow.user, run_id=state.run_id,
        total_jobs=len(state.graph), jobs_by_status=counts_of(state), total_exec_time_minutes=minutes,
        walltime_seconds=walltime, active_compute_nodes=active,
        pending_scheduled_nodes=allocations.get("pending", 0), active_scheduled_nodes=allocations.get("active", 0),
        is_complete=state.graph.is_complete,
        is_canceled=state.graph.canceled, is_archived=state.is_archived, waiting_retries=len(state.graph.held),
        next_retry_at=None if moment is None else utc_text(moment),
    )  # fmt: skip


def _times(turn: Turn, latest: list[Condition], run_id: int) -> tuple[float, float | None]:
    """Return the minutes of all latest attempts, and the seconds from first start to last end in this run."""
    minutes = 0.0
    first = last = None
    for run, spent, end in turn.rows(Result, ("run_id", "exec_time_minutes", "completion_time"), latest):
        minutes += spent
        if run == run_id:
            ended = _moment(end)
            if ended is not None:
                started = ended - spent * 60
                first = started if first is None or started < first else first
                last = ended if last is None or ended > last else last
    return minutes, None if first is None or last is None else last - first


def _moment(text: str) -> float | None:
    try:
        return seconds_of(text)
    except ValueError:
        return None  # a client's own notation; the summary does without it


@handles(Service.is_workflow_complete)
def is_workflow_complete(turn: Turn, id: int) -> a.Completeness:
    """Say whether anything is left."""
    graph = turn.state(id).graph
    return a.Completeness(is_complete=graph.is_complete, is_canceled=graph.canceled)


@handles(Service.is_workflow_uninitialized)
def is_workflow_uninitialized(turn: Turn, id: int) -> a.Uninitialized:
    """Say whether no job has left its first status; disabled ones do not count."""
    graph = turn.state(id).graph
    counts = graph.counts()
    disabled = counts[DISABLED]
    return a.Uninitialized(is_uninitialized=counts[UNINITIALIZED] + disabled == len(graph))


@handles(Service.get_ready_job_requirements)
def get_ready_job_requirements(turn: Turn, id: int, scheduler_config_id: int | None = None) -> a.ReadyRequirements:
    """Add up the ready jobs."""
    graph = turn.state(id).graph
    jobs = cpus = gpus = memory = nodes = runtime = 0
    for node in graph.find(READY):
        lane = graph.lane_of(node)
        if scheduler_config_id is not None and lane.scheduler != scheduler_config_id:
            continue
        jobs += 1
        cpus += lane.cpus
        gpus += lane.gpus
        memory += lane.memory_bytes
        nodes, runtime = max(nodes, lane.nodes), max(runtime, lane.runtime_s)
    return a.ReadyRequirements(
        num_jobs=jobs, num_cpus=cpus, num_gpus=gpus, memory_gb=memory / 2**30, max_num_nodes=nodes,
        max_runtime=format_duration(runtime),
    )  # fmt: skip


@handles(Service.list_job_ids)
def list_job_ids(turn: Turn, id: int) -> a.JobIds:
    """List all ids."""
    ids = sorted(i for i in turn.state(id).graph.ids if i)
    return a.JobIds(job_ids=ids, count=len(ids))


# dependencies


@handles(Service.list_job_dependencies)
def list_job_dependencies(
    turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
) -> Page[a.JobDependency]:
    """List pairs of jobs, those that wait in ascending order."""
    graph = turn.state(id).graph
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), of_workflow(id)))
    rows = []
    for job in sorted(names):
        for other in graph.job_ids(graph.dependencies(graph.node(job))):
            rows.append(
                {"workflow_id": id, "job_id": job, "job_name": names[job], "depends_on_job_id": other,
                 "depends_on_job_name": names[other]}
            )  # fmt: skip
    return _page(a.JobDependency, rows, offset, limit, sort_by, reverse_sort)


class FileUse(NamedTuple):
    """Which job reads and writes which files (or user data): ids by job id."""

    inputs: dict[int, list[int]]
    outputs: dict[int, list[int]]


def file_use(turn: Turn, state: WorkflowState) -> FileUse:
    """Return what jobs do with files."""
    return _use(turn, state, "input_file_ids", "output_file_ids")


def data_use(turn: Turn, state: WorkflowState) -> FileUse:
    """Return what jobs do with user data."""
    return _use(turn, state, "input_user_data_ids", "output_user_data_ids")


def _use(turn: Turn, state: WorkflowState, read: str, written: str) -> FileUse:
    use = FileUse({}, {})
    for job, reads, writes in turn.rows(Job, ("id", read, written), of_workflow(state.id)):
        if reads is not None:
            use.inputs[job] = json.loads(reads)
        if writes is not None:
            use.outputs[job] = json.loads(writes)
    return use


def _relationships(
    use: FileUse, things: Iterable[tuple[Any, ...]], names: dict[int, str], describe: Callable[..., dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return one row for each pair of a producer and a consumer; things of one side only have a row for each job."""
    producers, consumers = _by_thing(use.outputs), _by_thing(use.inputs)
    rows = []
    for thing in things:
        if thing[0] not in producers and thing[0] not in consumers:
            continue
        for producer in producers.get(thing[0], [None]):
            for consumer in consumers.get(thing[0], [None]):
                rows.append(
                    describe(*thing)
                    | {"producer_job_id": producer, "producer_job_name": names.get(producer or 0),
                       "consumer_job_id": consumer, "consumer_job_name": names.get(consumer or 0)}
                )  # fmt: skip
    return rows


def _by_thing(use: dict[int, list[int]]) -> dict[int, list[int | None]]:
    turned: dict[int, list[int | None]] = {}
    for job, ids in use.items():
        for id in ids:
            turned.setdefault(id, []).append(job)
    return turned


@handles(Service.list_job_file_relationships)
def list_job_file_relationships(
    turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
) -> Page[a.JobFileRelationship]:
    """List who writes and reads each file."""
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), of_workflow(id)))
    things = turn.rows(File, ("id", "name", "path"), of_workflow(id))
    rows = _relationships(
        file_use(turn, turn.state(id)), things, names,
        lambda i, name, path: {"workflow_id": id, "file_id": i, "file_name": name, "file_path": path},
    )  # fmt: skip
    return _page(a.JobFileRelationship, rows, offset, limit, sort_by, reverse_sort)


@handles(Service.list_job_user_data_relationships)
def list_job_user_data_relationships(
    turn: Turn, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
) -> Page[a.JobUserDataRelationship]:
    """List who writes and reads each user data record."""
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), of_workflow(id)))
    things = turn.rows(UserData, ("id", "name"), of_workflow(id))
    rows = _relationships(
        data_use(turn, turn.state(id)), things, names,
        lambda i, name: {"workflow_id": id, "user_data_id": i, "user_data_name": name},
    )  # fmt: skip
    return _page(a.JobUserDataRelationship, rows, offset, limit, sort_by, reverse_sort)


# what must be there before a run


def required_files(state: WorkflowState, use: FileUse, with_completed: bool) -> list[int]:
    """Return ids of files that some job reads and none writes and, if wanted, what completed jobs wrote."""
    return _required(state, use, with_completed)


def missing_data(turn: Turn, state: WorkflowState, with_completed: bool = True) -> list[int]:
    """Return ids of user data that must have a value by the same rule, and have none."""
    required = set(_required(state, data_use(turn, state), with_completed))
    if not required:
        return []
    rows = turn.rows(UserData, ("id", "data"), of_workflow(state.id))
    return [id for id, data in rows if id in required and data is None]


def _required(state: WorkflowState, use: FileUse, with_completed: bool) -> list[int]:
    written = {i for ids in use.outputs.values() for i in ids}
    required = {i for ids in use.inputs.values() for i in ids} - written
    if with_completed:
        graph = state.graph
        for job, ids in use.outputs.items():
            if graph.status[graph.node(job)] == COMPLETED:
                required.update(ids)
    return sorted(required)


@handles(Service.list_missing_user_data)
def list_missing_user_data(turn: Turn, id: int) -> a.MissingUserData:
    """List data without a value."""
    return a.MissingUserData(user_data=missing_data(turn, turn.state(id)))


@handles(Service.list_required_existing_files)
def list_required_existing_files(turn: Turn, id: int) -> a.RequiredFiles:
    """List files that must be there."""
    state = turn.state(id)
    return a.RequiredFiles(files=required_files(state, file_use(turn, state), with_completed=True))
