"""From an exported document to the request that stores its workflow again.

Ids mean something within the document only: here they become positions, and the service gives new ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torc_core.errors import Invalid
from torc_core.records.actions import ActionRun, ActionRunStatus
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import NewWorkflow
from torc_core.records.provenance import RoCrateEntity
from torc_core.records.record import WorkflowPart
from torc_core.records.resources import ComputeNode, Event, File, Job, Result, Workflow
from torc_core.records.values import Field
from torc_core.service.exporting import HISTORY, INPUTS_CHANGED, VERSION, sections
from torc_core.service.references import IN_JSON
from torc_core.service.whole import POSITION_MARK, POSITIONS, meant, parts, references, renamed_jobs
from torc_core.status import JobStatus
from torc_core.units import counted

_ENDED = "complete"
_HELD = (JobStatus.PENDING, JobStatus.RUNNING)
_DECIDED = ("id", "workflow_id")
_IMPORTED = "imported"
_COUNTED = ("files", "user_data", "results", "compute_nodes", "events")
_WORDS = {"user_data": "user data record", "compute_nodes": "runner"}


class Choices(NamedTuple):
    """What is taken from a document."""

    name: str | None = None
    with_results: bool = True
    with_events: bool = True
    as_is: bool = False


class Import(NamedTuple):
    """A document as a request, and what could not be kept as it was."""

    request: NewWorkflow
    warnings: list[str]


def read_document(text: str, name: str) -> dict[str, Any]:
    """Return an export that this release reads; raises Invalid."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Invalid(f"{name} is not JSON: {exc}", hint="Make one with: torc workflows export ID -o FILE") from exc
    if not isinstance(found, dict) or "export_version" not in found:
        raise Invalid(
            f"{name} is not an export of a workflow: it has no export_version",
            hint="A spec is stored with: torc create FILE",
        )
    version = str(found["export_version"])
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise Invalid(
            f"{name} has export version {version}; this release reads {VERSION.partition('.')[0]}.x",
            hint="Import it with the release that it was made with, or a later one.",
        )
    for plural, items in (("workflow", [found.get("workflow")]), *((p, found.get(p) or []) for p in parts())):
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            what = "an object" if plural == "workflow" else "a list of objects"
            raise Invalid(f"{name}: {plural} must be {what}", field=plural)
    return found


def import_of(document: Mapping[str, Any], choices: Choices) -> Import:
    """Return what stores a document's workflow; raises Invalid for ids that nothing has."""
    wanted = sections(with_results=choices.with_results, with_events=choices.with_events)
    items = {plural: list(document.get(plural) or []) for plural in parts() if plural in wanted}
    warnings: list[str] = []
    if choices.with_results:
        _add_node(items)
    ids = _Ids(items)
    made: dict[str, Any] = {Job.PLURAL: _columns(items.get(Job.PLURAL, []), ids, choices, warnings)}
    for plural, kind in parts().items():
        if kind is not Job:
            made[plural] = [_item(kind, item, ids, choices) for item in items.get(plural, [])]
    _end_allocations(made.get(ScheduledComputeNode.PLURAL, []), warnings)
    workflow = _plain(Workflow.FIELDS, document["workflow"])
    if not choices.as_is:
        workflow.pop("user", None)
    if choices.name is not None:
        workflow["name"] = choices.name
    return Import(NewWorkflow(workflow=workflow, as_is=choices.as_is, **made), warnings)


