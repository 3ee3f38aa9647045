"""Where the files of a workflow come from, as an RO-Crate 1.1 (https://w3id.org/ro/crate/1.1). No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from torc_core.records.provenance import RoCrateEntity
from torc_core.records.resources import File, Job, Result, Workflow
from torc_core.status import JobStatus

_VERSION = "https://w3id.org/ro/crate/1.1"
_SOFTWARE = "#software-torc"
_OVER = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.TERMINATED)
Entity = dict[str, Any]


class Made(NamedTuple):
    """A workflow with what its jobs read, wrote and did. ``results`` are the latest ones, ``sums`` facts by file id."""

    workflow: Workflow
    jobs: Sequence[Job]
    files: Sequence[File]
    results: Sequence[Result]
    stored: Sequence[RoCrateEntity] = ()
    sums: Mapping[int, Entity] = {}


def crate(made: Made, release: str, now: datetime) -> Entity:
    """Return the document: files, each attempt that ended as an action between them, and entities that were stored.

    A stored entity adds to the one with its @id, and wins.
    """
    workflow = made.workflow
    person = f"#user-{quote(workflow.user)}"
    entities: dict[str, Entity] = {
        "ro-crate-metadata.json": {
            "@type": "CreativeWork", "conformsTo": {"@id": _VERSION}, "about": {"@id": "./"},
        },
        "./": {"@type": "Dataset", "name": workflow.name, "datePublished": now.isoformat(timespec="seconds")}
        | ({"description": workflow.description} if workflow.description else {})
        | {"creator": {"@id": person}},
        person: {"@type": "Person", "name": workflow.user},
        _SOFTWARE: {"@type": "SoftwareApplication", "name": "torc", "softwareVersion": release},
    }  # fmt: skip
    ids = {file.id: _id_of(file) for file in made.files}
    entities |= {ids[file.id]: _file(file) | made.sums.get(file.id, {}) for file in made.files}
    actions = _actions(made, ids, person)
    entities |= actions
    for item in made.stored:
        properties = item.metadata if isinstance(item.metadata, dict) else {}
        entities[item.entity_id] = entities.get(item.entity_id, {}) | properties | {"@type": item.entity_type}
    parts = [id for id, entity in entities.items() if id != "./" and _is_part(entity)]
    entities["./"] |= {"hasPart": _refer(parts)} | ({"mentions": _refer(a for a in actions if "-attempt-" in a)})
    graph = [{"@id": id, **{k: v for k, v in entity.items() if k != "@id"}} for id, entity in entities.items()]
    return {"@context": f"{_VERSION}/context", "@graph": graph}


def _is_part(entity: Entity) -> bool:
    kinds = entity["@type"]
    return bool({"File", "Dataset"} & set(kinds if isinstance(kinds, list) else [kinds]))


def _refer(ids: Iterable[str]) -> list[Entity]:
    return [{"@id": id} for id in ids]


def _id_of(file: File) -> str:
    """Return the @id of a file: its identifier, or its path as a URI, relative to the crate where the path is."""
    if file.identifier:
        return file.identifier
    path = PurePosixPath(file.path)
    return path.as_uri() if path.is_absolute() else quote(str(path))


def _file(file: File) -> Entity:
    entity: Entity = {"@type": "File", "name": file.name}
    if file.identifier:
        entity["sameAs"] = file.path
    if file.st_mtime is not None:
        entity["dateModified"] = datetime.fromtimestamp(file.st_mtime, UTC).isoformat(timespec="seconds")
    return entity


def _actions(made: Made, ids: Mapping[int, str], person: str) -> dict[str, Entity]:
    """Return each job as the software that it is, and its latest attempt as what was done with it."""
    found: dict[str, Entity] = {}
    by_job = {result.job_id: result for result in made.results if result.status in _OVER}
    for job in made.jobs:
        result = by_job.get(job.id)
        if result is None:
            continue
        step = f"#job-{job.id}"
        found[step] = {"@type": "SoftwareApplication", "name": job.name, "description": job.command}
        is_good = result.status is JobStatus.COMPLETED
        action: Entity = {
            "@type": "CreateAction", "name": f"{job.name}, run {result.run_id}, attempt {result.attempt_id}",
            "instrument": _refer([step, _SOFTWARE]), "agent": {"@id": person},
            "object": _refer(ids[id] for id in job.input_file_ids or () if id in ids),
            "result": _refer(ids[id] for id in job.output_file_ids or () if id in ids) if is_good else [],
            **_times(result),
            "actionStatus": {"@id": f"http://schema.org/{'Completed' if is_good else 'Failed'}ActionStatus"},
        }  # fmt: skip
        if not is_good:
            action["error"] = result.reason or f"return code {result.return_code}"
        found[f"{step}-attempt-{result.run_id}-{result.attempt_id}"] = action
    return found


def _times(result: Result) -> Entity:
    try:
        end = datetime.fromisoformat(result.completion_time)
    except ValueError:
        return {}  # a client's own notation
    start = end - timedelta(minutes=result.exec_time_minutes)
    return {"startTime": start.isoformat(timespec="milliseconds"), "endTime": end.isoformat(timespec="milliseconds")}
