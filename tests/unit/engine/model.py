"""The rules of jobs in their most obvious form: sets, dictionaries and loops until nothing changes. Slow on purpose."""

from __future__ import annotations

from collections.abc import Iterable

from torc_core.status import (
    BLOCKED,
    CANCELED,
    COMPLETED,
    DISABLED,
    FAILED,
    PENDING,
    PENDING_FAILED,
    READY,
    RUNNING,
    TERMINATED,
    UNINITIALIZED,
)

COMPLETE = {COMPLETED, FAILED, CANCELED, TERMINATED}
BAD = {FAILED, CANCELED, TERMINATED}
OVER = COMPLETE | {DISABLED}
HELD = {PENDING, RUNNING}


class ModelJob:
    """One job: what it waits for by name, what it reads and writes, how urgent it is."""

    def __init__(self, depends_on: set[int], reads: set[int], writes: set[int], flag: bool, priority: int) -> None:
        self.depends_on = depends_on
        self.reads = reads
        self.writes = writes
        self.flag = flag
        self.priority = priority
        self.status = UNINITIALIZED
        self.until: int | None = None  # the moment that it waits for while it is blocked

    def become(self, status: int) -> None:
        self.status = status
        self.until = None


class Model:
    """All jobs by number."""

    def __init__(self, jobs: list[ModelJob]) -> None:
        self.jobs = jobs
        self.is_canceled = False
        self.needs = self._needs()

    def _needs(self) -> list[set[int]]:
        jobs = self.jobs
        return [
            {
                other
                for other in range(len(jobs))
                if other != number and (other in job.depends_on or jobs[other].writes & job.reads)
            }
            for number, job in enumerate(jobs)
        ]

    def add(self, job: ModelJob) -> None:
        self.jobs.append(job)
        self.needs = self._needs()
        job.status = BLOCKED
        if self._decide(len(self.jobs) - 1):
            self._settle_after([len(self.jobs) - 1])

    def upstream(self, numbers: set[int]) -> set[int]:
        found = set(numbers)
        while more := {other for number in found for other in self.needs[number]} - found:
            found |= more
        return found

    def having(self, *statuses: int) -> list[int]:
        return [number for number, job in enumerate(self.jobs) if job.status in statuses]

    def statuses(self) -> list[int]:
        return [job.status for job in self.jobs]

    @property
    def unfinished(self) -> int:
        return sum(job.status not in OVER for job in self.jobs)

    def followers(self, number: int) -> list[int]:
        return [other for other, needs in enumerate(self.needs) if number in needs]

    def _decide(self, number: int) -> bool:
        """Settle one blocked job if all it needs is complete; True when that canceled it."""
        job = self.jobs[number]
        ended = [self.jobs[other].status for other in self.needs[number]]
        if job.status != BLOCKED or job.until is not None or any(status not in COMPLETE for status in ended):
            return False
        job.status = CANCELED if job.flag and any(status in BAD for status in ended) else READY
        return job.status == CANCELED

    def _settle_after(self, ended: Iterable[int]) -> None:
        news = set(ended)
        while news:
            touched = {number for number, needs in enumerate(self.needs) if needs & news}
            news = {number for number in touched if self._decide(number)}

    def claim(self, limit: int) -> list[int]:
        if self.is_canceled:
            return []
        order = sorted(self.having(READY), key=lambda number: (-self.jobs[number].priority, number))
        for number in order[:limit]:
            self.jobs[number].status = PENDING
        return order[:limit]

    def start(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if self.jobs[number].status == PENDING:
                self.jobs[number].status = RUNNING

    def release(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if self.jobs[number].status in HELD:
                self.jobs[number].status = READY

    def complete(self, reports: list[tuple[int, int]]) -> None:
        ended = set()
        for number, status in reports:
            if self.jobs[number].status not in COMPLETE:
                self.jobs[number].become(status)
                if status in COMPLETE:
                    ended.add(number)
        self._settle_after(ended)

    def cancel_all(self) -> None:
        self.is_canceled = True
        for number in self.having(PENDING, RUNNING):
            self.jobs[number].status = CANCELED

    def _take_back(self, number: int, before: dict[int, int]) -> None:
        """``number`` has not ended after all: what it had set free waits again."""
        for follower in self.followers(number):
            job = self.jobs[follower]
            if any(before[other] not in COMPLETE for other in self.needs[follower]):
                continue  # not settled: it became what it is by somebody's word
            had_bad = any(before[other] in BAD for other in self.needs[follower])
            if job.status == READY:
                job.status = BLOCKED
            elif job.status == CANCELED and job.flag and had_bad:
                job.status = BLOCKED
                self._take_back(follower, before)

    def retry(self, number: int, until: int | None = None) -> None:
        before = dict(enumerate(self.statuses()))
        self.jobs[number].become(READY if until is None else BLOCKED)
        self.jobs[number].until = until
        if before[number] in COMPLETE:
            self._take_back(number, before)

    def wake(self, now: int) -> None:
        for number, job in enumerate(self.jobs):
            if job.until is not None and job.until <= now:
                job.until = None
                if all(self.jobs[other].status in COMPLETE for other in self.needs[number]):
                    job.status = READY

    def set_status(self, number: int, status: int) -> None:
        before = dict(enumerate(self.statuses()))
        self.jobs[number].become(status)
        if before[number] not in COMPLETE:
            return
        self._take_back(number, before)
        if status == UNINITIALIZED:
            for follower in self.followers(number):
                now = dict(enumerate(self.statuses()))
                if now[follower] in (COMPLETED, FAILED):
                    self.jobs[follower].status = UNINITIALIZED
                    self._take_back(follower, now)

    def downstream(self, seeds: Iterable[int]) -> set[int]:
        reached: set[int] = set()
        front = set(seeds)
        while front:
            front = {
                follower
                for number in front
                for follower in self.followers(number)
                if follower not in reached and self.jobs[follower].status not in HELD | {DISABLED}
            }
            reached |= front
        return reached

    def reset(self, seeds: Iterable[int]) -> None:
        for number in set(seeds) | self.downstream(seeds):
            self.jobs[number].become(UNINITIALIZED)

    def reset_failed(self) -> None:
        self.reset(self.having(FAILED, CANCELED, TERMINATED, PENDING_FAILED))

    def initialize(self, only_uninitialized: bool) -> None:
        for job in self.jobs:
            job.until = None
        if only_uninitialized:
            self.reset(self.having(UNINITIALIZED, TERMINATED, PENDING_FAILED))
        else:
            for job in self.jobs:
                if job.status != DISABLED:
                    job.status = UNINITIALIZED
        waiting = self.having(UNINITIALIZED, BLOCKED) if only_uninitialized else self.having(UNINITIALIZED)
        for number in waiting:
            self.jobs[number].status = BLOCKED
        news = set(waiting)
        while any(self._decide(number) for number in sorted(news)):
            pass  # until no further job is canceled
