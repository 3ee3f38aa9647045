"""The right that each operation needs. An operation without a row is refused to everybody once rights are enforced.

Operations derived from records follow from the kind: what is part of a workflow needs the right to that workflow. The
declared ones have a row each. ``docs/security.md`` shows the table, and a test compares.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from torc_core.operations import Operation
from torc_core.records.access import AccessGroup
from torc_core.records.record import WorkflowPart
from torc_core.records.resources import Workflow


class Right(enum.StrEnum):
    """What somebody must be, to do something."""

    OPEN = "everybody"
    SEEN = "everybody, who sees what they may use"
    LOGIN = "whoever has logged in"
    SELF = "the person named, administrators"
    WORKFLOW = "owner, members of its groups, administrators"
    SHARE = "owner, administrators; admins of the group who may use the workflow"
    GROUP_ADMIN = "admins of the group, administrators"
    ADMIN = "administrators"


class Rule(NamedTuple):
    """A row: the right, and whether worker tokens of the workflow are enough."""

    right: Right
    worker: bool = False


_WORK = Rule(Right.WORKFLOW, worker=True)
_USE = Rule(Right.WORKFLOW)

DECLARED: dict[str, Rule] = {
    # the service
    "ping": Rule(Right.OPEN, worker=True),
    "get_version": Rule(Right.OPEN, worker=True),
    # workflows
    "create_whole_workflow": Rule(Right.LOGIN),
    "get_workflow_status": _WORK,
    "cancel_workflow": _USE,
    "archive_workflow": _USE,
    "update_workflow_status": _USE,
    "is_workflow_complete": _WORK,
    "is_workflow_uninitialized": _WORK,
    "wait_for_change": _WORK,
    "watch_events": _WORK,
    "correct_requirements": _USE,
    "recover_jobs": _USE,
    # runs
    "begin_run": _USE,
    "initialize_jobs": _USE,
    "reset_workflow_status": _USE,
    "reset_job_status": _USE,
    "reset_jobs": _USE,
    "process_changed_job_inputs": _USE,
    # actions
    "get_pending_actions": _WORK,
    "claim_action": _WORK,
    "finish_action": _WORK,
    "update_workflow_action": _USE,
    "delete_workflow_action": _USE,
    # tasks
    "start_initialize_jobs": _USE,
    "start_begin_run": _USE,
    "get_active_task_for_workflow": _WORK,
    # claims
    "tick": _WORK,
    "adopt_orphans": _WORK,
    "claim_next_jobs": _WORK,
    "claim_jobs_based_on_resources": _WORK,
    "get_ready_job_requirements": _WORK,
    # jobs
    "create_jobs": _USE,
    "create_files": _USE,
    "create_user_data_list": _USE,
    "create_remote_workers": _USE,
    "delete_remote_worker": _USE,
    "start_job": _WORK,
    "complete_job": _WORK,
    "batch_complete_jobs": _WORK,
    "manage_status_change": _WORK,
    "retry_job": _WORK,
    "spawn_jobs": _WORK,
    "resolve_failures": _USE,
    # relations
    "list_job_ids": _WORK,
    "get_running_jobs": _WORK,
    "get_slurm_job_correlations": _WORK,
    "list_job_dependencies": _WORK,
    "list_job_file_relationships": _WORK,
    "list_job_user_data_relationships": _WORK,
    "list_missing_user_data": _WORK,
    "list_required_existing_files": _WORK,
    # access control
    "list_group_members": Rule(Right.ADMIN),
    "add_user_to_group": Rule(Right.GROUP_ADMIN),
    "remove_user_from_group": Rule(Right.GROUP_ADMIN),
    "list_user_groups": Rule(Right.SELF),
    "list_workflow_groups": _USE,
    "add_workflow_to_group": Rule(Right.SHARE),
    "remove_workflow_from_group": Rule(Right.SHARE),
    "check_workflow_access": Rule(Right.SELF),
    "reload_auth": Rule(Right.ADMIN),
    "create_worker_token": _USE,
}
"""Rows of the declared operations, by name."""

BESIDE = {"backup_database": Rule(Right.ADMIN)}
"""Rows of what servers can be asked for that is no operation of every service."""

_OF_WORKFLOWS = {"create": Rule(Right.LOGIN), "find": Rule(Right.SEEN, worker=True), "get": _WORK}
_OF_WORKERS = {
    "jobs": "get find",
    "files": "get find create update",
    "user_data": "get find create update",
    "resource_requirements": "get find",
    "failure_handlers": "get find",
    "local_schedulers": "get find",
    "slurm_schedulers": "get find",
    "results": "get find create",
    "events": "get find create",
    "compute_nodes": "get find create update",
    "scheduled_compute_nodes": "get find create update",
    "workflow_actions": "find",
    "slurm_stats": "create find",
    "ro_crate_entities": "get find create",
    "tasks": "get",
    "action_runs": "get find",
}
"""The verbs of records that worker tokens are enough for, by plural name."""


def rule_of(op: Operation) -> Rule | None:
    """Return the row of an operation; None when there is none."""
    kind = op.record
    if kind is None:
        return DECLARED.get(op.name) or BESIDE.get(op.name)
    if kind is Workflow:
        return _OF_WORKFLOWS.get(op.verb, _USE)
    if issubclass(kind, WorkflowPart):
        return _WORK if op.verb in _OF_WORKERS.get(kind.PLURAL, "").split() else _USE
    return Rule(Right.ADMIN) if kind is AccessGroup else None
