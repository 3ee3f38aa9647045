"""About the service itself, and answers that are the same for many operations."""

from torc_core.records.values import Value, field


class Ping(Value, wire="PingResponse"):
    """A sign of life."""

    status: str = field()


class Version(Value, wire="VersionResponse"):
    """Which release answers."""

    version: str = field()
    api_version: str = field()
    git_hash: str | None = None


class Deleted(Value, wire="DeleteCountResponse"):
    """How many records are gone."""

    count: int = field()


class Change(Value):
    """The state of a workflow has moved on, or the wait is over."""

    version: int = field("raised by every change of the workflow")


class JobIds(Value, wire="ListJobIdsResponse"):
    """The ids of all jobs."""

    job_ids: list[int] = field()
    count: int = field()


class Message(Value, wire="MessageResponse"):
    """What was done, in words."""

    message: str = field()


class DeletedEntities(Value, wire="DeleteRoCrateEntitiesResponse"):
    """How many entities are gone."""

    deleted_count: int = field()
    message: str = field()
