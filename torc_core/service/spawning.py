"""Jobs that a running job adds to its workflow: checked as a whole, stored at once, put into the graph as it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.engine.graph import CANCEL_ON_FAILURE
from torc_core.engine.lanes import Lane
from torc_core.errors import Invalid
from torc_core.records.answers.spawning import SpawnedJobs, SpawnJob, SpawnRequest
from torc_core.records.record import Record, stored
from torc_core.records.resources import FailureHandler, File, Job, UserData, Workflow
from torc_core.service import lineages
from torc_core.service.api import Service
from torc_core.service.registry import handles
from torc_core.service.rules import DEFAULT_NEEDS, check_env, clean_labels
from torc_core.service.spawned_edges import Newcomer, check_cycles, edges_of
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow
from torc_core.status import BLOCKED, RUNNING
from torc_core.units import counted

MOST_CALLS = 1000
"""In one lineage, unless the workflow says otherwise."""
_SHOWN = 5
_COLUMNS = (
    "id", "workflow_id", "name", "command", "status", "priority", "cancel_on_blocking_job_failure",
    "supports_termination", "attempt_id", "origin", "resource_requirements_id", "failure_handler_id",
    "depends_on_job_ids", "input_file_ids", "output_file_ids", "input_user_data_ids", "output_user_data_ids",
    "invocation_script", "env", "labels", "stdio",
)  # fmt: skip


@handles(Service.spawn_jobs)
def spawn_jobs(turn: Turn, id: int, new: SpawnRequest) -> SpawnedJobs:
    """Add jobs that wait for a running one; raises Invalid, and then nothing is kept."""
    caller = turn.get(Job, id)
    state = turn.state(caller.workflow_id)
    if state.graph.status[state.node(id)] != RUNNING:
        raise Invalid(f"job {id} is {caller.status}; only a running job adds jobs", field="id")
    lineage = new.lineage or caller.name
    count = lineages.count(turn, state.id, lineage)
    if not new.jobs:
        if new.state is not None:
            lineages.conclude(turn, state.id, lineage, count, new.state)
        return SpawnedJobs(spawned_job_ids=[], iteration=count)
    known = _ids_by_name(turn, Job, state.id, _once([job.name for job in new.jobs]))
    if known:
        return _again(new.jobs, known, count)
    _check_cap(turn, state.id, lineage, count)
    turn.touch(state.id)
    ids = _store(turn, state, id, new, lineage)
    lineages.keep(turn, state.id, lineage, count + 1, new.state)
    turn.tell(state.id, "jobs_spawned", job_id=id, job_name=caller.name, lineage=lineage, iteration=count + 1,
              count=len(ids))  # fmt: skip
    return SpawnedJobs(spawned_job_ids=ids, iteration=count + 1)


def _once(names: list[str]) -> list[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Invalid(f"jobs: {name!r} is there twice", field="jobs")
        seen.add(name)
    return names


def _again(jobs: Sequence[SpawnJob], known: dict[str, int], count: int) -> SpawnedJobs:
    """Answer a request that was carried out before."""
    missing = [job.name for job in jobs if job.name not in known]
    if missing:
        raise Invalid(
            f"jobs: {_some(known)} {'is' if len(known) == 1 else 'are'} in the workflow already, but not"
            f" {_some(missing)}",
            hint="Give the new ones other names, or repeat the request that added the others as it was.",
            field="jobs",
        )
    return SpawnedJobs(spawned_job_ids=[known[job.name] for job in jobs], iteration=count)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    text = ", ".join(map(repr, listed[:_SHOWN]))
    return text if len(listed) <= _SHOWN else f"{text} and {len(listed) - _SHOWN} more"


def _check_cap(turn: Turn, workflow_id: int, lineage: str, count: int) -> None:
    settings = turn.get(Workflow, workflow_id).dynamic_jobs
    most = settings.get("max_iterations") if isinstance(settings, dict) else None
    most = most if type(most) is int else MOST_CALLS
    if count + 1 > most:
        raise Invalid(
            f"lineage {lineage!r} has added jobs {counted(count, 'time')}, and no more than {most} are allowed",
            hint="Raise dynamic_jobs.max_iterations of the workflow if this is meant.", field="lineage",
        )  # fmt: skip


def _ids_by_name(turn: Turn, kind: type[Record], workflow_id: int, names: Iterable[str]) -> dict[str, int]:
    wanted = sorted(set(names))
    if not wanted:
        return {}
    where = of_workflow(workflow_id, Condition("name", "one_of", wanted))
    return dict(turn.rows(kind, ("name", "id"), where, order="name"))  # by id, SQLite would look at all jobs


class _Names:
    """Ids by name of what new jobs refer to; what is not there is collected and refused together."""

    def __init__(self, turn: Turn, state: WorkflowState, new: SpawnRequest, ids: dict[str, int]) -> None:
        def all_of(name: str) -> set[str]:
            return {item for job in new.jobs for item in getattr(job, name) or ()}

        read, written = all_of("input_files"), all_of("output_files")
        files = _ids_by_name(turn, File, state.id, read | written | {f.name for f in new.files or ()})
        data_names = all_of("input_user_data") | all_of("output_user_data") | {d.name for d in new.user_data or ()}
        data = _ids_by_name(turn, UserData, state.id, data_names)
        self.old_things = {"files": set(files.values()), "data": set(data.values())}
        self.jobs = ids | _ids_by_name(turn, Job, state.id, all_of("depends_on") - ids.keys())
        self.files = files | _add_files(turn, state.id, new, files)
        self.data = data | _add_data(turn, state.id, new, data)
        self.needs = {needs.name: id for id, needs in state.requirements.items()}
        handlers = {job.failure_handler for job in new.jobs if job.failure_handler is not None}
        self.handlers = _ids_by_name(turn, FailureHandler, state.id, handlers)
        self.troubles: list[str] = []

    def of(self, job: SpawnJob, field: str, known: dict[str, int], names: Sequence[str] | None) -> list[int]:
        """Return the ids of names in a field of a job, ascending."""
        for name in names or ():
            if name not in known:
                self.troubles.append(f"job {job.name!r}: {field} names {name!r}, which is not there")
        return sorted({known[name] for name in names or () if name in known})

    def one(self, job: SpawnJob, field: str, known: dict[str, int], name: str | None) -> int | None:
        """Return the id of a name."""
        ids = self.of(job, field, known, None if name is None else [name])
        return ids[0] if ids else None

    def refuse(self) -> None:
        """Raise Invalid when a name was not there."""
        if self.troubles:
            more = len(self.troubles) - _SHOWN
            text = "; ".join(self.troubles[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            raise Invalid(text, field="jobs")


def _add_files(turn: Turn, workflow_id: int, new: SpawnRequest, known: dict[str, int]) -> dict[str, int]:
    """Store the files that are not there; one that is must have the same path."""
    paths: dict[int, str] = dict(turn.rows(File, ("id", "path"), of_workflow(workflow_id))) if new.files else {}
    made: dict[str, int] = {}
    for file in new.files or ():
        if file.name in made:
            raise Invalid(f"files: {file.name!r} is there twice", field="files")
        if file.name not in known:
            made[file.name] = turn.insert(File(workflow_id=workflow_id, name=file.name, path=file.path)).id
        elif paths[known[file.name]] != file.path:
            raise Invalid(f"files: {file.name!r} is there already, with the path {paths[known[file.name]]!r}")
    return made


def _add_data(turn: Turn, workflow_id: int, new: SpawnRequest, known: dict[str, int]) -> dict[str, int]:
    """Store the user data that are not there; those that are keep what they hold."""
    made: dict[str, int] = {}
    for item in new.user_data or ():
        if item.name in made:
            raise Invalid(f"user_data: {item.name!r} is there twice", field="user_data")
        if item.name not in known:
            fields = {"name": item.name, "data": item.data, "is_ephemeral": item.is_ephemeral}
            made[item.name] = turn.insert(UserData(workflow_id=workflow_id, **fields)).id
    return made


def _store(turn: Turn, state: WorkflowState, caller_id: int, new: SpawnRequest, lineage: str) -> list[int]:
    """Store the jobs and put them into the graph; returns their ids."""
    first = turn.storage.next_ids(Job, len(new.jobs))
    ids = list(range(first, first + len(new.jobs)))
    names = _Names(turn, state, new, {job.name: id for job, id in zip(new.jobs, ids, strict=True)})
    newcomers, rows, lanes = [], [], []
    lane_of = _Lanes(state)
    for job, id in zip(new.jobs, ids, strict=True):
        newcomer = Newcomer(
            id, job.name, sorted({caller_id, *names.of(job, "depends_on", names.jobs, job.depends_on)}),
            names.of(job, "input_files", names.files, job.input_files),
            names.of(job, "output_files", names.files, job.output_files),
            names.of(job, "input_user_data", names.data, job.input_user_data),
            names.of(job, "output_user_data", names.data, job.output_user_data),
        )  # fmt: skip
        needs_id = names.one(job, "resource_requirements", names.needs, job.resource_requirements or DEFAULT_NEEDS)
        handler_id = names.one(job, "failure_handler", names.handlers, job.failure_handler)
        labels = clean_labels(job.labels)
        newcomers.append(newcomer)
        lanes.append(lane_of(job.priority or 0, needs_id, labels))
        rows.append(_row(state.id, job, newcomer, needs_id, handler_id, labels, lineage))
    names.refuse()
    edges = edges_of(turn, state, newcomers, names.old_things["files"], names.old_things["data"])
    check_cycles(state.graph, newcomers, edges)
    turn.storage.insert(Job, _COLUMNS, rows)
    flags = bytes(job.cancel_on_blocking_job_failure and CANCEL_ON_FAILURE for job in new.jobs)
    transitions.add(state.graph, ids, flags, lanes, edges)
    return ids


class _Lanes:
    """Lanes of new jobs; equal ones are one object."""

    def __init__(self, state: WorkflowState) -> None:
        self._requirements = state.requirements
        self._known: dict[tuple[Any, ...], Lane] = {}

    def __call__(self, priority: int, needs_id: int | None, labels: list[str] | None) -> Lane:
        wanted = frozenset(labels or ())
        key = (priority, needs_id, wanted)
        lane = self._known.get(key)
        if lane is None:
            needs = self._requirements.get(needs_id or 0)
            lane = Lane(priority, labels=wanted) if needs is None else needs.lane(priority, None, wanted)
            self._known[key] = lane
        return lane


def _row(
    workflow_id: int,
    job: SpawnJob,
    newcomer: Newcomer,
    needs_id: int | None,
    handler_id: int | None,
    labels: list[str] | None,
    lineage: str,
) -> tuple[Any, ...]:
    check_env(job.env)
    fields = Job.FIELDS
    links = [stored(fields["depends_on_job_ids"], ids or None) for ids in newcomer[2:]]
    return (
        newcomer.id, workflow_id, job.name, job.command, BLOCKED, job.priority or 0,
        int(job.cancel_on_blocking_job_failure), int(job.supports_termination), 1, lineages.ORIGIN, needs_id,
        handler_id, *links, job.invocation_script,
        stored(fields["env"], {**(job.env or {}), lineages.VARIABLE: lineage}),
        stored(fields["labels"], labels), stored(fields["stdio"], job.stdio),
    )  # fmt: skip
