"""About the service itself, and answers that are the same for many operations."""

from torc_core.records.values import Value, field


class Ping(Value, wire="PingResponse"):
    """A sign of life."""

    status: str = field("ok")


class Version(Value, wire="VersionResponse"):
    """Which release answers."""

    version: str = field("of the program")
    api_version: str = field("of the API")
    git_hash: str | None = field("of the source, when that is known", default=None)


class Deleted(Value, wire="DeleteCountResponse"):
    """How many records are gone."""

    count: int = field("how many there were")


class Change(Value):
    """The state of a workflow has moved on, or the wait is over."""

    version: int = field("raised by every change of the workflow")


class JobIds(Value, wire="ListJobIdsResponse"):
    """The ids of all jobs."""

    job_ids: list[int] = field("their ids")
    count: int = field("how many there are")


class Message(Value, wire="MessageResponse"):
    """What was done, in words."""

    message: str = field("for people")


class DeletedEntities(Value, wire="DeleteRoCrateEntitiesResponse"):
    """How many entities are gone."""

    deleted_count: int = field("how many there were")
    message: str = field("what was done, in words")
