"""Every id in a path, a query or a body: what is another workflow's is neither shown, nor changed, nor referred to."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest

from tests.unit.service.access_world import (
    ID_NAMES,
    JSONS_WITH_IDS,
    MOMENT,
    NOT_IDS,
    SECRET,
    World,
    arguments_of,
    call,
    operations,
    subject,
    value_of,
    values_of,
)
from tests.unit.service.test_access_rights import SPECIAL
from torc_core.errors import TorcError
from torc_core.operations import Operation
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import FileTimes, FinishedJob, JobReset, Tick
from torc_core.records.record import ENCODER, RECORDS, Page, WorkflowPart
from torc_core.records.resources import File, Job, Result
from torc_core.records.values import Value, bare
from torc_core.service.references import IN_JSON
from torc_core.status import JobStatus

Step = tuple[str, ...]
PARTS = {plural for plural, kind in RECORDS.items() if plural == "workflows" or issubclass(kind, WorkflowPart)}


def full_arguments(op: Operation, ids: dict[str, int]) -> dict[str, Any]:
    """Return arguments with everything that an operation takes, bodies with all their fields."""
    arguments = arguments_of(op, ids)
    for parameter in op.parameters:
        if parameter.name == "body" and op.record is not None:
            values = values_of(op.record, ids, "new", everything=True)
            values = {name: value for name, value in values.items() if name not in ("access_groups", "status")}
            if "status" in op.record.FIELDS and op.record is not Job:
                values["status"] = value_of("status", op.record.FIELDS["status"].type, ids, "new")
            arguments["body"] = values if op.verb == "update" else op.record(**values)
        elif parameter.name in ID_NAMES or (parameter.place == "body" and parameter.name != "id"):
            arguments[parameter.name] = value_of(parameter.name, parameter.type, ids, "new", everything=True)
    if op.name == "reset_jobs":  # which takes only one of its choices
        arguments["choice"] = JobReset(job_ids=[ids["jobs"]])
    if op.name == "manage_status_change":
        arguments["status"] = JobStatus.DISABLED
    return arguments


def world_for(op: Operation, **rules: Any) -> World:
    """Return a world in which the job is as the operation wants it."""
    needed = {
        "start_job": JobStatus.PENDING, "retry_job": JobStatus.FAILED, "recover_jobs": JobStatus.FAILED,
        "spawn_jobs": JobStatus.RUNNING,
    }  # fmt: skip
    return World(needed.get(op.name, JobStatus.UNINITIALIZED), **rules)


def kind_of(op: Operation, path: Step) -> str:
    """Return the plural name of what an id is of, nothing when it is none of ours."""
    if op.record is ScheduledComputeNode and path[-1] == "scheduler_id":
        return ""  # the batch system's number
    if len(path) > 1 and path[-2] in JSONS_WITH_IDS:
        return JSONS_WITH_IDS[path[-2]]
    return subject(op) if path == ("id",) else ID_NAMES[path[-1]]


def ids_in(value: Any, path: Step = ()) -> Iterator[Step]:
    """Yield the paths of all ids in arguments."""
    members = vars(value) if isinstance(value, Value) else value
    if isinstance(members, dict):
        for name, found in members.items():
            if name in ID_NAMES and found is not None:
                yield (*path, name)
            elif name == "id" and not path:
                yield ("id",)
            else:
                yield from ids_in(found, (*path, name))
    elif isinstance(members, list):
        for place, item in enumerate(members):
            yield from ids_in(item, (*path, str(place)))


def replaced(value: Any, path: Step, new: Any) -> Any:
    """Return a copy of arguments with another id at a path."""
    made = copy.deepcopy(value)
    at = made
    for step in path[:-1]:
        members = vars(at) if isinstance(at, Value) else at
        at = members[int(step)] if isinstance(members, list) else members[step]
    members = vars(at) if isinstance(at, Value) else at
    members[path[-1]] = [new] if isinstance(members[path[-1]], list) else new
    return made


def cases() -> Iterator[Any]:
    world = World()
    for op in operations():
        arguments = full_arguments(op, world.mine)
        for path in dict.fromkeys(ids_in(arguments)):
            plural = kind_of(op, path)
            if plural in PARTS:
                yield pytest.param(op, path, plural, id=f"{op.name}-{'.'.join(path)}")


def answer_text(answer: Any) -> str:
    return str(ENCODER.encode(answer.wire() if isinstance(answer, Page) else answer))


def foreign_references(world: World) -> list[str]:
    """Return where records of the first workflow refer to records of the second."""
    found = []
    for plural, rows in world.snapshot(world.mine["workflows"]).items():
        kind = RECORDS[plural]
        for row in rows:
            for f, value in zip(kind.FIELDS.values(), row, strict=True):
                targets = (f.links or f.refers or f.mentions or ID_NAMES.get(f.name, "")).split()
                held = set(json.loads(value)) if isinstance(value, str) and f.name.endswith("_ids") else {value}
                if (kind, f.name) == (ScheduledComputeNode, "scheduler_id"):
                    continue
                foreign = [world.theirs[target] for target in targets if target in PARTS]
                found += [f"{plural}.{f.name}" for id in foreign if id in held]
            found += list(foreign_in_json(world, kind, dict(zip(kind.FIELDS, row, strict=True))))
    return found


def foreign_in_json(world: World, kind: Any, row: dict[str, Any]) -> Iterator[str]:
    for name, member, targets in IN_JSON.get(kind, ()):
        config = json.loads(row[name]) if row[name] else {}
        if config.get(member) in {world.theirs[target] for target in targets.split()}:
            yield f"{kind.PLURAL}.{name}.{member}"


@pytest.mark.parametrize(("op", "path", "plural"), list(cases()))
@pytest.mark.parametrize("is_enforced", [True, False])
def test_ids_of_another_workflow_lead_nowhere(op: Operation, path: Step, plural: str, is_enforced: bool) -> None:
    world = world_for(op, is_enforced=is_enforced)
    before = world.snapshot(world.theirs["workflows"])
    arguments = replaced(full_arguments(op, world.mine), path, world.theirs[plural])
    is_listed = (path[0], path[-1]) == ("new", "workflow_id")
    is_own = path in (("id",), ("workflow_id",), ("body", "workflow_id"))
    is_subject = (is_own or is_listed) and not is_enforced
    try:
        answer = call(world.as_user("amy"), op, arguments)
    except TorcError as exc:
        assert exc.code in (403, 404, 409, 422)
        assert SECRET not in str(exc)
    else:
        assert is_subject or op.is_stream or SECRET not in answer_text(answer)
    if not is_subject:  # which is what the caller wants to work on
        assert world.snapshot(world.theirs["workflows"]) == before
    assert foreign_references(world) == []


def test_times_of_another_workflow_s_files_are_not_taken() -> None:
    world = World(JobStatus.PENDING)
    amy, mine, theirs = world.as_user("amy"), world.mine, world.theirs
    times = {mine["files"]: 5.0, theirs["files"]: 6.0}
    end = FinishedJob(
        job_id=mine["jobs"], attempt_id=1, status=JobStatus.COMPLETED, return_code=0, exec_time_minutes=0.1,
        completion_time=MOMENT, file_mtimes={str(id): time for id, time in times.items()},
    )  # fmt: skip
    amy.update(Result, mine["results"], {"attempt_id": 7})
    node = mine["compute_nodes"]
    amy.start_job(mine["jobs"], 0, node)
    amy.tick(mine["workflows"], Tick(compute_node_id=node, run_id=0, finished=[end]))
    amy.begin_run(mine["workflows"], FileTimes(st_mtimes={theirs["files"]: 6.0}), force=True)
    assert amy.get(Job, mine["jobs"]).status is not JobStatus.RUNNING
    assert world.open.get(File, mine["files"]).st_mtime in (5.0, None)
    assert world.open.get(File, theirs["files"]).st_mtime is None


def names_in(kind: Any, seen: set[Any]) -> Iterator[str]:
    kind = bare(kind)
    if get_origin(kind) in (list, Page):
        yield from names_in(get_args(kind)[0], seen)
    elif isinstance(kind, type) and issubclass(kind, Value) and kind not in seen:
        seen.add(kind)
        for f in kind.FIELDS.values():
            yield f.name
            yield from names_in(f.type, seen)


def test_every_name_of_an_id_is_known_to_these_tests() -> None:
    names = set()
    for op in operations():
        for parameter in op.parameters:
            names |= {parameter.name, *names_in(parameter.type, set())}
        if op.record is not None:
            names |= {*op.record.FIELDS, *op.record.FILTERS}
    looks_like = {name for name in names if name.endswith(("_id", "_ids")) and name != "id"}
    assert looks_like - ID_NAMES.keys() - NOT_IDS == set()


def test_a_person_s_own_ids_pass_where_those_of_others_do_not() -> None:
    """The arguments are good but for the id that is replaced: else the test above would prove nothing."""
    refused = {}
    for op in operations():
        world = world_for(op)
        try:
            call(world.as_user("amy"), op, full_arguments(op, world.mine))
        except TorcError as exc:
            refused[op.name] = str(exc)
    for_others = {name for name, people in SPECIAL.items() if "amy" not in people}
    in_use = {"delete_resource_requirement", "delete_resource_requirements"}
    is_open_already = {"add_workflow_to_group"}
    assert refused.keys() - for_others == in_use | is_open_already, refused
