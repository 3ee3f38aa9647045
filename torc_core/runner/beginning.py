"""The start of a run, seen from the machine where the files are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from torc_core.errors import Conflict
from torc_core.records.answers import BegunRun, FileTimes, StatusSummary
from torc_core.records.resources import File, Job, Workflow
from torc_core.service.api import Service
from torc_core.status import JobStatus

_NOT_SUCCEEDED = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.TERMINATED, JobStatus.PENDING_FAILED)

_FOLLOWS = "follows a job that runs again"


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


def begin_first_run(service: Service, before: StatusSummary, *, force: bool = False) -> BegunRun | None:
    """Begin a run of a workflow without any, as it was ``before``; None when another runner was faster."""
    id = before.workflow_id
    try:
        return service.begin_run(id, file_times(service, id), force=force, after_run=before.run_id)
    except Conflict:
        if service.is_workflow_uninitialized(id).is_uninitialized:
            raise
        return None


def file_times(service: Service, workflow_id: int) -> FileTimes:
    """Return when each file of a workflow was changed; relative paths start here, where jobs would run."""
    times: dict[int, float | None] = {}
    for file in service.each(File, workflow_id):
        try:
            times[file.id] = os.stat(file.path).st_mtime  # noqa: PTH116 - a Path for each would double the time
        except (OSError, ValueError):
            times[file.id] = None
    return FileTimes(st_mtimes=times)


def made_elsewhere(service: Service, workflow_id: int) -> str | None:
    """Return the folder that a workflow was made in when it is another than this one."""
    folder = service.get(Workflow, workflow_id).submission_directory
    return folder if folder and Path(folder).resolve() != Path.cwd().resolve() else None


def explain_reruns(service: Service, begun: BegunRun) -> list[Rerun]:
    """Return why each of ``begun.rerun_jobs`` runs again, by job id."""
    if not begun.rerun_jobs:
        return []
    workflow_id, names = begun.workflow_id, set(begun.rerun_jobs)
    paths = {file.id: file.path for file in service.each(File, workflow_id)}
    changed_paths = set(begun.changed_files)
    changed = {id: path for id, path in paths.items() if path in changed_paths}
    missing = {id: paths[id] for id, time in file_times(service, workflow_id).st_mtimes.items() if time is None}
    again = [job for job in service.each(Job, workflow_id, include_relationships=True) if job.name in names]
    by_job = {job.id: job.name for job in again}
    by_file = {id: job.name for job in again for id in job.output_file_ids or ()}
    by_data = {id: job.name for job in again for id in job.output_user_data_ids or ()}

    def reason_of(job: Job) -> tuple[str, str]:
        if job.status in _NOT_SUCCEEDED:
            return "did not succeed", job.status.value
        for reason, ids, known in (
            ("input changed", job.input_file_ids, changed),
            ("output is missing", job.output_file_ids, missing),
            (_FOLLOWS, job.depends_on_job_ids, by_job),
            (_FOLLOWS, job.input_file_ids, by_file),
            (_FOLLOWS, job.input_user_data_ids, by_data),
        ):
            cause = next((known[id] for id in ids or () if id in known), None)
            if cause is not None:
                return reason, cause
        return "definition or data changed", ""

    return [Rerun(job.id, job.name, *reason_of(job)) for job in again]
