"""Which jobs others wait for in the end: blocked jobs are walked up to what has not ended and does not wait itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torc_core.diagnosis.facts import JobFacts
from torc_core.status import JobStatus

Thing = tuple[str, int]


class Links:
    """Who waits for whom, through jobs, files and user data; files of many jobs are one step, not all pairs."""

    def __init__(self, jobs: Sequence[JobFacts]) -> None:
        self.jobs = {job.id: job for job in jobs}
        self._followers: dict[int, list[int]] = {}
        self._readers: dict[Thing, list[int]] = {}
        for job in jobs:
            for other in job.waits_for:
                self._followers.setdefault(other, []).append(job.id)
            for thing in job.reads:
                self._readers.setdefault(thing, []).append(job.id)

    def behind(self, roots: Iterable[int], among: JobStatus) -> set[int]:
        """Return the jobs with a status that follow from ``roots`` through jobs with that status only."""
        found: set[int] = set()
        passed: set[Thing] = set()
        waiting = list(roots)
        while waiting:
            job = self.jobs.get(waiting.pop())
            if job is None:
                continue
            next_ids = list(self._followers.get(job.id, ()))
            for thing in job.writes:
                if thing not in passed:
                    passed.add(thing)
                    next_ids += self._readers.get(thing, ())
            for id in next_ids:
                if id not in found and self.jobs[id].status is among:
                    found.add(id)
                    waiting.append(id)
        return found


def blocking(links: Links, statuses: Iterable[JobStatus], among: JobStatus) -> Mapping[JobStatus, set[int]]:
    """Return, for each status, the jobs with the status ``among`` that wait for some job that has it."""
    by_status: dict[JobStatus, list[int]] = {}
    for job in links.jobs.values():
        by_status.setdefault(job.status, []).append(job.id)
    found = {status: links.behind(by_status.get(status, ()), among) for status in statuses}
    return {status: ids for status, ids in found.items() if ids}


def heaviest(links: Links, roots: Iterable[int], among: JobStatus, most: int = 50) -> tuple[JobFacts, int] | None:
    """Return the one of (the first ``most``) roots that most jobs wait for, and how many these are."""
    best: tuple[JobFacts, int] | None = None
    for id in list(roots)[:most]:
        count = len(links.behind([id], among))
        if count and (best is None or count > best[1]):
            best = (links.jobs[id], count)
    return best
