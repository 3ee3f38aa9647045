"""Short ways to say what tests of added jobs say often."""

from __future__ import annotations

from typing import Any

from tests.unit.service.conftest import Desk
from torc_core.records.answers.spawning import SpawnedJobs, SpawnRequest
from torc_core.records.resources import Job, UserData


def running(desk: Desk, *needs: tuple[int, ...], **columns: Any) -> int:
    """Make a workflow whose first job runs; returns that job's id."""
    desk.jobs(*(needs or ((),)), **columns)
    desk.begin()
    job = desk.tick(limit=1).jobs[0]
    desk.started(job.id)
    return job.id


def request(*names: str, **more: Any) -> SpawnRequest:
    return SpawnRequest.read({"jobs": [{"name": name, "command": "true"} for name in names], **more})


def spawn(desk: Desk, job_id: int, *names: str, **more: Any) -> SpawnedJobs:
    return desk.service.spawn_jobs(job_id, request(*names, **more))


def spawn_jobs(desk: Desk, job_id: int, *jobs: dict[str, Any], **more: Any) -> SpawnedJobs:
    jobs = tuple({"command": "true", **job} for job in jobs)
    return desk.service.spawn_jobs(job_id, SpawnRequest.read({"jobs": list(jobs), **more}))


def by_name(desk: Desk) -> dict[str, Job]:
    return {job.name: job for job in desk.service.each(Job, desk.workflow_id, include_relationships=True)}


def records(desk: Desk) -> dict[str, Any]:
    return {d.name: d.data for d in desk.service.find(UserData, desk.workflow_id).items}


def run_all(desk: Desk, **codes: int) -> list[str]:
    """Run everything that becomes ready; returns the names in order."""
    order = []
    while jobs := desk.tick(limit=9).jobs:
        order += [job.name for job in jobs]
        desk.finished({job.id: codes.get(job.name, 0) for job in jobs})
    return order
