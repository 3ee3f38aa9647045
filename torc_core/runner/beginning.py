"""The start of a run, seen from the machine where the files are."""

from __future__ import annotations

import os
from pathlib import Path

from torc_core.records.answers import BegunRun, FileTimes
from torc_core.records.resources import File, Workflow
from torc_core.service.api import Service


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
