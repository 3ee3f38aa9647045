"""Checks of what goes to Slurm: schedulers, sbatch defaults, and whether jobs fit their schedulers."""

from __future__ import annotations

import re

from torc_core.problems import Path
from torc_core.spec.choices import ActionType
from torc_core.spec.findings import Findings, quoted
from torc_core.spec.model import SlurmSchedulerSpec, WorkflowSpec
from torc_core.spec.plan import Plan
from torc_core.spec.walltime import is_bare_number, parse_walltime
from torc_core.units import HOUR, KIB, UnitError, human_duration, human_memory, parse_duration, parse_memory

_FORBIDDEN = frozenset(("partition", "nodes", "walltime", "time", "mem", "gres", "name", "job-name"))
_SLURM_MEMORY = re.compile(r"(\d{1,15})([kmgt]?)b?", re.IGNORECASE)
_GPU = re.compile(r"(?<!\w)gpu(?::[^:,()]*[^:,()\d][^:,()]*)?(?::(\d{1,6}))?(?=[,(]|$)")
BUILT_IN_REQUIREMENTS = {"num_cpus": 1, "memory": "1m", "num_gpus": 0, "num_nodes": 1, "runtime": "P0DT1M"}
"""What jobs have that name no requirements."""


def check_slurm_defaults(spec: WorkflowSpec, findings: Findings) -> None:
    """Refuse sbatch options that schedulers decide, and warn of values that cannot be written."""
    for key, value in (spec.slurm_defaults or {}).items():
        path: Path = ("slurm_defaults", key)
        if key.lower().replace("_", "-") in _FORBIDDEN:
            what = f"slurm_defaults cannot set {key!r}"
            findings.error("slurm-defaults", what, path, hint="Set it in slurm_schedulers.", found=key)
        elif value is None or isinstance(value, dict | list):
            what = f"slurm_defaults: the value of {key!r} is not text, a number or true/false, and is left out"
            findings.warning("slurm-defaults", what, path, found=key)


def check_scheduler(scheduler: SlurmSchedulerSpec, path: Path, findings: Findings) -> None:
    """Check the values of one scheduler that Slurm would refuse."""
    text = scheduler.walltime
    if text is not None:
        try:
            seconds = parse_walltime(text)
        except UnitError as exc:
            findings.error("walltime", f"walltime: {exc}", (*path, "walltime"), found=text)
        else:
            if is_bare_number(text):
                what = f"walltime {text!r} means {text.strip()} minutes"
                hours = seconds // 60 * HOUR
                hint = f"Write '{hours // HOUR:02d}:00:00' for hours."
                findings.warning("walltime", what, (*path, "walltime"), hint=hint, found=text)
    if scheduler.mem is not None and _slurm_memory(scheduler.mem) is None:
        what = f"mem: cannot read {scheduler.mem!r} as a size"
        findings.error("slurm-mem", what, (*path, "mem"), hint="Write it like 200G or 4000M.", found=scheduler.mem)


def _slurm_memory(text: str) -> int | None:
    """Return bytes for Slurm's notation, in which a bare number counts MiB; 0 asks for the whole node."""
    match = _SLURM_MEMORY.fullmatch(text.strip())
    return int(match[1]) * KIB ** (1 + "kmgt".index((match[2] or "m").lower())) if match else None


def gpus_of(gres: str | None) -> int:
    """Return the GPUs that a generic resource text such as ``gpu:a100:4`` asks for."""
    return sum(int(match[1] or 1) for match in _GPU.finditer(gres or ""))


def check_nodes(spec: WorkflowSpec, plan: Plan, findings: Findings) -> None:
    """Refuse jobs of several nodes whose scheduler allocates another number of nodes for one runner."""
    by_name = {scheduler["name"]: i for i, scheduler in enumerate(plan.schedulers)}
    for place, action in enumerate(spec.actions or ()):
        position = by_name.get(action.scheduler or "")
        if action.action_type is not ActionType.SCHEDULE_NODES or position is None or action.start_one_worker_per_node:
            continue
        nodes = plan.schedulers[position]["nodes"]
        wrong = [job.name for job in plan.jobs if job.scheduler == position and _asks(plan, job.requirements, nodes)]
        if nodes > 1 and wrong:
            what = f'scheduler "{action.scheduler}" allocates {nodes} nodes, but {quoted(wrong)} ask for another number'
            hint = "Make num_nodes and nodes equal, or use start_one_worker_per_node."
            findings.error("node-mismatch", what, ("actions", place, "scheduler"), hint=hint)


def _asks(plan: Plan, requirements: int, nodes: int) -> bool:
    asked = plan.requirements[requirements]["num_nodes"] if requirements >= 0 else 1
    return asked > 1 and asked != nodes


def check_fit(spec: WorkflowSpec, plan: Plan, findings: Findings) -> None:
    """Refuse jobs that their scheduler, or without one any scheduler, could never hold."""
    if not plan.schedulers:
        return
    other_gpus = any("gpu" in key.lower() or "gres" in key.lower() for key in spec.slurm_defaults or {})
    told: set[tuple[int, int]] = set()
    for job in plan.jobs:
        pair = (job.requirements, job.scheduler)
        if pair in told:
            continue
        told.add(pair)
        needs = plan.requirements[job.requirements] if job.requirements >= 0 else BUILT_IN_REQUIREMENTS
        chosen = plan.schedulers if job.scheduler < 0 else [plan.schedulers[job.scheduler]]
        reasons = [_too_small(needs, scheduler, other_gpus) for scheduler in chosen]
        if all(reasons):
            alike = sum((other.requirements, other.scheduler) == pair for other in plan.jobs)
            who = f'job "{job.name}"' + (f" and {alike - 1:,} more" if alike > 1 else "")
            which = f'scheduler "{chosen[0]["name"]}"' if len(chosen) == 1 else "any scheduler"
            what = f"{who} cannot fit {which}: {reasons[0]}"
            findings.error("fit", what, job.path, hint="Change the scheduler or the requirements.")


def _too_small(needs: dict[str, object], scheduler: dict[str, object], other_gpus: bool) -> str:
    """Return why a scheduler cannot hold a requirement, empty when it can or that cannot be known."""
    try:
        runtime, walltime = parse_duration(str(needs["runtime"])), parse_walltime(str(scheduler["walltime"]))
        memory = parse_memory(str(needs["memory"]))
    except UnitError:
        return ""  # told where it stands
    if runtime > walltime:
        return f"it runs {human_duration(runtime)}, the walltime is {human_duration(walltime)}"
    room = _slurm_memory(str(scheduler["mem"])) if "mem" in scheduler else 0
    if room and memory > room:
        return f"it needs {human_memory(memory)}, a node has {human_memory(room)}"
    gpus, wanted = gpus_of(str(scheduler.get("gres", ""))), needs["num_gpus"]
    others = other_gpus or "gpu" in str(scheduler.get("extra", "")).lower()
    if isinstance(wanted, int) and wanted > gpus and not others:
        return f"it needs {wanted} GPUs, gres gives {gpus}"
    return ""
