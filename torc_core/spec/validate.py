"""Rules of single sections that need more than one field, and names that must be unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torc_core.problems import Path, did_you_mean
from torc_core.spec.choices import ActionType, ExecutionMode
from torc_core.spec.findings import Findings
from torc_core.spec.model import (
    ExecutionConfigSpec,
    FailureHandlerSpec,
    ResourceMonitorSpec,
    ResourceRequirementsSpec,
    WorkflowSpec,
)
from torc_core.spec.plan import Plan
from torc_core.spec.template import IDENTIFIER, IDENTIFIER_HINT
from torc_core.units import UnitError, parse_duration

_DIRECT_ONLY = ("termination_signal", "sigterm_lead_seconds", "oom_exit_code")
_RESERVED_IDENTIFIERS = ("#torc-", "#software-", "#job-")
_RESERVED_WHOLE = ("ro-crate-metadata.json", "./")
RETIRED = {
    "slurm_config": "Use execution_config.",
    "depends_on_job": "Use depends_on.",
    "label": "Use labels, a list.",
    "compute_node_min_time_for_new_jobs_seconds": "Set it on the stored workflow.",
}
"""Fields that were or look like fields of a spec, with what to do instead."""


def unique_names(
    names: Sequence[str | None], section: str, word: str, code: str, findings: Findings
) -> list[tuple[int, str]]:
    """Return the place and name of every entry that has a name of its own; a repeated name is an error."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            what = f'{word} "{name}" is defined twice, as {section}[{seen[name]}] and {section}[{place}]'
            findings.error(code, what, (section, place, "name"), hint="Rename one of them.", found=name)
        else:
            seen[name] = place
    return [(place, name) for name, place in seen.items()]


def check_requirements(needs: ResourceRequirementsSpec, path: Path, findings: Findings) -> None:
    """Warn of requirements that are readable, but hardly meant."""
    if needs.num_cpus == 0:
        findings.warning("rr-zero", "num_cpus is 0: any number of such jobs may run at once", (*path, "num_cpus"))
    if needs.runtime is not None:
        try:
            seconds = parse_duration(needs.runtime)
        except UnitError:
            return  # told when the field was read
        if not seconds:
            findings.warning("rr-zero", f"runtime {needs.runtime!r} is no time at all", (*path, "runtime"))


def check_handler(handler: FailureHandlerSpec, path: Path, findings: Findings) -> None:
    """Warn of rules that never match or never retry."""
    for place, rule in enumerate(handler.rules or ()):
        where = (*path, "rules", place)
        if not rule.match_all_exit_codes and not rule.exit_codes:
            what = f'failure handler "{handler.name}": the rule lists no exit codes and never matches'
            findings.warning("handler-rule", what, where, hint="Add exit_codes or match_all_exit_codes: true.")
        elif 0 in (rule.exit_codes or ()):
            what = f'failure handler "{handler.name}": exit code 0 is success and never handled'
            findings.warning("handler-rule", what, (*where, "exit_codes"), found="0")
        if rule.max_retries is not None and rule.max_retries <= 1:
            what = (
                f'failure handler "{handler.name}": max_retries {rule.max_retries} never retries, as all attempts count'
            )
            findings.note("handler-rule", what, (*where, "max_retries"), hint="Write 2 for one retry.")
        for name in ("backoff", "max_delay_seconds"):
            if getattr(rule, name) is not None and not rule.delay_seconds:
                what = f'failure handler "{handler.name}": {name} does nothing without delay_seconds'
                findings.warning("handler-rule", what, (*where, name), hint="Add delay_seconds: 30, for example.")


def check_env(env: dict[str, str] | None, findings: Findings) -> None:
    """Refuse names that no shell would take, in the workflow's environment."""
    for name in env or ():
        if not IDENTIFIER.fullmatch(name):
            what = f"{name!r} cannot be the name of an environment variable"
            findings.error("env-name", what, ("env", name), hint=IDENTIFIER_HINT, found=name)


