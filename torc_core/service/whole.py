"""What makes up a whole workflow: the kinds of records that move with it, and which of their fields hold ids.

Creation, export and import follow this: a kind of record moves when ``NewWorkflow`` has a list of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torc_core.records import kinds  # noqa: F401  (declares the records)
from torc_core.records.allocations import SCHEDULERS, LocalScheduler, ScheduledComputeNode
from torc_core.records.answers import NewWorkflow
from torc_core.records.record import RECORDS, WorkflowPart
from torc_core.records.resources import SlurmScheduler

POSITIONS = {
    SlurmScheduler.PLURAL: "scheduler", LocalScheduler.PLURAL: "local_scheduler",
    ScheduledComputeNode.PLURAL: "scheduled_compute_node",
}  # fmt: skip
"""What a position in their lists is called where an id would be ``scheduler_id``, or could be of several kinds."""
_JOB_NAME = re.compile(r"#job-(@?[0-9]+)")
POSITION_MARK = "@"
"""Stands before a number after ``#job-`` that is a position."""


@lru_cache(maxsize=1)
def parts() -> dict[str, type[WorkflowPart]]:
    """Return the kinds that move with a workflow by plural name, parents first."""
    moved = NewWorkflow.FIELDS
    left = {plural: kind for plural, kind in RECORDS.items() if issubclass(kind, WorkflowPart) and plural in moved}
    ordered: dict[str, type[WorkflowPart]] = {}
    while left:
        plural = next(p for p, kind in left.items() if not _parents(kind) & left.keys())
        ordered[plural] = left.pop(plural)
    return ordered


def _parents(kind: type[WorkflowPart]) -> set[str]:
    """Return the kinds whose records must be there before those of a kind."""
    return {f.refers for f in kind.FIELDS.values() if f.refers} - {kind.PLURAL}


def references(kind: type[WorkflowPart]) -> dict[str, str]:
    """Return the fields that hold ids (or lists of them) with the plural name of what they mean.

    It is several names where an id may be of several kinds, the one that plain positions mean first.
    """
    return _references(kind.PLURAL)


@lru_cache(maxsize=64)
def _references(plural: str) -> dict[str, str]:
    kind = parts()[plural]
    named = {f.name: f.links or f.refers or f.mentions for f in kind.FIELDS.values()}
    return {name: plurals for name, plurals in named.items() if plurals and name != "workflow_id"}


def meant(plurals: str, scheduler_type: Any) -> list[str]:
    """Return which of the kinds an id can be of beside a ``scheduler_type``, likeliest first; None does not tell."""
    several = plurals.split()
    if len(several) > 1 and isinstance(scheduler_type, str) and scheduler_type in SCHEDULERS:
        return [SCHEDULERS[scheduler_type].PLURAL]
    return several


def renamed_jobs(value: Any, rename: Callable[[str], str | None]) -> Any:
    """Return JSON data in which the N of every ``#job-N`` in a text is another word; None leaves it as it is."""
    if isinstance(value, str):
        return _JOB_NAME.sub(lambda found: f"#job-{rename(found[1]) or found[1]}", value)
    if isinstance(value, list):
        return [renamed_jobs(item, rename) for item in value]
    if isinstance(value, dict):
        return {key: renamed_jobs(item, rename) for key, item in value.items()}
    return value
