"""Who may use which workflows: groups, their members, the workflows that are open to them."""

from torc_core.records.record import Record, WorkflowPart
from torc_core.records.values import field


class AccessGroup(Record, plural="access_groups", verbs="create get find delete", unique=("name",)):
    """People who may use the same workflows."""

    name: str = field("unique")
    description: str | None = None
    created_at: str | None = field("UTC", default=None, read_only=True)


class UserGroupMembership(Record, plural="user_group_memberships", verbs="", unique=("group_id", "user_name")):
    """One person in one group."""

    group_id: int = field("the group", default=0, refers="access_groups")
    user_name: str = field()
    role: str = field("member or admin; an admin manages the members")
    created_at: str | None = field("UTC", default=None, read_only=True)


class WorkflowAccessGroup(WorkflowPart, plural="workflow_access_groups", verbs="", unique=("workflow_id", "group_id")):
    """A group that may use a workflow."""

    group_id: int = field(refers="access_groups")
    created_at: str | None = field("UTC", default=None, read_only=True)
