"""Failures that somebody decides about."""

import enum

from torc_core.records.answers.claims import CompletionError
from torc_core.records.values import Value, field


class Resolution(enum.StrEnum):
    """What becomes of a job whose failure nobody had judged."""

    RETRY = "retry"
    FAIL = "fail"


class FailureResolution(Value):
    """A decision about jobs that are pending_failed."""

    job_ids: list[int] = field("the jobs that are decided about")
    decision: Resolution = field("retry: they run again; fail: what waits for them moves on or is canceled")
    reason: str | None = field("for people; kept with the event", default=None)
    delay_seconds: float = field("before they run again", default=0.0)


class ResolvedFailures(Value):
    """Which jobs were decided about."""

    resolved: list[int] = field("ids of jobs")
    errors: list[CompletionError] = field("of the others")
