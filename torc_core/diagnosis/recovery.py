"""Which failed jobs to run again, and with what: the plan of a recovery."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from torc_core.engine.corrections import Adjustment, Decide, Multipliers, plan_corrections
from torc_core.engine.failures import LOST_CODE
from torc_core.engine.resource_rules import OOM_CODE, TIMEOUT_CODE, Attempt, Diagnosis, diagnose


class Cause(enum.StrEnum):
    """Why a job is likely to have failed."""

    MEMORY = "memory"
    TIMEOUT = "timeout"
    LOST = "lost"
    UNKNOWN = "unknown"


class Failure(NamedTuple):
    """A failed job with its cause, in a word and in a sentence."""

    attempt: Attempt
    cause: Cause
    sentence: str  # goes on after the job's name

    @property
    def text(self) -> str:
        """Say which job failed why."""
        return f"{self.attempt.job_name} {self.sentence}"


class RecoveryPlan(NamedTuple):
    """What a recovery does. Jobs without a cause are tried again only when that was asked for."""

    failures: list[Failure]
    retried: list[Failure]
    left: list[Failure]
    adjustments: list[Adjustment]
    oom_code: int = OOM_CODE
    timeout_code: int = TIMEOUT_CODE

    @property
    def job_ids(self) -> list[int]:
        """The jobs that run again, in order."""
        return sorted(failure.attempt.job_id for failure in self.retried)

    def count(self, cause: Cause) -> int:
        """Return how many jobs with a cause run again."""
        return sum(failure.cause is cause for failure in self.retried)


def plan_recovery(
    attempts: Iterable[Attempt],
    jobs: Mapping[int, Collection[int]],
    *,
    memory_multiplier: float = 1.5,
    runtime_multiplier: float = 1.5,
    retry_unknown: bool = False,
    leave: Collection[Cause] = (),
    oom_code: int = OOM_CODE,
    timeout_code: int = TIMEOUT_CODE,
    decide: Decide = lambda adjustment: None,
) -> RecoveryPlan:
    """Return what to do about failed ``attempts``; ``jobs`` as for ``plan_corrections``.

    Memory and run time that were too little are raised, and CPUs that were too few by the memory's factor. What was
    lost with its runner needs nothing but another try. Jobs are left alone whose cause is in ``leave``.
    """
    failures = [_judge(diagnose(attempt, oom_code, timeout_code)) for attempt in attempts]
    skipped = {*leave, *(() if retry_unknown else (Cause.UNKNOWN,))}
    retried = [failure for failure in failures if failure.cause not in skipped]
    left = [failure for failure in failures if failure not in retried]
    known = [failure.attempt for failure in retried if failure.cause in (Cause.MEMORY, Cause.TIMEOUT)]
    factors = Multipliers(memory_multiplier, runtime_multiplier, memory_multiplier)
    adjustments = plan_corrections(
        known, jobs, factors, oom_code=oom_code, timeout_code=timeout_code, decide=decide
    )  # fmt: skip
    return RecoveryPlan(failures, retried, left, adjustments, oom_code, timeout_code)


def _judge(diagnosis: Diagnosis) -> Failure:
    attempt = diagnosis.attempt
    if attempt.return_code == LOST_CODE:
        return Failure(attempt, Cause.LOST, "was lost with its runner")
    if diagnosis.is_unknown:
        return Failure(attempt, Cause.UNKNOWN, diagnosis.sentence())
    if not attempt.needs.are_limits:  # nothing that could be raised
        return Failure(attempt, Cause.UNKNOWN, f"{diagnosis.sentence()}; give it resource requirements of its own")
    return Failure(attempt, Cause.MEMORY if diagnosis.likely_oom else Cause.TIMEOUT, diagnosis.sentence())
