"""The actions of one workflow in memory: how often their triggers came, who carries them out, which are due.

Job triggers count jobs, by their present statuses. They are brought up to date at the end of every piece of work, in
its transaction, from what the graph noted down; a workflow without actions has no index and notes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.storage import Condition, Storage
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.triggers import HAS_COME_UP, HAS_ENDED, Counter, Watch
from torc_core.records.actions import ActionRun, ActionRunStatus
from torc_core.records.record import loaded_fields, row_reader
from torc_core.records.resources import WorkflowAction
from torc_core.spec.choices import ActionType, Trigger
from torc_core.status import CANCELED, COMPLETED, FAILED, TERMINATED

if TYPE_CHECKING:
    from torc_core.service.turn import Turn

_TABLES = {str(Trigger.ON_JOBS_READY): HAS_COME_UP, str(Trigger.ON_JOBS_COMPLETE): HAS_ENDED}


class Armed:
    """One action. ``attempts`` and ``done`` are those of executions in its present arming that were lost."""

    __slots__ = (
        "arming", "attempts", "can", "count", "counter", "done", "done_by", "executed", "id", "persistent", "required",
        "trigger",
    )  # fmt: skip

    def __init__(self, action: WorkflowAction, arming: int, graph: WorkflowGraph) -> None:
        self.id = action.id
        self.trigger = action.trigger_type
        self.can = abilities(action)
        self.persistent = action.persistent
        self.required = action.required_triggers
        self.count = action.trigger_count
        self.executed = action.executed
        self.arming = arming
        self.counter: Counter | None = None
        self.attempts = self.done = 0
        self.done_by: set[int] = set()  # runners that have carried a persistent one out
        table = _TABLES.get(action.trigger_type)
        if table is not None:
            self.counter = Counter(action.id, _nodes_of(graph, action.job_ids or ()), table)

    @property
    def is_due(self) -> bool:
        """Whether somebody should carry it out."""
        return self.count >= self.required and not self.executed

    def begin_anew(self) -> None:
        """Forget who carried it out."""
        self.arming += 1
        self.executed = False
        self.attempts = self.done = 0
        self.done_by.clear()


def abilities(action: WorkflowAction) -> frozenset[str]:
    """Return the words one of which a runner must say to be given an action: its type, and what schedules its nodes."""
    config = action.action_config
    if action.action_type == ActionType.SCHEDULE_NODES and isinstance(config, dict):
        return frozenset([f"{action.action_type}:{config.get('scheduler_type')}"])
    return frozenset([action.action_type])


def _nodes_of(graph: WorkflowGraph, job_ids: Iterable[int]) -> list[int]:
    """Return the nodes of jobs, once each; those that are no jobs of the workflow never come."""
    found: dict[int, None] = {}
    for job_id in job_ids:
        try:
            found[graph.node(job_id)] = None
        except KeyError:
            continue
    return list(found)


class Execution(NamedTuple):
    """An execution that has not ended: of what, by which runner, in which arming."""

    armed: Armed
    node: int | None
    arming: int


class ActionIndex:
    """All actions of a workflow. ``running`` has the executions that have not ended, by their id."""

    __slots__ = ("_dirty", "_whole", "by_id", "due", "running", "watch")

    def __init__(self, actions: Iterable[Armed], graph: WorkflowGraph) -> None:
        self.by_id = {armed.id: armed for armed in actions}
        self.running: dict[int, Execution] = {}
        self.watch = Watch(graph, [a.counter for a in self.by_id.values() if a.counter is not None])
        graph.log = []
        self._whole = [a for a in self.by_id.values() if a.trigger == Trigger.ON_WORKFLOW_COMPLETE]
        self._dirty: set[int] = set()
        self.due: set[int] = set()
        for armed in self.by_id.values():
            self.count(armed, graph)

    def count(self, armed: Armed, graph: WorkflowGraph) -> None:
        """Bring one count to the present; one that was taken keeps what it was taken with."""
        if not armed.executed:
            now = armed.count
            if armed.counter is not None:
                now = armed.counter.count
            elif armed.trigger == Trigger.ON_WORKFLOW_COMPLETE:
                now = int(has_ended(graph))
            if now != armed.count:
                armed.count = now
                self._dirty.add(armed.id)
        self.judge(armed)

    def judge(self, armed: Armed) -> None:
        """Note whether an action is due."""
        if armed.is_due:
            self.due.add(armed.id)
        else:
            self.due.discard(armed.id)

    def settle(self, turn: Turn, graph: WorkflowGraph) -> None:
        """Take in what the graph has noted since the last time, and keep the counts that moved."""
        log = graph.log
        if log:
            moved = self.watch.take(graph, log)
            graph.log = []
            for counter in moved:
                self.count(self.by_id[counter.key], graph)
        for armed in self._whole:
            self.count(armed, graph)
        if self._dirty:
            rows = [(self.by_id[id].count, id) for id in sorted(self._dirty)]
            self._dirty.clear()
            turn.set_each(WorkflowAction, ("trigger_count",), rows)

    def holds_back(self, node_id: int) -> bool:
        """Whether a runner gets no jobs yet: commands run that come before all jobs, or before those of this runner."""
        return any(
            ActionType.RUN_COMMANDS in run.armed.can
            and (
                run.armed.trigger == Trigger.ON_WORKFLOW_START
                or (run.armed.trigger == Trigger.ON_WORKER_START and run.node == node_id)
            )
            for run in self.running.values()
        )


def has_ended(graph: WorkflowGraph) -> bool:
    """Whether every job has ended, and not because all of them are disabled."""
    return not graph.unfinished and bool(graph.find(COMPLETED, FAILED, CANCELED, TERMINATED))


def load_actions(storage: Storage, workflow_id: int, graph: WorkflowGraph) -> ActionIndex | None:
    """Read the actions of a workflow; None when it has none."""
    mine = [Condition("workflow_id", "equal", workflow_id)]
    names = [f.name for f in loaded_fields(WorkflowAction)]
    read = row_reader(WorkflowAction)
    actions = [read(row) for row in storage.rows(WorkflowAction, names, mine)]
    if not actions:
        return None
    armings: dict[int, int] = dict(storage.rows(WorkflowAction, ("id", "arming"), mine))  # type: ignore[arg-type]
    index = ActionIndex([Armed(action, armings[action.id], graph) for action in actions], graph)
    columns = ("id", "action_id", "arming", "compute_node_id", "status", "done")
    for id, action_id, arming, node, status, done in storage.rows(ActionRun, columns, mine):
        armed = index.by_id.get(action_id)
        if armed is not None:
            _take_in(index, armed, (id, arming, node, status, done))
    for armed in index.by_id.values():
        index.judge(armed)
    return index


def _take_in(index: ActionIndex, armed: Armed, run: tuple[Any, ...]) -> None:
    """Take in one execution of an action from its row."""
    id, arming, node, status, done = run
    if status == ActionRunStatus.RUNNING:
        index.running[id] = Execution(armed, node, arming)
    if arming != armed.arming:
        return
    if armed.persistent:
        armed.done_by.add(node)
    else:
        armed.attempts += 1
        if status == ActionRunStatus.LOST:
            armed.done = done