class _Ids:
    """Positions of records by the ids they had, kind by kind."""

    def __init__(self, items: Mapping[str, list[dict[str, Any]]]) -> None:
        self._places: dict[str, dict[int, int]] = {}
        for plural, found in items.items():
            places = {item.get("id"): at for at, item in enumerate(found)}
            if len(places) < len(found) and plural not in (Event.PLURAL, *HISTORY):
                raise Invalid(f"{plural}: two records have the same id, or none has one", field=plural)
            self._places[plural] = places  # type: ignore[assignment]

    def place(self, plural: str, id: Any, where: str) -> int:
        """Return the position of a record; raises Invalid."""
        place = self.find(plural, id)
        if place is None:
            raise Invalid(f"{where}: the document has no {plural.replace('_', ' ')} {id!r}", field=where)
        return place

    def find(self, plural: str, id: Any) -> int | None:
        """Return the position of a record, None when there is none."""
        places = self._places.get(plural, {})
        return places.get(id) if isinstance(id, int) else None

    def find_any(self, plurals: str, id: Any, scheduler_type: Any) -> tuple[str, int] | None:
        """Return kind and position of a record that may be of several kinds, None when there is none."""
        found = ((plural, self.find(plural, id)) for plural in meant(plurals, scheduler_type))
        return next(((plural, place) for plural, place in found if place is not None), None)


def _add_node(items: dict[str, list[dict[str, Any]]]) -> None:
    """Give results of documents without runners one that stands for them all."""
    results = items.get(Result.PLURAL, [])
    if items.get(ComputeNode.PLURAL) or not any(result.get("compute_node_id") for result in results):
        return
    first = min(str(result.get("completion_time", "")) for result in results)
    node = {"hostname": _IMPORTED, "pid": 0, "start_time": first, "num_cpus": 0, "memory_gb": 0.0, "num_gpus": 0}
    items[ComputeNode.PLURAL] = [{"id": 1, **node}]
    stood_for = [{"compute_node_id": 1} if result.get("compute_node_id") else {} for result in results]
    items[Result.PLURAL] = [{**result, **node} for result, node in zip(results, stood_for, strict=True)]