def check_groups(groups: list[str] | None, findings: Findings) -> None:
    """Refuse access groups that are named twice."""
    for place, name in enumerate(groups or ()):
        if name is not None and name in (groups or ())[:place]:
            what = f'access group "{name}" is named twice'
            findings.error("access-groups", what, ("access_groups", place), found=name)


def check_execution(spec: WorkflowSpec, findings: Findings) -> None:
    """Refuse fields that belong to the other way of starting jobs."""
    config: ExecutionConfigSpec | None = spec.execution_config
    if config is None:
        return
    path: Path = ("execution_config",)
    mode = config.mode or ExecutionMode.DIRECT
    is_slurm = mode is ExecutionMode.SLURM or (mode is ExecutionMode.AUTO and bool(spec.slurm_schedulers))
    wrong = (
        [name for name in _DIRECT_ONLY if getattr(config, name) is not None]
        + (["limit_resources"] if config.limit_resources is False else [])
        + (["srun_mpi"] if config.srun_mpi is not None else [])
        if is_slurm
        else [name for name in ("srun_termination_signal",) if getattr(config, name) is not None]
        + (["enable_cpu_bind"] if config.enable_cpu_bind else [])
    )
    name, other = ("slurm", "direct") if is_slurm else ("direct", "slurm")
    for field in wrong:
        what = f"execution_config: {field} does not apply to mode {name}"
        findings.error("execution-config", what, (*path, field), hint=f"Remove it, or use mode: {other}.", found=field)
    nodes = (a for a in spec.actions or () if a.action_type is ActionType.SCHEDULE_NODES)
    if config.srun_mpi is not None and not is_slurm and not any(a.start_one_worker_per_node for a in nodes):
        what = "execution_config: srun_mpi needs an action with start_one_worker_per_node: true"
        findings.error("execution-config", what, (*path, "srun_mpi"))


def check_monitor(given: Any, findings: Findings) -> None:
    """Warn of keys that monitoring ignores, and say when a section switches it off."""
    if not isinstance(given, dict):
        return
    known = ResourceMonitorSpec.FIELDS
    sections = {"": known} | {name: known[name].type.FIELDS for name in ("jobs", "compute_node")}
    for section, fields in sections.items():
        inside = given.get(section) if section else given
        path: Path = ("resource_monitor", section) if section else ("resource_monitor",)
        for key in inside if isinstance(inside, dict) else ():
            if key not in fields:
                hint = did_you_mean(key, fields) or f"Known: {', '.join(fields)}."
                findings.warning("monitor-key", f"unknown key {key!r} is ignored", (*path, key), hint=hint, found=key)
    if not {"enabled", "jobs", "compute_node"}.intersection(given):
        what = "this section switches monitoring off, since it does not say enabled: true"
        findings.warning("monitor-off", what, ("resource_monitor",), hint="Add enabled: true, or enabled: false.")


def check_identifiers(spec: WorkflowSpec, plan: Plan, findings: Findings) -> None:
    """Check provenance identifiers of files."""
    named = [file for file in plan.files if file.identifier is not None]
    if not named:
        return
    read = {i for job in plan.jobs for i in job.inputs}
    written = {i for job in plan.jobs for i in job.outputs}
    owner = {file.path: position for position, file in enumerate(plan.files)}
    seen: set[str] = set()
    for position, file in enumerate(plan.files):
        name = file.identifier
        if name is None:
            continue
        wrong = ""
        if not spec.enable_ro_crate:
            wrong = "needs enable_ro_crate: true"
        elif not name.strip():
            wrong = "is blank"
        elif name in seen:
            wrong = "is used twice"
        elif owner.get(name, position) != position:
            wrong = "is the path of another file"
        elif name.startswith(_RESERVED_IDENTIFIERS) or name in _RESERVED_WHOLE:
            wrong = "is reserved"
        elif position in written:
            wrong = "cannot stand on a file that a job writes"
        elif position not in read and file.st_mtime is None:
            wrong = "needs a job that reads the file, or st_mtime"
        seen.add(name)
        if wrong:
            what = f'file "{file.name}": the identifier "{name}" {wrong}'
            findings.error("identifier", what, (*file.source, "identifier"), found=name)
