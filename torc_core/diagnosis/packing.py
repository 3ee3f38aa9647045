"""Why ready jobs are not given to the runners that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

from torc_core.diagnosis.facts import Facts, JobFacts, RunnerFacts
from torc_core.engine.lanes import Lane, are_offered
from torc_core.status import JobStatus
from torc_core.units import counted, human_duration, human_memory


class Misfit(NamedTuple):
    """Something that ready jobs ask for and no runner has; the sentence goes on after "N ready jobs"."""

    code: str
    sentence: str
    jobs: list[JobFacts]


def fits(needs: Lane, runner: RunnerFacts) -> bool:
    """Whether a runner would take a job while nothing else runs there."""
    return runner.room.admits(needs._replace(runtime_s=0), any_scheduler=True) and runner.has_time_for(needs.runtime_s)


def misfits(
    jobs: Iterable[JobFacts], runners: Sequence[RunnerFacts], *, are_past: bool = False
) -> tuple[list[Misfit], list[JobFacts]]:
    """Return why jobs fit none of the runners, most jobs first, and the jobs that fit one."""
    by_needs: dict[Lane, list[JobFacts]] = {}
    for job in jobs:
        by_needs.setdefault(job.needs._replace(priority=0), []).append(job)
    found: dict[tuple[str, str], list[JobFacts]] = {}
    fitting: list[JobFacts] = []
    for needs, members in by_needs.items():
        if any(fits(needs, runner) for runner in runners):
            fitting += members
        else:
            found.setdefault(_reason(needs, runners, are_past=are_past), []).extend(members)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return [Misfit(code, sentence, members) for (code, sentence), members in ordered], fitting


def _reason(needs: Lane, runners: Sequence[RunnerFacts], *, are_past: bool) -> tuple[str, str]:
    """Return the first thing that no runner has, of those runners that have all before it."""
    nobody, has = ("no runner so far", "had") if are_past else ("no runner", "has")
    left = [runner for runner in runners if are_offered(needs.labels, runner.room.labels)]
    if not left:
        if needs.labels:
            return (
                "labels",
                f"want a runner with the labels {', '.join(sorted(needs.labels))}, and none offers them all",
            )
        return "labels", "have no labels, and runners with labels take only jobs that have some"
    among = ""  # what those have that are left
    for code, amount, word in (
        ("cpus", needs.cpus, "cpus"), ("memory", needs.memory_bytes, "memory_bytes"), ("gpus", needs.gpus, "gpus"),
        ("nodes", needs.nodes, "nodes"),
    ):  # fmt: skip
        most = max(getattr(runner.room, word) for runner in left)
        enough = [runner for runner in left if amount <= getattr(runner.room, word)]
        if not enough:
            return code, f"need {_amount(code, amount)}, and {nobody}{among} {has} more than {_amount(code, most)}"
        if len(enough) < len(left):
            among = f"{among} and {_amount(code, amount)}" if among else f" with {_amount(code, amount)}"
        left = enough
    longest = max(runner.seconds_left or 0 for runner in left)
    wanted, there = human_duration(needs.runtime_s), human_duration(max(0, longest))
    return "runtime", f"need {wanted} of run time, and {nobody}{among} {has} more than {there} left"


def _amount(code: str, amount: int) -> str:
    if code == "memory":
        return f"{human_memory(amount)} of memory"
    word = {"cpus": "CPU", "gpus": "GPU", "nodes": "node"}[code]
    return counted(amount, word)


def numbers(facts: Facts) -> dict[str, Any]:
    """Return the figures of the published report: run times of ready jobs beside the time that runners have left."""
    runners, ready = facts.alive, facts.with_status(JobStatus.READY)
    left = [runner.seconds_left for runner in runners if runner.seconds_left is not None]
    wanted = [float(job.needs.runtime_s) for job in ready]
    blocked = sum(not _has_time(job, runners) for job in ready) if runners else 0
    longest = max(wanted, default=0.0)
    body: dict[str, Any] = {
        "active_allocations": len(runners), "allocations_with_walltime": len(left),
        "allocations_unlimited": len(runners) - len(left), "has_unlimited_allocation": len(left) < len(runners),
        "ready_jobs": len(ready), "ready_jobs_with_runtime": len(wanted),
    }  # fmt: skip
    if left:
        body["allocation_remaining"] = _spread(left)
    if wanted:
        body["ready_job_runtime"] = _spread(wanted)
    too_short = sum(not runner.has_time_for(longest) for runner in runners)
    return body | {
        "runtime_blocked_jobs": blocked, "allocations_too_short_for_longest": too_short, "runtime_blocked": blocked > 0
    }  # fmt: skip


def _has_time(job: JobFacts, runners: Sequence[RunnerFacts]) -> bool:
    """Whether a runner that takes jobs with its labels has time for a job; where there is none, time is not it."""
    offering = [runner for runner in runners if are_offered(job.needs.labels, runner.room.labels)]
    return not offering or any(runner.has_time_for(job.needs.runtime_s) for runner in offering)


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {
        "count": len(values), "min_seconds": min(values), "median_seconds": median(values), "max_seconds": max(values)
    }  # fmt: skip
