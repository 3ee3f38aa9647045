"""A stored workflow as the data of a spec that makes it again: the same work, nothing of what has become of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from torc_core.records.resources import ResourceRequirements, Workflow
from torc_core.service.api import Service
from torc_core.service.planned import RECORD_NAMES
from torc_core.service.rules import DEFAULT_NEEDS
from torc_core.service.stored_plan import plan_of
from torc_core.spec.model import ActionSpec, SlurmSchedulerSpec, WorkflowSpec
from torc_core.spec.plan import Plan
from torc_core.spec.write import spec_data


class StoredSpec(NamedTuple):
    """The data of a spec, its plan, and what of the workflow no spec can say."""

    data: dict[str, Any]
    plan: Plan
    unsaid: list[str]


def stored_spec(service: Service, workflow_id: int) -> StoredSpec:
    """Return the spec of a workflow, expanded: every job by itself, but for those that other jobs add when they run."""
    plan = plan_of(service, workflow_id, with_spawned=False)
    unsaid: list[str] = []
    plan.workflow = _workflow(plan.workflow, unsaid)
    _name_schedulers(plan)
    _leave_out_default(plan)
    _forget_made_data(plan)
    plan.actions = [_action(action, unsaid) for action in plan.actions]
    return StoredSpec(spec_data(plan), plan, unsaid)


def _workflow(fields: dict[str, Any], unsaid: list[str]) -> dict[str, Any]:
    """Return what differs from what a new workflow has; notes fields that specs do not have."""
    made = {}
    for name, value in fields.items():
        record_field = Workflow.FIELDS[RECORD_NAMES.get(name, name)]
        if name != "name" and value == record_field.default:
            continue
        if name in WorkflowSpec.FIELDS:
            made[name] = value
        else:
            unsaid.append(f"{name}: {value}")
    return made


def _name_schedulers(plan: Plan) -> None:
    """Give names to schedulers without one, or jobs and actions could not name them."""
    taken = {entry.get("name") for entry in plan.schedulers}
    for place, entry in enumerate(plan.schedulers):
        if entry.get("name") is None:
            name, number = f"scheduler_{place + 1}", 2
            while name in taken:
                name, number = f"scheduler_{place + 1}_{number}", number + 1
            taken.add(name)
            entry["name"] = name
        unknown = [field for field in entry if field not in SlurmSchedulerSpec.FIELDS]
        for field in unknown:
            del entry[field]


def _leave_out_default(plan: Plan) -> None:
    """Leave out the requirements that every workflow has, unless they were changed."""
    blank = {name: f.default for name, f in ResourceRequirements.FIELDS.items() if f.optional}
    for place, entry in enumerate(plan.requirements):
        if entry["name"] != DEFAULT_NEEDS or any(entry.get(name, old) != old for name, old in blank.items()):
            continue
        del plan.requirements[place]
        for job in plan.jobs:
            if job.requirements == place:
                job.requirements = -1
            elif job.requirements > place:
                job.requirements -= 1
        return


def _forget_made_data(plan: Plan) -> None:
    """Leave out the values of user data that jobs make: the spec is of a workflow that has not run."""
    for place in {place for job in plan.jobs for place in job.data_outputs}:
        plan.data[place].data = None


def _action(action: dict[str, Any], unsaid: list[str]) -> dict[str, Any]:
    """Return an action with the members that specs have."""
    made = {}
    for name, value in action.items():
        if name in ActionSpec.FIELDS:
            made[name] = value
        elif value:
            unsaid.append(f"{name} of an action: {value}")
    if not made.get("persistent"):
        made.pop("persistent", None)
    return made
