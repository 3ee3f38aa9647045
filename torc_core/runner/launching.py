"""From a claimed job to a request for an executor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.contracts.executor import LaunchRequest, command_of
from torc_core.runner.environment import (
    job_environment,
    marks_of,
    run_environment,
    runner_id,
    worker_environment,
)
from torc_core.runner.output_files import OutputFiles, Streams
from torc_core.service.processes import start_of

if TYPE_CHECKING:
    from torc_core.records.answers import JobLaunch
    from torc_core.records.answers.actions import ActionLaunch
    from torc_core.records.resources import Workflow
    from torc_core.runner.limits import Limits
    from torc_core.runner.options import RunnerOptions


def _here() -> str:
    """Return the working directory the way a shell shows it: as the user came to it, when that is known."""
    shown = os.environ.get("PWD", "")
    if shown.startswith("/") and Path(shown).is_dir() and Path(shown).samefile("."):
        return shown
    return str(Path.cwd())


class Launcher:
    """Makes the requests of one run."""

    def __init__(self, workflow: Workflow, options: RunnerOptions, limits: Limits) -> None:
        self._limits = limits
        self._may_group = options.use_cgroups
        self.output_files = OutputFiles(options.output_dir, workflow.id, workflow.run_id, workflow.execution_config)
        self._base, self._fixed = run_environment(
            os.environ, workflow.id, workflow.run_id, options.output_dir, _here(), options.api_url,
            workflow.submission_directory, runner_id(os.getpid(), start_of(os.getpid())), options.database,
            options.token,
        )  # fmt: skip
        self._workflow_env = workflow.env or {}

    def recovery_request(
        self, job: JobLaunch, return_code: int, script: str, gpu_ids: tuple[str, ...]
    ) -> LaunchRequest:
        """Return what starts the recovery script after an attempt that ended with ``return_code``."""
        log = self.output_files.recovery_log(job)
        env = job_environment(self._base, self._fixed, job, gpu_ids)
        env["TORC_RETURN_CODE"] = str(return_code)
        return LaunchRequest(
            f"{job.id}:{job.attempt_id}:recovery", f"{job.name} (recovery)", script, env, log, log,
            cpus=job.num_cpus, gpu_ids=gpu_ids, supports_termination=True,
        )  # fmt: skip

    def action_request(
        self, action: ActionLaunch, number: int, command: str, compute_node_id: int, seconds: float | None
    ) -> LaunchRequest:
        """Return what starts a command of an action, the first of which has the number 1: in the output folder."""
        stem = self.output_files.action_log(action.action_id, compute_node_id, number)
        folder = str(Path(self._fixed["TORC_OUTPUT_DIR"]).absolute())
        env = {
            **self._base, **self._workflow_env, **self._fixed, "PWD": folder, "TORC_OUTPUT_DIR": folder,
            "TORC_ACTION_ID": str(action.action_id), "TORC_TRIGGER_TYPE": action.trigger_type,
            "TORC_COMPUTE_NODE_ID": str(compute_node_id),
        }  # fmt: skip
        return LaunchRequest(
            f"action:{action.action_run_id}:{number}", f"action {action.action_id}, command {number}", command, env,
            f"{stem}.o", f"{stem}.e", folder, walltime_seconds=seconds, supports_termination=True,
        )  # fmt: skip

    def worker_environment(self) -> dict[str, str]:
        """Return the environment of another runner of the same workflow, which this one does not look after."""
        return worker_environment(self._base)

    def request(self, job: JobLaunch, gpu_ids: tuple[str, ...]) -> tuple[LaunchRequest, Streams]:
        """Return what starts a job, and where its streams go; raises Invalid for settings that make no sense."""
        streams, limits = self.output_files.of(job), self._limits
        env = job_environment(self._base, self._fixed, job, gpu_ids)
        walltime = limits.walltime(job.requirements_name, job.runtime_seconds)
        memory = limits.memory(job.requirements_name, job.memory_bytes)
        request = LaunchRequest(
            f"{job.id}:{job.attempt_id}",
            job.name,
            command_of(job.command, job.invocation_script) if job.invocation_script else job.command,
            env,
            streams.stdout,
            streams.stderr,
            None,
            job.num_cpus,
            job.memory_bytes,
            gpu_ids,
            job.num_nodes,
            walltime,
            job.supports_termination,
            memory,
            limits.sigterm_lead_seconds,
            limits.termination_signal,
            marks_of(env),
            self._may_group and bool(walltime or memory),
        )
        return request, streams
