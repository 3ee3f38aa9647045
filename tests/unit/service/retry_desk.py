"""Short ways to say what tests of retries say often."""

from __future__ import annotations

from typing import Any

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.records.answers import FailureResolution, FinishedJob, Resolution
from torc_core.records.resources import Event, Job, Result
from torc_core.status import JobStatus


def failed(job_id: int, attempt: int = 1, **more: Any) -> FinishedJob:
    """The report of an attempt that is to be tried again."""
    return end(job_id, 1, attempt).changed(again=True, decided="a rule", **more)


def run_and_fail(desk: Desk, *, job: int = 0, **more: Any) -> int:
    """Claim and start everything that is ready, report that one of it failed and is tried again; returns its id."""
    jobs = desk.tick(limit=9).jobs
    desk.started(*(job.id for job in jobs))
    desk.tick(finished=[failed(jobs[job].id, jobs[job].attempt_id, **more)])
    return jobs[job].id


def results(desk: Desk) -> list[tuple[int, int, int, str]]:
    return [
        (r.job_id, r.attempt_id, r.return_code, r.status.value)
        for r in desk.service.find(Result, desk.workflow_id, all_runs=True).items
    ]


def events(desk: Desk, kind: str) -> list[Any]:
    return [e.data for e in desk.service.find(Event, desk.workflow_id).items if e.data.get("event_type") == kind]


def undecided(desk: Desk) -> list[int]:
    """A workflow a -> b, c -> d in which a and c are pending_failed; returns their ids."""
    desk.jobs((), (0,), (), (2,))
    desk.begin()
    jobs = [job.id for job in desk.tick(limit=9).jobs]
    desk.started(*jobs)
    desk.tick(finished=[end(id, 7).changed(status=JobStatus.PENDING_FAILED) for id in jobs])
    return jobs


def decide(desk: Desk, decision: Resolution, ids: list[int], **more: Any) -> Any:
    choice = FailureResolution(job_ids=ids, decision=decision, **more)
    return desk.service.resolve_failures(desk.workflow_id, choice)


def complete(desk: Desk, job_id: int, status: JobStatus = JobStatus.COMPLETED, code: int = 0, attempt: int = 1) -> Job:
    """Say by the published call how a job ended."""
    result = Result(
        workflow_id=desk.workflow_id, job_id=job_id, run_id=1, attempt_id=attempt, return_code=code, status=status,
        exec_time_minutes=0.0, completion_time=MOMENT,
    )  # fmt: skip
    return desk.service.complete_job(job_id, status, 1, result)
