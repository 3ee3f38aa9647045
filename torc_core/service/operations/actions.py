"""What happens when something happens: actions, taken and carried out."""

from torc_core.operations import operation
from torc_core.records.actions import ActionRun
from torc_core.records.answers import Message
from torc_core.records.answers.actions import ActionClaim, ActionReport, ClaimedAction
from torc_core.records.resources import WorkflowAction
from torc_core.records.values import Json

_ONE = "/workflows/{id}/actions/{action_id}"


class ActionOperations:
    """Actions: which are due, who takes them, how they went."""

    @operation("GET", "/workflows/{id}/actions/pending", "workflow_actions")
    def get_pending_actions(self, id: int, trigger_type: list[str] | None = None) -> list[WorkflowAction]:
        """List the actions that are due and that nobody has taken, with one of these triggers if any are named."""

    @operation("POST", _ONE + "/claim", "workflow_actions")
    def claim_action(self, id: int, action_id: int, claim: ActionClaim) -> ClaimedAction:
        """Take an action, for good: it is not given to anybody else, whatever becomes of the caller.

        Conflict when somebody has it. A persistent one can be taken any number of times. Runners of ours do not ask for
        this: a tick gives them what is due, and takes it back when they are gone.
        """

    @operation("POST", _ONE + "/finish", "workflow_actions")
    def finish_action(self, id: int, action_id: int, report: ActionReport) -> ActionRun:
        """Say how an execution goes or went; the same report again changes nothing.

        ``lost`` says that it was not brought to its end: the action is given to somebody else.
        """

    @operation("PUT", _ONE, "workflow_actions")
    def update_workflow_action(self, id: int, action_id: int, body: Json) -> WorkflowAction:
        """Merge members into the configuration of an action; what comes of it is checked like a new one."""

    @operation("DELETE", _ONE, "workflow_actions")
    def delete_workflow_action(self, id: int, action_id: int) -> Message:
        """Remove an action with the record of its executions."""
