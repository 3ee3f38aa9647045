"""Many records of one kind stored at once: looked at together, since a question for each would take too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from torc_core.errors import Invalid
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, WorkflowPart, stored
from torc_core.records.resources import File, Job, UserData, Workflow
from torc_core.service import names, rules
from torc_core.service.api import Service
from torc_core.service.references import check_all_references
from torc_core.service.registry import handles
from torc_core.service.turn import Turn

P = TypeVar("P", bound=WorkflowPart)


@handles(Service.create_jobs)
def create_jobs(turn: Turn, new: a.JobList) -> a.CreatedJobs:
    """Store jobs."""
    return a.CreatedJobs(jobs=create_many(turn, Job, new.jobs, "jobs"))


@handles(Service.create_files)
def create_files(turn: Turn, new: a.FileList) -> a.CreatedFiles:
    """Store files."""
    return a.CreatedFiles(files=create_many(turn, File, new.files, "files"))


@handles(Service.create_user_data_list)
def create_user_data_list(turn: Turn, new: a.UserDataList) -> a.CreatedUserData:
    """Store user data."""
    return a.CreatedUserData(user_data=create_many(turn, UserData, new.user_data, "user_data"))


def create_many(turn: Turn, kind: type[P], given: Sequence[P], field: str) -> list[P]:
    """Store records of one workflow in the order given; raises Invalid, Conflict, NotFound, and then none is kept."""
    if len(given) > MAX_LIMIT:
        raise Invalid(f"at most {MAX_LIMIT} {field.replace('_', ' ')} at once", field=field)
    workflow_ids = {record.workflow_id for record in given}
    if len(workflow_ids) > 1:
        raise Invalid(f"all {field.replace('_', ' ')} must belong to one workflow", field=field)
    if not given:
        return []
    [workflow_id] = workflow_ids
    turn.get(Workflow, workflow_id)
    _check_names(turn, kind, workflow_id, given, field)
    decided = {f.name: f.default for f in kind.FIELDS.values() if f.read_only}
    records = [record.changed(**decided) for record in given]
    check_all_references(turn, kind, workflow_id, records)
    _prepare(turn, kind, workflow_id, records)
    _insert(turn, kind, records)
    turn.touch(workflow_id)
    return records


def _check_names(turn: Turn, kind: type[P], workflow_id: int, given: Sequence[P], field: str) -> None:
    """Refuse names that are there twice, where the caller's clients do not use that."""
    caller, listed = turn.caller, [str(vars(record).get("name")) for record in given]
    if caller.is_strict_about_bulk and len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise Invalid(f"{field}: {twice!r} is there twice", field=field, value=twice)
    if caller.is_ours and kind in names.REPEATABLE:
        names.refuse_twice(kind, listed)
        names.refuse_taken(turn, kind, workflow_id, listed)


def _prepare(turn: Turn, kind: type[P], workflow_id: int, records: Sequence[Any]) -> None:
    """Apply the rule of the kind to each record."""
    if kind is Job and any(job.resource_requirements_id is None for job in records):
        needs = rules.default_needs(turn, workflow_id)
        for job in records:
            if job.resource_requirements_id is None:
                job.resource_requirements_id = needs
    rule = rules.BEFORE_CREATE.get(kind)
    if rule is not None:
        for record in records:
            rule(turn, record)


def _insert(turn: Turn, kind: type[P], records: Sequence[P]) -> None:
    fields = list(kind.FIELDS.values())
    for id, record in enumerate(records, turn.storage.next_ids(kind, len(records))):
        record.id = id
    rows = (tuple(stored(f, getattr(record, f.name)) for f in fields) for record in records)
    turn.is_dirty = True
    turn.storage.insert(kind, [f.name for f in fields], rows)
