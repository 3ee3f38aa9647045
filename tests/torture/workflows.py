"""Random workflows of real processes that note what happens to them, and what must have come of them, by hand."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

NOTES = "notes.txt"
FLAKY_CODE, BROKEN_CODE = 7, 3
GOOD, FLAKY, BROKEN = "good", "flaky", "broken"
_KINDS = (GOOD, GOOD, GOOD, GOOD, FLAKY, BROKEN)
_ENOUGH = 1000  # attempts: kills use some up, too


class Wanted(NamedTuple):
    """A job: what kind it is, what it waits for, whether it runs although that failed."""

    kind: str
    needs: frozenset[int]
    goes_on: bool
    seconds: float


def random_jobs(chance: random.Random) -> list[Wanted]:
    """Return 6 to 14 jobs; each waits for some of those before it."""
    count = chance.randint(6, 14)
    return [
        Wanted(
            chance.choice(_KINDS),
            frozenset(chance.sample(range(number), min(number, chance.randint(0, 3)))),
            chance.random() < 0.3,
            chance.choice((0.0, 0.01, 0.03, 0.1)),
        )
        for number in range(count)
    ]


def layers(count: int, width: int) -> list[Wanted]:
    """Return layers of good jobs that each wait for the whole layer before."""
    return [
        Wanted(GOOD, frozenset(range((layer - 1) * width, layer * width) if layer else ()), False, 0.01 + i / 1000)
        for layer in range(count)
        for i in range(width)
    ]


def spec_of(jobs: list[Wanted]) -> dict[str, Any]:
    """Return the workflow: a job notes its start and its end; a flaky one fails the first time it gets that far."""
    return {
        "name": "torture",
        "failure_handlers": [
            {"name": "again", "rules": [{"exit_codes": [FLAKY_CODE], "max_retries": _ENOUGH}]},
        ],
        "jobs": [_job(number, job) for number, job in enumerate(jobs)],
    }


def _job(number: int, job: Wanted) -> dict[str, Any]:
    steps = [_note("start"), f"sleep {job.seconds}"] if job.seconds else [_note("start")]
    if job.kind == FLAKY:
        steps.append(f"if [ ! -e tried{number} ]; then touch tried{number}; exit {FLAKY_CODE}; fi")
    if job.kind == BROKEN:
        steps.append(f"exit {BROKEN_CODE}")
    made: dict[str, Any] = {"name": f"j{number}", "command": "; ".join([*steps, _note("end")])}
    if job.needs:
        made["depends_on"] = [f"j{other}" for other in sorted(job.needs)]
    if job.goes_on:
        made["cancel_on_blocking_job_failure"] = False
    if job.kind == FLAKY:
        made["failure_handler"] = "again"
    return made


def _note(word: str) -> str:
    return f"echo {word} $TORC_JOB_ID $TORC_ATTEMPT_ID >> {NOTES}"


def statuses_of(jobs: list[Wanted]) -> list[str]:
    """Return how each job must end, whatever is killed: good and flaky ones complete unless they are canceled."""
    ends: list[str] = []
    for job in jobs:
        is_hurt = any(ends[other] != "completed" for other in job.needs)
        if is_hurt and not job.goes_on:
            ends.append("canceled")
        else:
            ends.append("failed" if job.kind == BROKEN else "completed")
    return ends
