"""Who may use which workflows: groups, their members, the workflows that are open to them, tokens of runners."""

from torc_core.records.record import Record, WorkflowPart
from torc_core.records.values import field

SYSTEM_GROUP = "admin"
"""The group of the administrators; the service keeps it, nobody changes it."""
GROUP_ADMIN = "admin"
"""The role of a member who manages the members."""


class AccessGroup(Record, plural="access_groups", verbs="create get find delete", unique=("name",), sorted_by="name"):
    """People who may use the same workflows."""

    name: str = field("unique")
    description: str | None = field("who they are", default=None)
    created_at: str | None = field("UTC", default=None, read_only=True)


class UserGroupMembership(
    Record,
    plural="user_group_memberships",
    verbs="",
    unique=("group_id", "user_name"),
    indexes=("user_name",),
    sorted_by="user_name",
):
    """One person in one group."""

    group_id: int = field("the group", default=0, refers="access_groups")
    user_name: str = field("who")
    role: str = field("member or admin; an admin manages the members")
    created_at: str | None = field("UTC", default=None, read_only=True)


class WorkflowAccessGroup(WorkflowPart, plural="workflow_access_groups", verbs="", unique=("workflow_id", "group_id")):
    """A group that may use a workflow."""

    group_id: int = field("the group", refers="access_groups")
    created_at: str | None = field("UTC", default=None, read_only=True)


class WorkerToken(WorkflowPart, plural="worker_tokens", verbs="get find delete"):
    """A secret with which runners and jobs of one workflow do their work, and nothing else; deleting revokes it."""

    description: str | None = field("what it is for", default=None)
    user: str = field("who made it, and in whose name its bearer acts")
    created_at: str = field("UTC")
    expires_at: str | None = field("UTC; null: when its workflow is deleted", default=None)
    digest: str = field("SHA-256 of the secret", internal=True)
