"""The start of a run, seen from the machine where the files are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from torc_core.records.answers import BegunRun, FileTimes
from torc_core.records.resources import File, Job, Workflow
from torc_core.service.api import Service
from torc_core.status import JobStatus

_NOT_SUCCEEDED = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.TERMINATED, JobStatus.PENDING_FAILED)


class Rerun(NamedTuple):
    """A finished job that runs again: why, and what of (a status, a path, a job; empty when it is the job itself)."""

    job_id: int
    name: str
    reason: str
    cause: str


def begin_run(
    service: Service, workflow_id: int, *, again: bool = False, force: bool = False, dry_run: bool = False
) -> BegunRun:
    """Look at the workflow's files here and begin (``dry_run``: describe) its next run; see ``Service.begin_run``."""
    return service.begin_run(workflow_id, file_times(service, workflow_id), again, force, dry_run)


def file_times(service: Service, workflow_id: int) -> FileTimes:
    """Return when each file of a workflow was changed; relative paths start where the workflow was created."""
    start = Path(service.get(Workflow, workflow_id).submission_directory or ".")
    if not start.is_dir():
        start = Path()
    times: dict[int, float | None] = {}
    for file in service.each(File, workflow_id):
        try:
            times[file.id] = os.stat(start / file.path).st_mtime  # noqa: PTH116 - a Path for each would double the time
        except (OSError, ValueError):
            times[file.id] = None
    return FileTimes(st_mtimes=times)


def explain_reruns(service: Service, begun: BegunRun) -> list[Rerun]:
    """Return why each of ``begun.rerun_jobs`` runs again, by job id."""
    again = set(begun.rerun_jobs)
    if not again:
        return []
    workflow_id = begun.workflow_id
    paths = {file.id: file.path for file in service.each(File, workflow_id)}
    changed = {id for id, path in paths.items() if path in begun.changed_files}
    missing = {id for id, time in file_times(service, workflow_id).st_mtimes.items() if time is None}
    upstream: dict[int, str] = {}
    for pair in service.list_job_dependencies(workflow_id).items:
        if pair.depends_on_job_name in again:
            upstream.setdefault(pair.job_id, pair.depends_on_job_name)
    reruns = []
    for job in service.each(Job, workflow_id, include_relationships=True):
        if job.name in again:
            reason, cause = _reason(job, paths, changed, missing, upstream)
            reruns.append(Rerun(job.id, job.name, reason, cause))
    return reruns


def _reason(
    job: Job, paths: dict[int, str], changed: set[int], missing: set[int], upstream: dict[int, str]
) -> tuple[str, str]:
    if job.status in _NOT_SUCCEEDED:
        return "did not succeed", job.status.value
    for id in job.input_file_ids or ():
        if id in changed:
            return "input changed", paths[id]
    for id in job.output_file_ids or ():
        if id in missing:
            return "output is missing", paths[id]
    if job.id in upstream:
        return "follows a job that runs again", upstream[job.id]
    return "definition or data changed", ""
