"""Actions on their way to whoever carries them out, and back."""

from torc_core.records.actions import ActionRunStatus
from torc_core.records.values import Json, Value, field


class ActionClaim(Value, wire="ClaimActionRequest"):
    """Who takes an action."""

    compute_node_id: int | None = None


class ClaimedAction(Value, wire="ClaimActionResponse"):
    """An action that now belongs to the caller."""

    action_id: int = field()
    claimed: bool = True


class ActionLaunch(Value):
    """All a runner needs to carry out an action that it was given."""

    action_run_id: int = field("names this execution in reports")
    action_id: int = field()
    trigger_type: str = field()
    action_type: str = field()
    action_config: Json = field()
    attempt_id: int = 1
    done: int = field("so many commands or allocations are done already: begin behind them", default=0)


class ActionReport(Value):
    """How far an execution has come; ``lost`` gives it back, so that another runner goes on with it."""

    action_run_id: int | None = field("null: of an action that was taken with claim_action", default=None)
    status: ActionRunStatus = field()
    done: int = 0
    return_code: int | None = None
    command: str | None = None
    output: str | None = None
    log: str | None = None
    reason: str | None = None
