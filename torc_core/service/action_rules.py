"""What an action must look like, and what the service fills in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torc_core.errors import Invalid
from torc_core.problems import did_you_mean
from torc_core.records.resources import WorkflowAction
from torc_core.service.turn import Turn, of_workflow
from torc_core.spec.choices import ActionType, Trigger

JOB_TRIGGERS = (Trigger.ON_JOBS_READY, Trigger.ON_JOBS_COMPLETE)
_INT32 = 2**31


def prepare(action: WorkflowAction) -> None:
    """Check a new action and compute what it waits for; raises Invalid.

    Unknown triggers and types are kept, as on the published wire: nothing carries them out.
    """
    action.action_config = check_config(action.action_type, action.action_config)
    if action.job_ids is not None:
        action.job_ids = list(dict.fromkeys(action.job_ids))
    action.required_triggers = required(action.trigger_type, action.job_ids)


def required(trigger_type: str, job_ids: list[int] | None) -> int:
    """Return how often a trigger has to come, which is the number of jobs for those about jobs."""
    return max(1, len(job_ids or ())) if trigger_type in JOB_TRIGGERS else 1


def check_config(action_type: str, config: Any) -> Any:
    """Return the configuration of an action as it is kept; raises Invalid."""
    if action_type == ActionType.RUN_COMMANDS:
        return _commands(config)
    if action_type == ActionType.SCHEDULE_NODES:
        return _nodes(config)
    return config


def merged(action: WorkflowAction, changes: Any) -> Any:
    """Return the configuration with members of ``changes`` in it, null for those that go; raises Invalid."""
    if not isinstance(changes, dict) or not changes:
        raise Invalid("the changes must be a mapping with at least one member", field="body")
    before = action.action_config if isinstance(action.action_config, dict) else {}
    after = {name: value for name, value in {**before, **changes}.items() if value is not None}
    return check_config(action.action_type, after)


def _commands(config: Any) -> dict[str, Any]:
    commands = _mapping(config).get("commands")
    _refuse_others(config, ("commands",))
    if not isinstance(commands, list) or not commands or not all(isinstance(line, str) for line in commands):
        raise Invalid(
            "action_config of run_commands must be {commands: [...]}, at least one text", field="action_config"
        )
    return {"commands": commands}


def _nodes(config: Any) -> dict[str, Any]:
    kept = dict(_mapping(config))
    _refuse_others(kept, tuple(_NODES))
    if kept.get("scheduler_type") != "slurm":
        kept.setdefault("scheduler_id", 0)  # only Slurm has settings that nothing goes without
    for name, (is_right, expected, default) in _NODES.items():
        value = kept.get(name)
        if value is None:
            kept.pop(name, None)
            if default is _NEEDED:
                raise Invalid(f"action_config: {name} is missing: expected {expected}", field=f"action_config.{name}")
            if default is not None:
                kept[name] = default
        elif not is_right(value):
            raise Invalid(f"action_config: {name} must be {expected}, not {value!r}", field=f"action_config.{name}")
    return kept


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value < _INT32


_NEEDED = object()
_NODES: dict[str, tuple[Callable[[Any], bool], str, Any]] = {
    "scheduler_type": (lambda value: isinstance(value, str) and bool(value), "text like slurm or local", _NEEDED),
    "scheduler_id": (lambda value: type(value) is int, "the id of a scheduler, 0 for none", _NEEDED),
    "num_allocations": (_is_count, "a whole number from 1", 1),
    "start_one_worker_per_node": (lambda value: isinstance(value, bool), "true or false", False),
    "max_parallel_jobs": (_is_count, "a whole number from 1", None),
}
"""Members of the configuration of schedule_nodes: what fits them, in code and words, and their defaults."""


def _mapping(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise Invalid("action_config must be a mapping", field="action_config")
    return config


def _refuse_others(config: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in config:
        if name not in known:
            hint = did_you_mean(name, known) or f"Known: {', '.join(known)}"
            raise Invalid(f"action_config has no member {name!r}", hint=hint, field=f"action_config.{name}")


def take_out_jobs(turn: Turn, workflow_id: int, gone: set[int]) -> None:
    """Have actions wait no longer for jobs that are deleted."""
    for action in turn.records(WorkflowAction, of_workflow(workflow_id)):
        left = [id for id in action.job_ids or () if id not in gone]
        if action.job_ids is not None and len(left) < len(action.job_ids):
            needed = required(action.trigger_type, left)
            row = (_ids_text(left), needed, action.id)
            turn.set_each(WorkflowAction, ("job_ids", "required_triggers"), [row])


def _ids_text(ids: list[int]) -> str:
    return f"[{','.join(map(str, ids))}]"
