"""Long operations."""

from torc_core.records.tasks import Task
from torc_core.records.values import Value, field


class ActiveTask(Value, wire="ActiveTaskResponse"):
    """The task of a workflow that goes on."""

    task: Task | None = field("nothing when none goes on", default=None)
