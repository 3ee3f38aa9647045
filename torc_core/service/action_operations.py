"""Actions as anybody may ask for them: which are due, taking one, saying how it went, changing and removing them."""

from __future__ import annotations

from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.actions import ActionRun, ActionRunStatus
from torc_core.records.answers import Message
from torc_core.records.answers.actions import ActionClaim, ActionReport, ClaimedAction
from torc_core.records.resources import WorkflowAction
from torc_core.service.action_index import abilities
from torc_core.service.action_rules import merged
from torc_core.service.actions import give_up, refresh, take_report
from torc_core.service.api import Service
from torc_core.service.clock import utc_text
from torc_core.service.references import check_node, check_references
from torc_core.service.registry import handles
from torc_core.service.turn import Turn, of_workflow, with_ids

_UNNUMBERED = -1
"""The arming of executions of actions that were taken with ``claim_action``."""


@handles(Service.get_pending_actions)
def get_pending_actions(turn: Turn, id: int, trigger_type: list[str] | None = None) -> list[WorkflowAction]:
    """List what is due."""
    index = turn.state(id).actions
    if index is None:
        return []
    due = [i for i in sorted(index.due) if trigger_type is None or index.by_id[i].trigger in trigger_type]
    if not due:
        return []
    return [a.changed(trigger_count=index.by_id[a.id].count) for a in turn.records(WorkflowAction, with_ids(due))]


def _action(turn: Turn, workflow_id: int, action_id: int) -> WorkflowAction:
    turn.state(workflow_id)
    for action in turn.records(WorkflowAction, of_workflow(workflow_id, Condition("id", "equal", action_id))):
        return action
    raise NotFound(f"there is no action {action_id} in workflow {workflow_id}", id=action_id)


@handles(Service.claim_action)
def claim_action(turn: Turn, id: int, action_id: int, claim: ActionClaim) -> ClaimedAction:
    """Take an action for good, due or not."""
    action = _action(turn, id, action_id)
    state = turn.state(id)
    check_node(turn, state, claim.compute_node_id or 0)
    index = state.actions
    assert index is not None
    changes: dict[str, Any] = {"executed_at": utc_text(turn.now)}
    if not action.persistent:
        if action.executed:
            raise Conflict(f"action {action_id} was taken before", claimed=False, id=action_id)
        changes |= {"executed": True, "executed_by": claim.compute_node_id}
        armed = index.by_id[action_id]
        armed.executed = True
        index.judge(armed)
    turn.touch(id)
    turn.set(WorkflowAction, changes, with_ids([action_id]))
    return ClaimedAction(action_id=action_id, claimed=True)


@handles(Service.finish_action)
def finish_action(turn: Turn, id: int, action_id: int, report: ActionReport) -> ActionRun:
    """Take a report about an execution, or keep that of an action which was taken without one.

    When the latter says that it is lost, the action is due again.
    """
    action, state = _action(turn, id, action_id), turn.state(id)
    if report.action_run_id is not None:
        where = with_ids([report.action_run_id])
        if not turn.storage.count(ActionRun, [*where, Condition("action_id", "equal", action_id)]):
            raise NotFound(f"there is no execution {report.action_run_id} of action {action_id}")
        found = take_report(turn, state, report)
        assert found is not None
        return found
    told = of_workflow(id, Condition("action_id", "equal", action_id), Condition("arming", "equal", _UNNUMBERED))
    for run in () if action.persistent else turn.records(ActionRun, told):
        if (run.started_at, run.status) == (action.executed_at, report.status):
            return run  # the same report again
    if not action.executed and not action.persistent:
        raise Invalid(f"action {action_id} was not taken by anybody", hint="Claim it first.", id=action_id)
    fields = {name: value for name, value in vars(report).items() if name != "action_run_id"}
    run = ActionRun(
        workflow_id=id, action_id=action_id, run_id=state.run_id, arming=_UNNUMBERED,
        compute_node_id=action.executed_by, started_at=action.executed_at,
        finished_at=None if report.status is ActionRunStatus.RUNNING else utc_text(turn.now), **fields,
    )  # fmt: skip
    if report.status is ActionRunStatus.LOST and not action.persistent:
        give_up(turn, state, action_id)
    return turn.insert(run)


@handles(Service.update_workflow_action)
def update_workflow_action(turn: Turn, id: int, action_id: int, body: Any) -> WorkflowAction:
    """Change the configuration."""
    action = _action(turn, id, action_id)
    config = merged(action, body)
    check_references(turn, WorkflowAction, id, {"action_config": config})
    turn.touch(id)
    turn.set(WorkflowAction, {"action_config": config}, with_ids([action_id]))
    index = turn.state(id).actions
    assert index is not None
    index.by_id[action_id].can = abilities(action.changed(action_config=config))
    return action.changed(action_config=config)


@handles(Service.delete_workflow_action)
def delete_workflow_action(turn: Turn, id: int, action_id: int) -> Message:
    """Remove an action."""
    _action(turn, id, action_id)
    turn.touch(id)
    turn.delete(WorkflowAction, with_ids([action_id]))
    refresh(turn, id)
    return Message(message=f"deleted action {action_id}")
