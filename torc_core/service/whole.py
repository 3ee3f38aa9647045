"""What makes up a whole workflow: the kinds of records that move with it, and which of their fields hold ids.

Creation, export and import follow this: a kind of record moves when ``NewWorkflow`` has a list of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torc_core.records import kinds  # noqa: F401  (declares the records)
from torc_core.records.answers import NewWorkflow
from torc_core.records.record import RECORDS, WorkflowPart
from torc_core.records.resources import ComputeNode, Job, SlurmScheduler, WorkflowAction

_LOOSE = {
    "compute_node_id": ComputeNode.PLURAL, "executed_by": ComputeNode.PLURAL,
    "scheduler_config_id": SlurmScheduler.PLURAL,
}  # fmt: skip
"""Fields that hold an id which nobody checks, in any kind."""
SCHEDULERS = {"slurm": "slurm_schedulers", "local": "local_schedulers"}
"""The kind of scheduler that ``scheduler_id`` means beside each ``scheduler_type``."""
POSITIONS = {"slurm_schedulers": "scheduler", "local_schedulers": "local_scheduler"}
"""What a position in their lists is called where an id would be ``scheduler_id``."""
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
    """Return the fields that hold ids (or lists of them) with the plural name of what they mean."""
    return _references(kind.PLURAL)


@lru_cache(maxsize=64)
def _references(plural: str) -> dict[str, str]:
    kind = parts()[plural]
    found = {f.name: f.links or f.refers for f in kind.FIELDS.values() if f.links or f.refers}
    found |= {name: other for name, other in _LOOSE.items() if name in kind.FIELDS}
    if kind is Job:
        found["scheduler_id"] = SlurmScheduler.PLURAL
    if kind is WorkflowAction:
        found["job_ids"] = Job.PLURAL
    del found["workflow_id"]
    return found


def renamed_jobs(value: Any, rename: Callable[[str], str | None]) -> Any:
    """Return JSON data in which the N of every ``#job-N`` in a text is another word; None leaves it as it is."""
    if isinstance(value, str):
        return _JOB_NAME.sub(lambda found: f"#job-{rename(found[1]) or found[1]}", value)
    if isinstance(value, list):
        return [renamed_jobs(item, rename) for item in value]
    if isinstance(value, dict):
        return {key: renamed_jobs(item, rename) for key, item in value.items()}
    return value
