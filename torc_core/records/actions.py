"""What became of actions: each time that one was carried out, or begun."""

import enum

from torc_core.records.record import WorkflowPart
from torc_core.records.values import field


class ActionRunStatus(enum.StrEnum):
    """How far one execution of an action has come."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    LOST = "lost"


class ActionRun(WorkflowPart, plural="action_runs", verbs="get find"):
    """One execution of an action: by whom, when, and how it went."""

    action_id: int = field("the action", refers="workflow_actions", filter=True)
    run_id: int = field("of the workflow", filter=True)
    arming: int = field("which arming of the action it belongs to", default=0, internal=True)
    compute_node_id: int | None = field(
        "the runner; null: somebody else", default=None, filter=True, mentions="compute_nodes"
    )
    attempt_id: int = field("above 1: the runner before was gone before it was done", default=1)
    status: ActionRunStatus = field("lost: its runner was gone before it was done")
    done: int = field("commands that ended well, or allocations that were asked for", default=0)
    return_code: int | None = field("of the last command", default=None)
    command: str | None = field("the command that failed", default=None)
    output: str | None = field("the end of what that command wrote", default=None)
    log: str | None = field("log file of the last command, on the runner's machine", default=None)
    reason: str | None = field("why it failed or was given up", default=None)
    started_at: str | None = field("UTC", default=None)
    finished_at: str | None = field("UTC", default=None)
