"""Actions: given to runners, reported, given anew when their runner is gone, armed for the next run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from torc_core.contracts.storage import Condition
from torc_core.engine.triggers import HAS_ENDED
from torc_core.records.actions import ActionRun, ActionRunStatus
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import Tick
from torc_core.records.answers.actions import ActionLaunch, ActionReport
from torc_core.records.resources import ComputeNode, WorkflowAction
from torc_core.service.action_index import ActionIndex, Armed, Execution, has_ended, load_actions
from torc_core.service.action_rules import JOB_TRIGGERS
from torc_core.service.clock import utc_text
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.spec.choices import Trigger

FINAL = (ActionRunStatus.COMPLETED, ActionRunStatus.FAILED)
_WHEN_CANCELED = (Trigger.ON_JOBS_COMPLETE, Trigger.ON_WORKFLOW_COMPLETE, Trigger.ON_WORKER_COMPLETE)
"""What is still carried out in a canceled workflow: cleaning up, not beginning."""
_GONE = "its runner is gone"
_NEW_RUN = "a new run began"


def refresh(turn: Turn, workflow_id: int) -> None:
    """Read the actions of a workflow again, since one was added, changed or removed."""
    state = turn.state(workflow_id)
    turn.touch(workflow_id)
    state.actions = load_actions(turn.storage, workflow_id, state.graph)
    if state.actions is None:
        state.graph.log = None


# runners


class Part(NamedTuple):
    """What a turn means for actions: what the runner gets, what else is due, whether jobs have to wait."""

    launches: list[ActionLaunch] | None = None
    is_held: bool = False
    undone_kinds: list[str] | None = None
    has_last: bool = False


_NOTHING = Part()


def take_part(turn: Turn, state: WorkflowState, tick: Tick) -> Part:
    """Take a runner's reports about actions, give it what is due and what it can carry out."""
    index = state.actions
    if index is None:
        return _NOTHING
    for found in tick.actions or ():
        take_report(turn, state, found)
    index.settle(turn, state.graph)
    if not tick.can_run:
        return Part(is_held=index.holds_back(tick.compute_node_id))
    node_id = tick.compute_node_id
    given = [id for id, run in index.running.items() if run.node == node_id] if tick.resend else []
    undone: dict[str, None] = {}
    for armed in sorted((index.by_id[id] for id in index.due), key=_order):
        if not _is_for(armed, state, node_id, tick.is_leaving) or _must_wait(index, armed):
            continue
        if armed.can.isdisjoint(tick.can_run):
            undone |= dict.fromkeys(sorted(armed.can))
        else:
            given.append(_begin(turn, state, index, armed, node_id))
    has_last = any(_is_for(index.by_id[id], state, node_id, is_leaving=True) for id in index.due)
    return Part(_launches(turn, given), index.holds_back(node_id), list(undone) or None, has_last)


_FIRST = (Trigger.ON_WORKFLOW_START, Trigger.ON_WORKER_START)
_BEFORE = {
    str(Trigger.ON_WORKFLOW_START): (),
    str(Trigger.ON_WORKFLOW_COMPLETE): (Trigger.ON_WORKFLOW_START, *JOB_TRIGGERS),
}
"""What is waited for before something else is given, as long as somebody is at work with it."""
_AFTER_START = (Trigger.ON_WORKFLOW_START,)


def _order(armed: Armed) -> tuple[int, int]:
    """Return the place in which an action is given: setting up comes first, and the end last."""
    if armed.trigger in _FIRST:
        return _FIRST.index(Trigger(armed.trigger)), armed.id
    return len(_FIRST) + (armed.trigger == Trigger.ON_WORKFLOW_COMPLETE), armed.id


def _must_wait(index: ActionIndex, armed: Armed) -> bool:
    before = _BEFORE.get(armed.trigger, _AFTER_START)
    return any(run.armed.trigger in before for run in index.running.values())


def _is_for(armed: Armed, state: WorkflowState, node_id: int, is_leaving: bool) -> bool:
    if is_leaving != (armed.trigger == Trigger.ON_WORKER_COMPLETE) or node_id in armed.done_by:
        return False
    return not state.graph.canceled or armed.trigger in _WHEN_CANCELED


