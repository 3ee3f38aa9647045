"""The report that compares what attempts used with what they had asked for, as data. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torc_core.engine.resource_rules import Attempt, Comparison, Diagnosis, Resource, compare, diagnose
from torc_core.units import counted, human_duration

LEAST_PERCENT = 1.0
"""Less above what was asked for is no violation worth a line."""


class Line(NamedTuple):
    """One resource of one attempt."""

    attempt: Attempt
    comparison: Comparison

    @property
    def texts(self) -> tuple[str, str, str]:
        """What was asked for, used at most, and how far that is above."""
        found = self.comparison
        asked, used = (amount_text(found.resource, amount) for amount in (found.specified, found.used))
        return asked, used, percent_over(found)


def lines_of(
    attempts: Iterable[Attempt], least_percent: float = LEAST_PERCENT, *, everything: bool = False
) -> list[Line]:
    """Return the violations, with ``everything`` also what stayed within what was asked for."""
    return [
        Line(attempt, comparison)
        for attempt in attempts
        for comparison in compare(attempt)
        if everything or is_notable(comparison, least_percent)
    ]


def is_notable(comparison: Comparison, least_percent: float) -> bool:
    """Say whether a use is far enough above what was asked for."""
    return comparison.is_violation and comparison.over_percent >= least_percent


def report(
    workflow_id: int,
    attempts: Sequence[Attempt],
    *,
    run_id: int | None = None,
    least_percent: float = LEAST_PERCENT,
    everything: bool = False,
    failures: Sequence[Diagnosis] | None = None,
) -> dict[str, Any]:
    """Return the report in its published shape; ``failures`` is the part about attempts that ended badly."""
    listed = lines_of(attempts, least_percent, everything=everything)
    body: dict[str, Any] = {"workflow_id": workflow_id}
    if run_id is not None:
        body["run_id"] = run_id
    body |= {
        "total_results": len(attempts),
        "over_utilization_count": sum(is_notable(line.comparison, least_percent) for line in listed),
        "violations": [_violation(line) for line in listed],
    }
    if failures is not None:
        body |= {
            "resource_violations_count": len(failures),
            "resource_violations": [failure(diagnosis) for diagnosis in failures],
        }
    return body


def diagnoses(attempts: Iterable[Attempt], oom_code: int, timeout_code: int) -> list[Diagnosis]:
    """Judge the attempts that ended badly."""
    return [diagnose(attempt, oom_code, timeout_code) for attempt in attempts if attempt.has_failed]


def _violation(line: Line) -> dict[str, Any]:
    specified, used, over = line.texts
    return {
        "job_id": line.attempt.job_id, "job_name": line.attempt.job_name,
        "resource_type": line.comparison.resource.value, "specified": specified, "peak_used": used,
        "over_utilization": over,
    }  # fmt: skip


def failure(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return what is known of an attempt that ended badly; flags that are false are left out."""
    attempt, needs = diagnosis.attempt, diagnosis.attempt.needs
    body: dict[str, Any] = {
        "job_id": attempt.job_id, "job_name": attempt.job_name, "return_code": attempt.return_code,
        "exec_time_minutes": attempt.seconds / 60, "configured_memory": needs.memory,
        "configured_runtime": needs.runtime, "configured_cpus": needs.num_cpus,
    }  # fmt: skip
    if attempt.peak_memory_bytes is not None:
        body["peak_memory_bytes"] = attempt.peak_memory_bytes
        body["peak_memory_formatted"] = memory_text(attempt.peak_memory_bytes)
    if diagnosis.likely_oom:
        body |= {"likely_oom": True, "oom_reason": diagnosis.oom_reason}
        if diagnosis.memory is not None and diagnosis.memory.is_violation:
            body["memory_over_utilization"] = percent_over(diagnosis.memory)
    if diagnosis.likely_timeout:
        body["likely_timeout"] = True
        if diagnosis.timeout_reason is not None:
            body["timeout_reason"] = diagnosis.timeout_reason
        if diagnosis.runtime_percent is not None:
            body["runtime_utilization"] = f"{diagnosis.runtime_percent:.1f}%"
    if diagnosis.likely_cpu_violation:
        body["likely_cpu_violation"] = True
    if attempt.peak_cpu_percent is not None:
        body["peak_cpu_percent"] = attempt.peak_cpu_percent
    if diagnosis.likely_runtime_violation:
        body["likely_runtime_violation"] = True
    return body


def percent_over(comparison: Comparison) -> str:
    """Write how far a use is above (or below) what was asked for."""
    over = comparison.over_percent
    return f"{over:+.1f}%" if over != float("inf") else "not asked for"


def amount_text(resource: Resource, amount: float) -> str:
    """Write an amount of a resource for people."""
    if resource is Resource.MEMORY:
        return memory_text(int(amount))
    if resource is Resource.CPU:
        cores = amount / 100
        return f"{amount:.0f}% ({counted(int(cores), 'core')})" if cores == int(cores) else f"{amount:.1f}%"
    return human_duration(amount)


def memory_text(size: int) -> str:
    """Write bytes as reports have always done: ``512.0 MB`` or ``1.50 GB``, binary units."""
    return f"{size / 2**20:.1f} MB" if size < 2**30 else f"{size / 2**30:.2f} GB"
