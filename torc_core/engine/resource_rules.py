"""What attempts of jobs used beside what they had asked for: violations, likely causes of failures. No I/O.

Everybody who judges resources uses these rules: reports, corrections, recovery, diagnosis. Rates are in percent; 100 is
all that was asked for, or one CPU.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from torc_core.records.resources import ResourceRequirements
from torc_core.status import JobStatus
from torc_core.units import human_duration, human_memory, parse_duration, parse_memory

DEFAULT = "default"
"""The requirements of jobs that name none: they say how to pack such jobs, and limit nothing."""
OOM_CODE, TIMEOUT_CODE = 137, 152
_EARLY_PERCENT = 80.0  # a job killed before so much of its run time was over was not killed for its time
_LATE_PERCENT = 90.0


class Needs(NamedTuple):
    """A requirements record, and what its texts stand for."""

    id: int
    name: str
    num_cpus: int
    memory: str
    runtime: str
    memory_bytes: int
    runtime_seconds: int

    @classmethod
    def of(cls, record: ResourceRequirements) -> Needs:
        """Read a record; raises UnitError for texts that nobody checked."""
        return cls(
            record.id, record.name, record.num_cpus, record.memory, record.runtime, parse_memory(record.memory),
            parse_duration(record.runtime),
        )  # fmt: skip

    @property
    def are_limits(self) -> bool:
        """Whether somebody asked for them, so that using more is a violation."""
        return self.name != DEFAULT


class Attempt(NamedTuple):
    """How one attempt of a job ended, with what it used; None is not known."""

    job_id: int
    job_name: str
    needs: Needs
    status: JobStatus
    return_code: int
    seconds: float
    peak_memory_bytes: int | None = None
    peak_cpu_percent: float | None = None
    is_outdated: bool = False  # its requirements were other ones when it ran

    @property
    def has_failed(self) -> bool:
        """Whether it ended in failure, or was ended."""
        return self.status in (JobStatus.FAILED, JobStatus.TERMINATED, JobStatus.PENDING_FAILED)


class Resource(enum.StrEnum):
    """What can be used beyond what was asked for."""

    MEMORY = "Memory"
    CPU = "CPU"
    RUNTIME = "Runtime"


class Comparison(NamedTuple):
    """One resource of an attempt: asked for and used at most, in bytes, percent of a CPU, or seconds."""

    resource: Resource
    specified: float
    used: float

    @property
    def over_percent(self) -> float:
        """How far the use is above (negative: below) what was asked for."""
        if self.specified:
            return (self.used - self.specified) / self.specified * 100
        return float("inf") if self.used else 0.0

    @property
    def is_violation(self) -> bool:
        """Whether more was used than asked for."""
        return self.used > self.specified


def compare(attempt: Attempt) -> list[Comparison]:
    """Return what is known of an attempt's use beside its requirements; nothing where these limit nothing."""
    needs = attempt.needs
    if not needs.are_limits:
        return []
    found = []
    if attempt.peak_memory_bytes is not None:
        found.append(Comparison(Resource.MEMORY, needs.memory_bytes, attempt.peak_memory_bytes))
    if attempt.peak_cpu_percent is not None:
        found.append(Comparison(Resource.CPU, 100 * needs.num_cpus, attempt.peak_cpu_percent))
    found.append(Comparison(Resource.RUNTIME, needs.runtime_seconds, attempt.seconds))
    return found


class Diagnosis(NamedTuple):
    """Why an attempt is likely to have failed, as far as resources tell."""

    attempt: Attempt
    oom_reason: str | None = None  # memory_exceeded or sigkill_137
    timeout_reason: str | None = None  # sigxcpu_152
    memory: Comparison | None = None
    cpu: Comparison | None = None
    runtime: Comparison | None = None

    @property
    def likely_oom(self) -> bool:
        """Whether it lacked memory."""
        return self.oom_reason is not None

    @property
    def runtime_percent(self) -> float | None:
        """How much of the run time asked for it took."""
        return None if self.runtime is None or not self.runtime.specified else self.runtime.over_percent + 100

    @property
    def likely_timeout(self) -> bool:
        """Whether it lacked time."""
        share = self.runtime_percent
        return self.timeout_reason is not None or (share is not None and share > _LATE_PERCENT)

    @property
    def likely_cpu_violation(self) -> bool:
        """Whether it used more CPUs than it had asked for."""
        return self.cpu is not None and self.cpu.is_violation

    @property
    def likely_runtime_violation(self) -> bool:
        """Whether it ran longer than it had asked for."""
        return self.runtime is not None and self.runtime.is_violation

    @property
    def is_unknown(self) -> bool:
        """Whether resources do not explain the failure."""
        return not self.likely_oom and not self.likely_timeout

    def sentence(self) -> str:
        """Say in a sentence what happened."""
        attempt, needs = self.attempt, self.attempt.needs
        if self.oom_reason == "memory_exceeded":
            used = human_memory(attempt.peak_memory_bytes or 0)
            return f"used {used} of memory; it had asked for {human_memory(needs.memory_bytes)}"
        if self.likely_oom:
            return f"was killed (return code {attempt.return_code}), probably because memory ran out"
        if self.likely_timeout:
            asked = f"; it had asked for {human_duration(needs.runtime_seconds)}" if needs.are_limits else ""
            return f"ran for {human_duration(attempt.seconds)}{asked}"
        return f"ended with return code {attempt.return_code}; what it used does not explain that"


def diagnose(attempt: Attempt, oom_code: int = OOM_CODE, timeout_code: int = TIMEOUT_CODE) -> Diagnosis:
    """Judge an attempt that failed; the codes are those of the workflow's execution configuration."""
    found = {comparison.resource: comparison for comparison in compare(attempt)}
    memory, runtime = found.get(Resource.MEMORY), found.get(Resource.RUNTIME)
    oom = timeout = None
    if memory is not None and memory.is_violation:
        oom = "memory_exceeded"
    elif attempt.return_code in (oom_code, OOM_CODE) and not _took(runtime, _EARLY_PERCENT):
        oom = "sigkill_137"
    if attempt.return_code in (timeout_code, TIMEOUT_CODE):
        timeout = "sigxcpu_152"
    return Diagnosis(attempt, oom, timeout, memory, found.get(Resource.CPU), runtime)


def _took(runtime: Comparison | None, percent: float) -> bool:
    """Say whether at least so much of the run time was over; where there is no limit it never is."""
    return runtime is not None and runtime.over_percent + 100 >= percent