def _begin(turn: Turn, state: WorkflowState, index: ActionIndex, armed: Armed, node_id: int) -> int:
    """Give an action to a runner; returns the id of the execution."""
    turn.touch(state.id)
    moment = utc_text(turn.now)
    run = turn.insert(
        ActionRun(
            workflow_id=state.id, action_id=armed.id, run_id=state.run_id, arming=armed.arming,
            compute_node_id=node_id, attempt_id=armed.attempts + 1, status=ActionRunStatus.RUNNING, done=armed.done,
            started_at=moment,
        )
    )  # fmt: skip
    index.running[run.id] = Execution(armed, node_id, armed.arming)
    changes: dict[str, Any] = {"executed_at": moment, "executed_by": node_id}
    if armed.persistent:
        armed.done_by.add(node_id)
    else:
        armed.attempts += 1
        armed.executed = changes["executed"] = True
        index.judge(armed)
    turn.set(WorkflowAction, changes, with_ids([armed.id]))
    return run.id


def _launches(turn: Turn, run_ids: list[int]) -> list[ActionLaunch]:
    if not run_ids:
        return []
    runs = list(turn.records(ActionRun, with_ids(run_ids)))
    actions = {a.id: a for a in turn.records(WorkflowAction, with_ids(sorted({run.action_id for run in runs})))}
    return [
        ActionLaunch(
            action_run_id=run.id, action_id=run.action_id, trigger_type=actions[run.action_id].trigger_type,
            action_type=actions[run.action_id].action_type, action_config=actions[run.action_id].action_config,
            attempt_id=run.attempt_id, done=run.done,
        )
        for run in runs
    ]  # fmt: skip


def take_report(turn: Turn, state: WorkflowState, found: ActionReport) -> ActionRun | None:
    """Take what is said of an execution; None when there is no such execution any more."""
    where = of_workflow(state.id, Condition("id", "equal", found.action_run_id))
    run = next(iter(turn.records(ActionRun, where)), None)
    is_late = run is not None and run.status is ActionRunStatus.LOST
    if run is None or run.status in FINAL or (is_late and found.status not in FINAL):
        return run
    turn.touch(state.id)
    changes: dict[str, Any] = {name: value for name, value in vars(found).items() if name != "action_run_id"}
    if found.status is not ActionRunStatus.RUNNING:
        changes["finished_at"] = utc_text(turn.now)
    turn.set(ActionRun, changes, with_ids([run.id]))
    index = state.actions
    assert index is not None  # an execution goes with its action
    armed = index.by_id[run.action_id]
    if found.status is ActionRunStatus.LOST:
        _give_back(turn, state, index, run.id, found.done)
    elif found.status in FINAL:
        index.running.pop(run.id, None)
        if is_late:
            _take_late(turn, index, armed, run)
        _tell(turn, state, run, found, armed)
    return run.changed(**changes)


def _take_late(turn: Turn, index: ActionIndex, armed: Armed, run: ActionRun) -> None:
    """A runner that was given up has done it after all: then nobody has to, unless somebody does already."""
    if armed.is_due and not armed.persistent and armed.arming == _arming_of(turn, run):
        armed.executed = True
        index.judge(armed)
        turn.set(WorkflowAction, {"executed": True, "executed_by": run.compute_node_id}, with_ids([armed.id]))


def _arming_of(turn: Turn, run: ActionRun) -> int:
    [(arming,)] = turn.rows(ActionRun, ("arming",), with_ids([run.id]))
    return int(arming)


def _tell(turn: Turn, state: WorkflowState, run: ActionRun, found: ActionReport, armed: Armed) -> None:
    has_failed = found.status is ActionRunStatus.FAILED
    data = {
        "action_id": run.action_id, "action_run_id": run.id, "trigger_type": armed.trigger,
        "compute_node_id": run.compute_node_id, "return_code": found.return_code, "command": found.command,
    }  # fmt: skip
    event_type = f"action_{found.status}"
    turn.tell(state.id, event_type, "error" if has_failed else "info", **data)
    if has_failed:
        turn.event(state.id, category="action", event_type=event_type, reason=found.reason, **data)


def _give_back(turn: Turn, state: WorkflowState, index: ActionIndex, run_id: int, done: int) -> None:
    """An execution was not brought to its end: another runner goes on with the action."""
    run = index.running.pop(run_id)
    armed = run.armed
    if armed.persistent or armed.arming != run.arming:
        return
    armed.done = 0 if armed.trigger == Trigger.ON_WORKER_START else done  # that was done for the runner that is gone
    give_up(turn, state, armed.id)


def give_up(turn: Turn, state: WorkflowState, action_id: int) -> None:
    """Nobody has an action any more: it is due again, if its trigger is there."""
    index = state.actions
    assert index is not None
    armed = index.by_id[action_id]
    armed.executed = False
    turn.set(WorkflowAction, {"executed": False, "executed_by": None}, with_ids([action_id]))
    index.count(armed, state.graph)


