"""``torc jobs spawn``: a running job adds jobs to its workflow."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.reading import plain_data, read_source
from torc_core.contracts.formats import FormatError
from torc_core.errors import UsageError
from torc_core.problems import ProblemsFound
from torc_core.records.answers.spawning import SpawnRequest
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.records.answers.spawning import SpawnedJobs

_JOB, _LINEAGE = "TORC_JOB_ID", "TORC_ORCHESTRATOR_LINEAGE_ID"
_EXAMPLES = """
torc jobs spawn next.yaml --state '{"loss": 0.2}'
echo '[{"name": "part_7", "command": "work 7"}]' | torc jobs spawn -
torc jobs spawn --state '{"loss": 0.01}'
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@click.argument("file", required=False)
@click.option("--state", metavar="JSON", help="Kept with the count of calls, for the next in line.")
@click.option("--lineage", help="What the calls are counted by (that of the job, else the name of the job).")
@click.option("--job-id", type=int, help="The running job that adds jobs (TORC_JOB_ID).")
@pass_app
def spawn(app: App, file: str | None, state: str | None, lineage: str | None, job_id: int | None) -> None:
    """Add the jobs in FILE (-: standard input) to the workflow of the running job that calls this.

    FILE has a list of jobs, or a mapping with jobs, files, user_data, state and lineage, in any format of specs.
    All are added or none; the same call again adds nothing. Without FILE, --state is kept as the last word of the
    lineage.
    """
    body: dict[str, Any] = {"jobs": []} if file is None else _read(app, file)
    if state is not None:
        body["state"] = _json(state)
    if file is None and state is None:
        raise UsageError("nothing to add", hint="Name a file with jobs, or - for standard input.")
    if lineage or body.get("lineage") is None:
        body["lineage"] = lineage or os.environ.get(_LINEAGE) or None
    added = app.service().spawn_jobs(_caller(job_id), SpawnRequest.read(body))
    _tell(app, added, is_last=not body["jobs"])


def _read(app: App, file: str) -> dict[str, Any]:
    source = read_source(app, file, kinds=(dict, list))
    try:
        data = plain_data(source.format.read(source.text).data)
    except FormatError as exc:
        raise ProblemsFound(source.name, [exc.problem._replace(file=source.name)]) from exc
    if isinstance(data, list):
        return {"jobs": data}
    if not isinstance(data, dict):
        raise UsageError(f"{source.name} has no jobs", hint="Write a list of jobs, each with a name and a command.")
    return data


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise UsageError(f"--state is not JSON: {exc}", hint="Text needs quotes of its own: '\"text\"'") from exc


def _caller(job_id: int | None) -> int:
    """Return the job that calls; raises UsageError outside of a job."""
    if job_id is not None:
        return job_id
    text = os.environ.get(_JOB, "")
    if not text.isdecimal():
        raise UsageError(
            f"which job adds jobs is not known: {_JOB} is not set", hint="Call this in a job, or name one with --job-id"
        )
    return int(text)


def _tell(app: App, added: SpawnedJobs, *, is_last: bool) -> None:
    if app.wants_json:
        echo_json({"spawned_job_ids": added.spawned_job_ids, "iteration": added.iteration})
    elif is_last:
        echo(f"Kept the last state after {counted(added.iteration, 'call')}")
    else:
        ids = ", ".join(map(str, added.spawned_job_ids[:10]))
        more = len(added.spawned_job_ids) - 10
        shown = f"{ids} and {more} more" if more > 0 else ids
        echo(f"{counted(len(added.spawned_job_ids), 'job')} in call {added.iteration}: {shown}")
