"""Checks of actions: what each type needs, and which jobs they wait for."""

from __future__ import annotations

from typing import Any

from torc_core.problems import Path, did_you_mean
from torc_core.spec.choices import ActionType, ExecutionMode, Trigger
from torc_core.spec.findings import BadText, Findings
from torc_core.spec.model import ActionSpec, WorkflowSpec
from torc_core.spec.references import Names

_JOB_TRIGGERS = (Trigger.ON_JOBS_READY, Trigger.ON_JOBS_COMPLETE)
_OWN_TYPES = ("slurm", "local")
_NODE_FIELDS = ("scheduler", "scheduler_type", "num_allocations", "start_one_worker_per_node", "max_parallel_jobs")


def plan_actions(spec: WorkflowSpec, jobs: Names, schedulers: Names, findings: Findings) -> list[dict[str, Any]]:
    """Return the actions with jobs and scheduler as positions, without the fields that their type does not use."""
    planned = []
    for place, action in enumerate(spec.actions or ()):
        path: Path = ("actions", place)
        label = f"action {place + 1}" + (f" ({action.action_type})" if action.action_type else "")
        made: dict[str, Any] = {"trigger_type": str(action.trigger_type), "action_type": str(action.action_type)}
        _plan_selection(action, path, label, jobs, made, findings)
        if action.action_type is ActionType.RUN_COMMANDS:
            _plan_commands(action, path, label, made, findings)
        elif action.action_type is ActionType.SCHEDULE_NODES:
            _plan_nodes(action, path, label, schedulers, made, findings)
            _check_mode(spec, action, path, label, findings)
        made["persistent"] = bool(action.persistent)
        planned.append(made)
    return planned


def _plan_selection(
    action: ActionSpec, path: Path, label: str, jobs: Names, made: dict[str, Any], findings: Findings
) -> None:
    is_given = action.jobs is not None or action.job_name_regexes is not None
    if action.trigger_type not in _JOB_TRIGGERS:
        if is_given and action.trigger_type is not None:
            what = f"{label}: its jobs have no effect with {action.trigger_type}"
            hint = "Use on_jobs_ready or on_jobs_complete to wait for jobs."
            field = "jobs" if action.jobs is not None else "job_name_regexes"
            findings.warning("action-fields", what, (*path, field), hint=hint)
        return
    if not is_given:
        what = f"{label}: {action.trigger_type} needs jobs or job_name_regexes; it could never fire"
        findings.error("action-fields", what, path)
        return
    wrong = False
    chosen: dict[int, None] = {}
    for i, name in enumerate(action.jobs or ()):
        position = jobs.by_name.get(name)
        if position is not None:
            chosen[position] = None
        elif name is not None:
            wrong = True
            if not jobs.may_exist(name):
                what = f'{label} waits for job "{name}", which is not defined'
                hint = did_you_mean(name, jobs.index.near(name)) or "Define it, or correct the name."
                findings.error("action-job-missing", what, (*path, "jobs", i), hint=hint, found=name)
    for i, pattern in enumerate(action.job_name_regexes or ()):
        if pattern is None:
            continue
        try:
            chosen.update(dict.fromkeys(jobs.index.matching(pattern)))
        except BadText as exc:
            wrong = True
            what = f"{label}: the pattern {pattern!r} cannot be used: {exc}"
            place = (*path, "job_name_regexes", i)
            findings.error("action-regex-bad", what, place, hint=exc.hint, found=pattern)
    if not chosen and not wrong and jobs.is_complete:
        findings.error("action-job-nomatch", f"{label}: its jobs and patterns match no job", path)
    made["jobs"] = sorted(chosen)


def _plan_commands(action: ActionSpec, path: Path, label: str, made: dict[str, Any], findings: Findings) -> None:
    if not action.commands:
        findings.error("action-fields", f"{label} needs a list of commands", (*path, "commands"))
    made["commands"] = list(action.commands or ())
    _warn_of_unused(action, _NODE_FIELDS, path, label, findings)


def _plan_nodes(
    action: ActionSpec, path: Path, label: str, schedulers: Names, made: dict[str, Any], findings: Findings
) -> None:
    if action.scheduler_type is None:
        hint = "Write scheduler_type: slurm, or local for workers on the runner's machine."
        findings.error("action-fields", f"{label} needs scheduler_type", (*path, "scheduler_type"), hint=hint)
    if action.scheduler is None and action.scheduler_type in ("slurm", None):
        hint = "Name one of slurm_schedulers."
        findings.error("action-fields", f"{label} needs scheduler", (*path, "scheduler"), hint=hint)
    made["scheduler_type"] = action.scheduler_type
    name = action.scheduler
    if action.scheduler_type == "slurm" and name is not None:
        position = schedulers.by_name.get(name)
        if position is None:
            what = f'{label} names scheduler "{name}", which is not defined'
            hint = did_you_mean(name, schedulers.by_name) or "Define it under slurm_schedulers."
            findings.error("action-sched-missing", what, (*path, "scheduler"), hint=hint, found=name)
        else:
            made["scheduler"] = position
    elif action.scheduler_type not in (*_OWN_TYPES, None):
        what = f"{label}: scheduler_type {action.scheduler_type!r} is not slurm or local: a plugin has to serve it"
        hint = did_you_mean(action.scheduler_type, _OWN_TYPES)
        findings.warning("action-fields", what, (*path, "scheduler_type"), hint=hint, found=action.scheduler_type)
    made["num_allocations"] = 1 if action.num_allocations is None else action.num_allocations
    made["start_one_worker_per_node"] = bool(action.start_one_worker_per_node)
    if action.max_parallel_jobs is not None:
        made["max_parallel_jobs"] = action.max_parallel_jobs
    _warn_of_unused(action, ("commands",), path, label, findings)


def _warn_of_unused(action: ActionSpec, fields: tuple[str, ...], path: Path, label: str, findings: Findings) -> None:
    for field in fields:
        if getattr(action, field) is not None:
            findings.warning("action-fields", f"{label} does not use {field}", (*path, field), hint="Remove it.")


def _check_mode(spec: WorkflowSpec, action: ActionSpec, path: Path, label: str, findings: Findings) -> None:
    mode = spec.execution_config.mode if spec.execution_config is not None else None
    if action.start_one_worker_per_node and mode in (ExecutionMode.SLURM, ExecutionMode.AUTO):
        what = f"{label}: start_one_worker_per_node needs execution_config mode direct, not {mode}"
        findings.error("execution-config", what, (*path, "start_one_worker_per_node"))
