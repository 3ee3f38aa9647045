"""Actions on their way to whoever carries them out, and back."""

from torc_core.records.actions import ActionRunStatus
from torc_core.records.values import Json, Value, field


class ActionClaim(Value, wire="ClaimActionRequest"):
    """Who takes an action."""

    compute_node_id: int | None = field("the runner that takes it; none for a person", default=None)


class ClaimedAction(Value, wire="ClaimActionResponse"):
    """An action that now belongs to the caller."""

    action_id: int = field("the action that was asked for")
    claimed: bool = field("whether it is the caller's now", default=True)


class ActionLaunch(Value):
    """All a runner needs to carry out an action that it was given."""

    action_run_id: int = field("names this execution in reports")
    action_id: int = field("the action to carry out")
    trigger_type: str = field("what it was due at")
    action_type: str = field("run_commands or schedule_nodes")
    action_config: Json = field("the commands, or the nodes to ask for")
    attempt_id: int = field("counts runners that had it, from 1", default=1)
    done: int = field("so many commands or allocations are done already: begin behind them", default=0)


class ActionReport(Value):
    """How far an execution has come; ``lost`` gives it back, so that another runner goes on with it."""

    action_run_id: int | None = field("null: of an action that was taken with claim_action", default=None)
    status: ActionRunStatus = field("how far it has come")
    done: int = field("commands or allocations that are done", default=0)
    return_code: int | None = field("of the last command", default=None)
    command: str | None = field("the one that failed", default=None)
    output: str | None = field("the end of what it wrote", default=None)
    log: str | None = field("the file with all it wrote", default=None)
    reason: str | None = field("why it failed, where the code does not say it", default=None)
