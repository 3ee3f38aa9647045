"""The few rules that single kinds of records have when they are created, changed and deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.engine.failures import read_rules
from torc_core.errors import Invalid
from torc_core.records.access import AccessGroup
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.record import Record, stored
from torc_core.records.resources import (
    ComputeNode,
    Event,
    FailureHandler,
    File,
    Job,
    ResourceRequirements,
    Result,
    UserData,
    Workflow,
    WorkflowAction,
)
from torc_core.service import action_rules, actions, group_links, orphans, telling
from torc_core.service.clock import utc_text
from torc_core.service.references import check_node, check_references
from torc_core.service.state import Needs
from torc_core.service.turn import Turn, of_workflow
from torc_core.status import IS_ACTIVE, IS_COMPLETE, JobStatus
from torc_core.units import counted

Rule = Callable[[Turn, Any], None]
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_NEEDS = "default"
"""The requirements record that every workflow has, for jobs that name none."""
LINKED = {
    File: ("input_file_ids", "output_file_ids"),
    UserData: ("input_user_data_ids", "output_user_data_ids"),
    Job: ("depends_on_job_ids",),
}
"""Kinds that jobs list, with the fields that list them."""
_LINKS = {*LINKED[File], *LINKED[UserData], *LINKED[Job]}
_DEFINING = {"name", "command", "env"}
"""What else a job is. On the published wire that stays so from an initialization to the next reset; our own clients may
change it in between, and a new run finds what has changed.
"""


def check_env(env: dict[str, str] | None) -> None:
    """Refuse names that no shell takes."""
    for name in env or ():
        if not ENV_NAME.fullmatch(name):
            raise Invalid(
                f"env: {name!r} is not a variable name",
                hint="Use letters, digits and _, not a digit first.",
                field="env",
            )


def clean_labels(labels: Iterable[str] | None) -> list[str] | None:
    """Return labels sorted without repeats, None for none; raises Invalid for an impossible one."""
    found = sorted(set(labels or ()))
    for label in found:
        if not label or label != label.strip() or "," in label:
            raise Invalid(f"label {label!r}: must not be empty, have commas, or blanks at its ends", field="labels")
    return found or None


def check_needs(record: ResourceRequirements) -> None:
    """Refuse amounts that no machine has."""
    for name, least in (("num_cpus", 0), ("num_gpus", 0), ("num_nodes", 1)):
        if getattr(record, name) < least:
            raise Invalid(f"{name} must be at least {least}", field=name)


def check_handler(handler: FailureHandler) -> None:
    """Refuse rules that nobody could follow; text that holds them, as on the published wire, is read."""
    try:
        if isinstance(handler.rules, str):
            handler.rules = json.loads(handler.rules)
        read_rules(handler.rules)
    except ValueError as exc:
        raise Invalid(f"failure handler {handler.name!r}: {exc}", field="rules") from exc


# creation


def _new_workflow(turn: Turn, workflow: Workflow) -> None:
    check_env(workflow.env)
    caller = turn.caller
    if caller.is_login or turn.access.is_enforced or not workflow.user:
        workflow.user = caller.user
    workflow.access_groups = group_links.check_names(turn, workflow.access_groups)
    workflow.timestamp = utc_text(turn.now)


def _new_job(turn: Turn, job: Job) -> None:
    check_env(job.env)
    job.status = JobStatus.UNINITIALIZED
    job.labels = clean_labels(job.labels)
    if job.resource_requirements_id is None:
        job.resource_requirements_id = default_needs(turn, job.workflow_id)
    for name in _LINKS:
        if not getattr(job, name):
            setattr(job, name, None)
    turn.forget(job.workflow_id)


def _new_event(turn: Turn, event: Event) -> None:
    event.timestamp = turn.now


def _new_needs(turn: Turn, needs: ResourceRequirements) -> None:
    check_needs(needs)
    if needs.name == DEFAULT_NEEDS and not turn.caller.is_ours:
        raise Invalid(
            f"the name {DEFAULT_NEEDS!r} is that of the requirements which every workflow has", field="name",
            value=needs.name, hint="Change those, or choose another name.",
        )  # fmt: skip


def _new_result(turn: Turn, result: Result) -> None:
    """A new result is its job's latest."""
    state = turn.state(result.workflow_id)
    if not turn.caller.is_ours:  # which brings results along whose runners are not known here
        check_node(turn, state, result.compute_node_id)
    state.has_results = True
    turn.set(Result, {"is_latest": False}, [Condition("job_id", "equal", result.job_id)])
    result.is_latest = True


