"""A stored workflow as a document: one JSON object with its records as the API shows them, by kind, with their ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from torc_core.records.record import ENCODER, WorkflowPart
from torc_core.records.resources import Event, Job, Result, Workflow
from torc_core.service.clock import utc_now
from torc_core.service.creation import INPUTS_CHANGED
from torc_core.service.whole import parts

if TYPE_CHECKING:
    from torc_core.service.api import Service

__all__ = ["HISTORY", "INPUTS_CHANGED", "VERSION", "export_text", "sections"]

VERSION = "1.0"
HISTORY = ("results", "compute_nodes", "slurm_stats", "action_runs", "scheduled_compute_nodes")
"""Kinds that say what happened in runs, but for events."""
_PAGE = 5000  # records in memory at a time


def sections(*, with_results: bool = True, with_events: bool = True) -> list[str]:
    """Return the kinds that a document holds beside the workflow, in its order."""
    left_out = (() if with_results else HISTORY) + (() if with_events else (Event.PLURAL,))
    return [plural for plural in parts() if plural not in left_out]


def export_text(
    service: Service, workflow_id: int, *, with_results: bool = True, with_events: bool = True, counts: dict[str, int]
) -> Iterator[str]:
    """Yield the text of a document in pieces; ``counts`` is filled with the number of records of each kind."""
    workflow = service.get(Workflow, workflow_id)
    head = {"export_version": VERSION, "exported_at": utc_now(), "workflow": _set_fields(workflow.wire())}
    yield json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}")
    for plural in sections(with_results=with_results, with_events=with_events):
        kind = parts()[plural]
        counts[plural] = 0
        yield f',\n  "{plural}": ['
        write = _writer(service, workflow_id, kind)
        for record in _each(service, kind, workflow_id):
            yield (",\n    " if counts[plural] else "\n    ") + ENCODER.encode(write(record))
            counts[plural] += 1
        yield "\n  ]" if counts[plural] else "]"
    yield "\n}\n"


def _each(service: Service, kind: type[WorkflowPart], workflow_id: int) -> Iterable[WorkflowPart]:
    """Yield all records of a kind, a page at a time."""
    filters: dict[str, Any] = {"all_runs": True} if kind is Result else {}
    if kind is Job:
        filters["include_relationships"] = True
    offset, has_more = 0, True
    while has_more:
        page = service.find(kind, workflow_id, offset, _PAGE, **filters)
        yield from page.items
        offset += len(page.items)
        has_more = page.has_more and bool(page.items)


def _writer(service: Service, workflow_id: int, kind: type[WorkflowPart]) -> Callable[[WorkflowPart], dict[str, Any]]:
    """Return what writes a record of a kind: its fields that are set, and what no field says."""
    if kind is Result:
        latest = {result.id for result in service.each(Result, workflow_id)}
        return lambda result: {**_set_fields(result.wire()), "is_latest": result.id in latest}
    if kind is Job:
        changed = set(service.process_changed_job_inputs(workflow_id, dry_run=True).reinitialized_jobs)
        if changed:
            return lambda job: (
                _set_fields(job.wire())
                | (
                    {INPUTS_CHANGED: True} if job.name in changed else {}  # type: ignore[attr-defined]
                )
            )
    return lambda record: _set_fields(record.wire())


def _set_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