def _plain(fields: Mapping[str, Field], item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a record has; free data that other releases write as text is read."""
    made = {}
    for name, f in fields.items():
        value = item.get(name)
        if value is None or f.internal or name in _DECIDED:
            continue
        made[name] = _read_text(value) if f.type is Any and name != "data" and isinstance(value, str) else value
    return made


def _read_text(text: str) -> Any:
    """Return the object or list that a text is; anything else is text."""
    try:
        found = json.loads(text) if text.lstrip().startswith(("{", "[")) else text
    except ValueError:
        return text
    return found


def _item(kind: type[WorkflowPart], item: Mapping[str, Any], ids: _Ids, choices: Choices) -> dict[str, Any]:
    """Return a record with positions in place of ids."""
    made = _plain(kind.FIELDS, item)
    if kind is Result and "is_latest" in item:
        made["is_latest"] = item["is_latest"]
    for name, plural in references(kind).items():
        if name in made:
            placed = _placed(kind, name, plural, made.pop(name), ids, _scheduler_type(item))
            if placed is not None:
                made[name] = placed
    if kind is File and not choices.as_is:
        made.pop("st_mtime", None)  # of another machine, or of another time
    if kind is ComputeNode and not choices.as_is:
        made.pop("scheduler", None)
        made.pop("scheduler_config_id", None)
    for name, member, plurals in IN_JSON.get(kind, ()):
        made[name] = _with_position(made.get(name), member, plurals, ids)
    if kind is ActionRun and made.get("status") == ActionRunStatus.RUNNING:
        made["status"] = ActionRunStatus.LOST.value  # its runner does not reach this service
    if kind is RoCrateEntity:
        for name in ("entity_id", "metadata"):
            made[name] = renamed_jobs(made.get(name), lambda word: _job_mark(word, ids))
    return made


def _job_mark(word: str, ids: _Ids) -> str | None:
    """Return what stands for the job with an id; None when it is gone."""
    place = ids.find(Job.PLURAL, int(word)) if word.isdecimal() else None
    return None if place is None else f"{POSITION_MARK}{place}"


def _scheduler_type(item: Mapping[str, Any]) -> Any:
    """Return the type of scheduler that a record is about, by itself or by the allocation that it belongs to."""
    allocation = item.get("scheduler")
    return allocation.get("type") if isinstance(allocation, dict) else item.get("scheduler_type")


def _placed(
    kind: type[WorkflowPart], name: str, plurals: str, value: Any, ids: _Ids, scheduler_type: Any = None
) -> Any:
    """Return positions for ids; None for an id that may be of what is gone, and is."""
    where = f"{kind.PLURAL}.{name}"
    if isinstance(value, list):
        return [ids.place(plurals, id, where) for id in value]
    if not kind.FIELDS[name].mentions:
        return ids.place(plurals, value, where)
    found = ids.find_any(plurals, value, scheduler_type)
    if found is None:
        return None
    plural, place = found
    return place if plurals.split(maxsplit=1)[0] == plural else {POSITIONS[plural]: place}


def _with_position(config: Any, member: str, plurals: str, ids: _Ids) -> Any:
    """Return a mapping with the position of the record whose id it has; 0 for what is gone."""
    if not isinstance(config, dict) or not isinstance(config.get(member), int):
        return config
    rest = {name: value for name, value in config.items() if name != member}
    found = ids.find_any(plurals, config[member], config.get("scheduler_type"))
    return rest | ({member: 0} if found is None else {POSITIONS[found[0]]: found[1]})


def _columns(jobs: list[dict[str, Any]], ids: _Ids, choices: Choices, warnings: list[str]) -> dict[str, list[Any]]:
    """Return the columns of jobs that say something."""
    if not jobs:
        return {}
    fields = {
        name: f
        for name, f in Job.FIELDS.items()
        if name not in _DECIDED and not f.internal and (choices.as_is or not (f.read_only or name == "status"))
    }
    plain = [_plain(fields, job) for job in jobs]
    if choices.as_is:
        _free_held(plain, warnings)
    in_json = {name: (member, plurals) for name, member, plurals in IN_JSON[Job]}
    columns: dict[str, list[Any]] = {}
    for name, f in fields.items():
        values = [job.get(name) for job in plain]
        if all(value is None for value in values):
            continue
        plural = references(Job).get(name)
        if plural is not None:
            values = [None if value is None else _placed(Job, name, plural, value, ids) for value in values]
        elif name in in_json:
            values = [_with_position(value, *in_json[name], ids) for value in values]
        elif f.optional and f.default is not None:
            values = [f.default if value is None else value for value in values]
        columns[name] = values
    if choices.as_is and any(job.get(INPUTS_CHANGED) for job in jobs):
        columns[INPUTS_CHANGED] = [bool(job.get(INPUTS_CHANGED)) for job in jobs]
    return columns


def _free_held(jobs: Iterable[dict[str, Any]], warnings: list[str]) -> None:
    """Make jobs ready that runners hold elsewhere."""
    held = [job for job in jobs if job.get("status") in _HELD]
    for job in held:
        job["status"] = JobStatus.READY.value
        job.pop("compute_node_id", None)
        job.pop("start_time", None)
    if held:
        warnings.append(f"{counted(len(held), 'job')} running or about to when the export was made: ready here")


def _end_allocations(allocations: Iterable[dict[str, Any]], warnings: list[str]) -> None:
    """Make all complete, and none known to a batch system: what waits or works there is the original's."""
    live = [allocation for allocation in allocations if allocation.get("status") != _ENDED]
    for allocation in allocations:
        allocation["status"] = _ENDED
        allocation.pop("handle", None)
        allocation.pop("process", None)
    if live:
        warnings.append(f"{counted(len(live), 'allocation')} waiting or active when the export was made: complete here")


def in_words(counts: Mapping[str, int]) -> str:
    """Return counts by plural name for people: ``2 jobs, 1 file``."""
    parts = (counted(count, _WORDS.get(plural, plural.removesuffix("s"))) for plural, count in counts.items() if count)
    return ", ".join(parts) or "no jobs"


def counts_of(request: NewWorkflow) -> dict[str, int]:
    """Return how many records of the kinds that people count a request has."""
    columns = request.jobs or {}
    counted = {plural: len(getattr(request, plural) or []) for plural in _COUNTED}
    jobs = len(next(iter(columns.values()))) if columns else 0
    return {"jobs": jobs, **counted}