BEFORE_CREATE: dict[type[Record], Rule] = {
    Workflow: _new_workflow,
    Job: _new_job,
    ResourceRequirements: _new_needs,
    Result: _new_result,
    Event: _new_event,
    WorkflowAction: lambda turn, record: action_rules.prepare(record),
    FailureHandler: lambda turn, record: check_handler(record),
    AccessGroup: group_links.new_group,
}


def _complete_workflow(turn: Turn, workflow: Workflow) -> None:
    default_needs(turn, workflow.id)
    group_links.link_named(turn, workflow)


def _link_data(
    turn: Turn, data: UserData, consumer_job_id: int | None = None, producer_job_id: int | None = None
) -> None:
    """Add new user data to the lists of the jobs that read and write it."""
    for job_id, column in ((consumer_job_id, "input_user_data_ids"), (producer_job_id, "output_user_data_ids")):
        if job_id is None:
            continue
        job = turn.get(Job, job_id)
        if job.workflow_id != data.workflow_id:
            raise Invalid(f"job {job_id} is not of workflow {data.workflow_id}", field="workflow_id")
        turn.set(Job, {column: [*(getattr(job, column) or ()), data.id]}, [Condition("id", "equal", job_id)])
        turn.forget(job.workflow_id)


def _begin_node(turn: Turn, node: ComputeNode) -> None:
    telling.node_started(turn, node)
    if node.is_active:
        turn.begin_lease(node.workflow_id, node.id, node.lease_seconds)


def _know_needs(turn: Turn, record: ResourceRequirements) -> None:
    """Jobs that are added to a workflow that runs may have these."""
    state = turn.loaded(record.workflow_id)
    if state is not None:
        state.requirements[record.id] = Needs(record)


AFTER_CREATE: dict[type[Record], Callable[..., None]] = {
    Workflow: _complete_workflow,
    UserData: _link_data,
    ComputeNode: _begin_node,
    FailureHandler: lambda turn, record: turn.forget(record.workflow_id),
    ScheduledComputeNode: telling.allocation_created,
    WorkflowAction: lambda turn, record: actions.refresh(turn, record.workflow_id),
    ResourceRequirements: _know_needs,
}
"""What follows from a creation; takes what the kind takes beside the record."""


def default_needs(turn: Turn, workflow_id: int) -> int:
    """Return the id of the workflow's ``default`` record, making it when it is gone."""
    for (id,) in turn.rows(
        ResourceRequirements, ("id",), of_workflow(workflow_id, Condition("name", "equal", DEFAULT_NEEDS))
    ):
        return int(id)
    return turn.insert(ResourceRequirements(workflow_id=workflow_id, name=DEFAULT_NEEDS)).id


# changes


def before_update(turn: Turn, old: Record, changes: dict[str, Any]) -> None:
    """Check and complete the changes of a record; raises Invalid."""
    if "json_texts" in changes:
        changes["json_texts"] = {**(vars(old).get("json_texts") or {}), **(changes["json_texts"] or {})} or None
    if isinstance(old, Workflow):
        check_env(changes.get("env"))
        _keep_groups(old, changes)
    if isinstance(old, Job):
        _change_job(turn, old, changes)
    if isinstance(old, ResourceRequirements):
        check_needs(old.changed(**changes))
    workflow_id = getattr(old, "workflow_id", None)
    if workflow_id is not None:
        check_references(turn, type(old), workflow_id, changes)


def _keep_groups(old: Workflow, changes: dict[str, Any]) -> None:
    """Groups are linked one by one, by their own operations; sending them again as they are is fine."""
    given = changes.pop("access_groups", None)
    if given is not None and sorted(given) != (old.access_groups or []):
        raise Invalid(
            f"the groups of workflow {old.id} cannot be set here",
            hint="Use: torc access-groups add-workflow, remove-workflow", field="access_groups",
        )  # fmt: skip


