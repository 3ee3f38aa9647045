"""Groups of people, the workflows that are open to them, tokens for runners."""

from torc_core.operations import operation
from torc_core.records.access import AccessGroup, UserGroupMembership, WorkflowAccessGroup
from torc_core.records.answers.access import AccessCheck, NewToken, ReloadedAuth, TokenRequest
from torc_core.records.record import MAX_LIMIT, Page

_TAG = "access_control"


class AccessOperations:
    """Groups of people, the workflows that are open to them, tokens for runners."""

    @operation("GET", "/access_groups/{id}/members", _TAG)
    def list_group_members(self, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[UserGroupMembership]:
        """List the members of a group, by name."""

    @operation("POST", "/access_groups/{id}/members", _TAG)
    def add_user_to_group(self, id: int, member: UserGroupMembership) -> UserGroupMembership:
        """Make somebody a member; the group is the one of the path."""

    @operation("DELETE", "/access_groups/{id}/members/{user_name}", _TAG)
    def remove_user_from_group(self, id: int, user_name: str) -> UserGroupMembership:
        """End a membership; the answer is what it was."""

    @operation("GET", "/users/{user_name}/groups", _TAG)
    def list_user_groups(self, user_name: str, offset: int = 0, limit: int = MAX_LIMIT) -> Page[AccessGroup]:
        """List the groups that somebody is a member of, by name."""

    @operation("GET", "/workflows/{id}/access_groups", _TAG)
    def list_workflow_groups(self, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[AccessGroup]:
        """List the groups that may use a workflow, by name."""

    @operation("POST", "/workflows/{id}/access_groups/{group_id}", _TAG)
    def add_workflow_to_group(self, id: int, group_id: int) -> WorkflowAccessGroup:
        """Let the members of a group use a workflow."""

    @operation("DELETE", "/workflows/{id}/access_groups/{group_id}", _TAG)
    def remove_workflow_from_group(self, id: int, group_id: int) -> WorkflowAccessGroup:
        """Close a workflow to a group; the answer is what was."""

    @operation("GET", "/access_check/{workflow_id}/{user_name}", _TAG)
    def check_workflow_access(self, workflow_id: int, user_name: str) -> AccessCheck:
        """Say whether somebody may use a workflow: as its owner, a member of one of its groups, an administrator.

        This is worked out although access control may be off. Nobody may use a workflow that does not exist.
        """

    @operation("POST", "/admin/reload-auth", _TAG)
    def reload_auth(self) -> ReloadedAuth:
        """Read the file of users again and forget the logins that were verified."""

    @operation("POST", "/workflows/{id}/worker_tokens", _TAG)
    def create_worker_token(self, id: int, new: TokenRequest) -> NewToken:
        """Make a secret with which runners and jobs of one workflow do their work, and nothing else.

        It is told this once. Its bearer acts in the name of who made it, as long as that person may use the workflow.
        """
