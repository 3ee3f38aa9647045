"""The start of a run, seen from the machine where the files are."""

from __future__ import annotations

import os
from pathlib import Path

from torc_core.errors import Conflict
from torc_core.records.answers import BegunRun, FileTimes, StatusSummary
from torc_core.records.resources import File, Workflow
from torc_core.service.api import Service


def begin_run(
    service: Service, workflow_id: int, *, again: bool = False, force: bool = False, dry_run: bool = False,
    after_run: int | None = None, only_reset: bool = False,
) -> BegunRun:  # fmt: skip
    """Look at the workflow's files here and begin (``dry_run``: describe) its next run; see ``Service.begin_run``."""
    times = file_times(service, workflow_id)
    return service.begin_run(workflow_id, times, again, force, dry_run, after_run, only_reset)


def begin_first_run(service: Service, before: StatusSummary, *, force: bool = False) -> BegunRun | None:
    """Begin a run of a workflow without any, as it was ``before``; None when another runner was faster."""
    id = before.workflow_id
    try:
        return begin_run(service, id, force=force, after_run=before.run_id)
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
