"""Corrected requirements: how they are stored, what attempts they come from, what carries them out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from torc_core.contracts.storage import Condition
from torc_core.errors import Invalid
from torc_core.records.answers import CorrectedRequirements, RequirementsChange, RequirementsChanges
from torc_core.records.resources import Job, ResourceRequirements
from torc_core.service import rules
from torc_core.service.api import Service
from torc_core.service.references import check_references
from torc_core.service.registry import handles
from torc_core.service.turn import Turn, of_workflow

if TYPE_CHECKING:
    from torc_core.engine.corrections import Adjustment


@handles(Service.correct_requirements)
def correct_requirements(turn: Turn, id: int, corrections: RequirementsChanges) -> CorrectedRequirements:
    """Make all the changes."""
    turn.touch(id)
    names = {name for (name,) in turn.rows(ResourceRequirements, ("name",), of_workflow(id))}
    ids = [_correct(turn, id, change, names) for change in corrections.changes]
    turn.forget(id)
    return CorrectedRequirements(resource_requirements_ids=ids)


def _correct(turn: Turn, workflow_id: int, change: RequirementsChange, names: set[str]) -> int:
    """Make one change; returns the id of the record that has it."""
    old = turn.get(ResourceRequirements, change.resource_requirements_id)
    if old.workflow_id != workflow_id:
        raise Invalid(f"resource requirements {old.id} are not of workflow {workflow_id}")
    values = {"num_cpus": change.num_cpus, "memory": change.memory, "runtime": change.runtime}
    for name, value in values.items():
        check = ResourceRequirements.FIELDS[name].check
        try:
            if check is not None:
                check(value)
        except ValueError as exc:
            raise Invalid(f"{name}: {exc}", field=name) from exc
    new = old.changed(**values)
    rules.check_needs(new)
    if change.job_ids is None:
        turn.set(ResourceRequirements, values, [Condition("id", "equal", old.id)])
    else:
        check_references(turn, Job, workflow_id, {"depends_on_job_ids": change.job_ids})
        new.name = _free_name(old.name, names)
        names.add(new.name)
        turn.insert(new)
        where = of_workflow(workflow_id, Condition("id", "one_of", change.job_ids))
        turn.set(Job, {"resource_requirements_id": new.id}, where)
    rules.after_update(turn, old, new)
    return new.id


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name for the corrected twin of a record."""
    base = f"{name}_corrected"
    number = 2
    found = base
    while found in taken:
        found, number = f"{base}_{number}", number + 1
    return found


def apply_adjustments(service: Service, workflow_id: int, adjustments: Iterable[Adjustment]) -> list[int]:
    """Carry out adjustments, all or none; returns the ids of the records that hold them, in order."""
    changes = [
        RequirementsChange(
            resource_requirements_id=adjustment.needs.id, job_ids=None if adjustment.in_place else adjustment.job_ids,
            **adjustment.correction._asdict(),
        )
        for adjustment in adjustments
    ]  # fmt: skip
    if not changes:
        return []
    made = service.correct_requirements(workflow_id, RequirementsChanges(changes=changes))
    return made.resource_requirements_ids