def forsake(turn: Turn, state: WorkflowState, node_ids: Collection[int]) -> None:
    """Take back what runners that are gone had not brought to an end; allocations that were theirs are over."""
    _end_allocations(turn, state, node_ids)
    index = state.actions
    if index is None:
        return
    done = _lose(turn, state, [id for id, run in index.running.items() if run.node in node_ids], _GONE)
    for run_id, count in done.items():
        _give_back(turn, state, index, run_id, count)


def _end_allocations(turn: Turn, state: WorkflowState, node_ids: Collection[int]) -> None:
    """End the allocations of which these were the last runners."""
    gone = [_allocation(node) for node in turn.records(ComputeNode, of_workflow(state.id, *with_ids(sorted(node_ids))))]
    if not any(gone):
        return
    active = turn.records(ComputeNode, of_workflow(state.id, Condition("is_active", "equal", 1)))
    left = {_allocation(node) for node in active if node.id not in node_ids}
    over = sorted({allocation for allocation in gone if allocation is not None} - left)
    if over:
        turn.touch(state.id)
        turn.set(ScheduledComputeNode, {"status": "complete"}, of_workflow(state.id, *with_ids(over)))


def _allocation(node: ComputeNode) -> int | None:
    """Return the allocation that a runner belongs to."""
    id = node.scheduler.get("scheduler_id") if isinstance(node.scheduler, dict) else None
    return id if isinstance(id, int) else None


def _lose(turn: Turn, state: WorkflowState, run_ids: list[int], reason: str) -> dict[int, int]:
    """Write down that executions are lost; returns how much of each was done."""
    if not run_ids:
        return {}
    turn.touch(state.id)
    changes = {"status": ActionRunStatus.LOST, "reason": reason, "finished_at": utc_text(turn.now)}
    turn.set(ActionRun, changes, with_ids(run_ids))
    return dict(turn.rows(ActionRun, ("id", "done"), with_ids(run_ids)))


# a new run


def rearm(turn: Turn, state: WorkflowState, *, full: bool) -> None:
    """Arm the actions for a new run, after its jobs were initialized.

    All of them when ``full``. Else those stay spent that were for the start of the workflow, and those whose jobs have
    all ended still. What a recovery made is removed either way.
    """
    where = of_workflow(state.id, Condition("is_recovery", "equal", 1))
    if turn.storage.count(WorkflowAction, where):
        turn.delete(WorkflowAction, where)
        refresh(turn, state.id)
    index = state.actions
    if index is None:
        return
    turn.touch(state.id)
    index.settle(turn, state.graph)
    anew = {id: armed for id, armed in index.by_id.items() if full or not _stays_spent(armed, state)}
    for run_id in _lose(turn, state, [id for id, run in index.running.items() if run.armed.id in anew], _NEW_RUN):
        del index.running[run_id]
    for armed in anew.values():
        armed.begin_anew()
        if armed.counter is None and armed.trigger != Trigger.ON_WORKFLOW_COMPLETE:
            armed.count = 1 if armed.trigger in _AT_ONCE else 0
        index.count(armed, state.graph)
    rows = [(0, None, armed.arming, armed.count, armed.id) for armed in anew.values()]
    turn.set_each(WorkflowAction, ("executed", "executed_by", "arming", "trigger_count"), rows)
    spent = [armed for id, armed in index.by_id.items() if id not in anew and armed.persistent]
    for armed in spent:  # not for the runners of this run either
        armed.executed = True
        index.judge(armed)
        turn.set(WorkflowAction, {"executed": True}, with_ids([armed.id]))


_AT_ONCE = (Trigger.ON_WORKFLOW_START, Trigger.ON_WORKER_START, Trigger.ON_WORKER_COMPLETE)
"""Triggers that come with the initialization itself."""


def _stays_spent(armed: Armed, state: WorkflowState) -> bool:
    graph = state.graph
    was_carried_out = armed.executed or bool(armed.done_by)
    if not was_carried_out:
        return False
    if armed.trigger == Trigger.ON_WORKFLOW_START:
        return True
    if armed.trigger == Trigger.ON_WORKFLOW_COMPLETE:
        return has_ended(graph)
    if armed.trigger in JOB_TRIGGERS and armed.counter is not None:
        return bool(armed.counter.nodes) and all(HAS_ENDED[graph.status[node]] for node in armed.counter.nodes)
    return False
