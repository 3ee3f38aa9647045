"""The variables that a job sees. Later ones win: the runner's own, the workflow's and job's, GPUs, TORC_*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torc_core.runner.gpus import ASSIGNED

if TYPE_CHECKING:
    from torc_core.records.answers import JobLaunch


RUNNER_VARIABLE = "TORC_RUNNER_ID"
"""Names the runner on its machine: by it what a killed runner left is found."""


DATABASE_VARIABLE = "TORC_DB"
"""Names the database of a runner, so that torc in its jobs finds the same workflows; it never holds a password."""
SECRETS = ("TORC_PASSWORD", "TORC_COOKIE_HEADER", "TORC_TOKEN")
"""What a user logs in with; jobs never see it."""
TOKEN_VARIABLE = "TORC_TOKEN"  # noqa: S105  (a name)
"""Holds what jobs log in with instead: a token that is good for their workflow only."""
URL_VARIABLE = "TORC_API_URL"
"""Names the server that it asks; a job is told one of the two, whatever its runner was told."""
NODE_VARIABLE = "TORC_SCHEDULED_NODE"
"""Tells a worker the allocation that it was started for, as ``TYPE:ID:SCHEDULER``; no job has one of its own."""

_MARKS = (RUNNER_VARIABLE, "TORC_WORKFLOW_ID", "TORC_RUN_ID", "TORC_JOB_ID", "TORC_ATTEMPT_ID")

_OF_A_JOB = frozenset(
    {
        *_MARKS, "TORC_JOB_NAME", "TORC_RETURN_CODE", "TORC_ORCHESTRATOR_LINEAGE_ID", "TORC_ACTION_ID",
        "TORC_TRIGGER_TYPE", "TORC_COMPUTE_NODE_ID",
    }
)  # fmt: skip
"""What a worker does not have of the job, the recovery or the action that asks for it."""


def marks_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the settings by which the processes of an attempt are told from all others, wherever they have gone."""
    return tuple(f"{name}={env[name]}" for name in _MARKS if name in env)


def runner_id(pid: int, start: str) -> str:
    """Return what names a runner among all processes of a machine since boot; ``start`` is when it began, in ticks."""
    return f"{pid}-{start}"


def run_environment(
    inherited: Mapping[str, str],
    workflow_id: int,
    run_id: int,
    output_dir: str,
    directory: str,
    api_url: str = "",
    submission_directory: str | None = None,
    runner: str = "",
    database: str = "",
    token: str = "",
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what all jobs of a run inherit, and what nothing of a job's own may replace.

    ``directory`` is where jobs run: a command started without a shell sees it in PWD as bash would show it.
    """
    fixed = {"TORC_WORKFLOW_ID": str(workflow_id), "TORC_RUN_ID": str(run_id), "TORC_OUTPUT_DIR": output_dir}
    left_out = {NODE_VARIABLE, *SECRETS}
    if api_url or database:
        left_out |= {DATABASE_VARIABLE, URL_VARIABLE}
        fixed |= {URL_VARIABLE: api_url} if api_url else {DATABASE_VARIABLE: database}
    inherited = {name: value for name, value in inherited.items() if name not in left_out}
    if token:
        fixed[TOKEN_VARIABLE] = token
    if runner:
        fixed[RUNNER_VARIABLE] = runner
    if submission_directory:
        fixed["TORC_WORKFLOW_SUBMISSION_DIR"] = submission_directory
    return {**inherited, "PWD": directory, **fixed}, fixed


def worker_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker, of what jobs inherit here: it is nobody's job, and nobody's leftover."""
    return {name: value for name, value in base.items() if name not in _OF_A_JOB}


def job_environment(
    base: dict[str, str], fixed: dict[str, str], job: JobLaunch, gpu_ids: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the whole environment of one job."""
    env = base.copy()
    if job.env:
        env.update(job.env)
        env.update(fixed)
    if gpu_ids:
        env.update(dict.fromkeys(ASSIGNED, ",".join(gpu_ids)))
    env["TORC_JOB_ID"] = str(job.id)
    env["TORC_JOB_NAME"] = job.name
    env["TORC_ATTEMPT_ID"] = str(job.attempt_id)
    return env