def _change_job(turn: Turn, job: Job, changes: dict[str, Any]) -> None:
    check_env(changes.get("env"))
    if "labels" in changes:
        changes["labels"] = clean_labels(changes["labels"])
    is_new = job.status is JobStatus.UNINITIALIZED
    status = changes.get("status")
    if status is job.status:
        del changes["status"]
    elif status is not None and not (is_new and status is JobStatus.DISABLED):
        raise Invalid(
            f"the status of job {job.id} cannot be set from {job.status} to {status} here",
            hint="Only an uninitialized job can be disabled; the rest happens by starting, completing and resetting.",
            field="status",
        )
    fixed = _LINKS if turn.caller.is_ours else _LINKS | _DEFINING
    changed = [name for name in fixed & changes.keys() if (changes[name] or None) != (getattr(job, name) or None)]
    if changed and not is_new and not _may_redefine(turn, job, changed):
        raise Invalid(
            f"job {job.id} is {job.status}; {', '.join(sorted(changed))} can be changed only before it is initialized",
            hint="Reset it first: torc jobs reset-status", field=changed[0],
        )  # fmt: skip
    for name in _LINKS & changes.keys():
        changes[name] = changes[name] or None


def _may_redefine(turn: Turn, job: Job, changed: list[str]) -> bool:
    """Whether a job can become another one: the next reinitialization runs it again if it has ended.

    Clients of the published wire know that as an error.
    """
    number = job.status.number
    if not turn.caller.is_ours or IS_ACTIVE[number]:
        return False
    return bool(IS_COMPLETE[number]) or _LINKS.isdisjoint(changed)


def after_update(turn: Turn, old: Record, new: Record) -> None:
    """Do what follows from a change."""
    if isinstance(new, Job | ResourceRequirements):
        turn.forget(new.workflow_id)
    if isinstance(new, Workflow):
        turn.forget(new.id)
    if isinstance(old, ComputeNode) and isinstance(new, ComputeNode) and old.is_active and new.is_active is False:
        telling.node_stopped(turn, new)
        actions.forsake(turn, turn.state(new.workflow_id), [new.id])
    if isinstance(new, ComputeNode):
        orphans.node_changed(turn, new)
    if isinstance(new, ResourceRequirements):
        turn.event(
            new.workflow_id, category="user_action", action="update_resource_requirements", user=turn.caller.user,
            resource_requirements_id=new.id, name=new.name, num_cpus=new.num_cpus, num_gpus=new.num_gpus,
            num_nodes=new.num_nodes, memory=new.memory, runtime=new.runtime,
        )  # fmt: skip


# deletion

BEFORE_DELETE: dict[type[Record], Rule] = {AccessGroup: group_links.before_deleting_group}
"""What comes before the deletion of a record that belongs to no workflow."""


def before_delete(turn: Turn, kind: type[Record], workflow_id: int, ids: list[int]) -> None:
    """Refuse to delete what is in use; take deleted ids out of the lists of jobs."""
    if kind is Job:
        state = turn.state(workflow_id)
        active = [id for id in ids if IS_ACTIVE[state.graph.status[state.node(id)]]]
        if active:
            raise Invalid(
                f"job {active[0]} is running or about to; it cannot be deleted", hint="Cancel the workflow first."
            )
        action_rules.take_out_jobs(turn, workflow_id, set(ids))
    if kind is ResourceRequirements:
        _refuse_used(turn, workflow_id, ids)
    if kind is ComputeNode:
        actions.forsake(turn, turn.state(workflow_id), ids)
        turn.end_leases(ids)
    for column in LINKED.get(kind, ()):
        _take_out(turn, workflow_id, column, set(ids))
    if kind in (Job, File, UserData, ResourceRequirements, FailureHandler):
        turn.forget(workflow_id)


def _refuse_used(turn: Turn, workflow_id: int, ids: list[int]) -> None:
    """Refuse to delete requirements that jobs have."""
    where = of_workflow(workflow_id, Condition("resource_requirements_id", "one_of", ids))
    users = turn.storage.count(Job, where)
    if users:
        raise Invalid(
            f"requirements in use by {counted(users, 'job')} of workflow {workflow_id} cannot be deleted",
            hint="Give them others first: torc jobs update ID --resource-requirements-id ID",
        )


def _take_out(turn: Turn, workflow_id: int, column: str, ids: set[int]) -> None:
    field = Job.FIELDS[column]
    rows = []
    for id, text in turn.rows(Job, ("id", column), of_workflow(workflow_id)):
        if text is not None:
            before = json.loads(text)
            after = [i for i in before if i not in ids]
            if len(after) < len(before):
                rows.append((stored(field, after or None), id))
    if rows:
        turn.set_each(Job, (column,), rows)
