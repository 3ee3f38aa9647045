"""Long operations that go on after their request was answered."""

import enum

from torc_core.records.record import WorkflowPart
from torc_core.records.values import Json, field


class TaskStatus(enum.StrEnum):
    """How far a task has come."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Task(WorkflowPart, plural="tasks", verbs="get"):
    """One long operation on a workflow; at most one of a workflow is active."""

    operation: str = field("initialize_jobs")
    status: TaskStatus = field("how far it has come")
    created_at_ms: int = field("ms since 1970")
    started_at_ms: int | None = field("ms since 1970", default=None)
    finished_at_ms: int | None = field("ms since 1970", default=None)
    error: str | None = field("why it failed", default=None)
    given: Json = field("the arguments that tell it from another of the operation", default=None, internal=True)
    process: str | None = field("the owner that carries it out", default=None, internal=True)
