"""Notes about what a spec defines, but does not use."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torc_core.problems import Path
from torc_core.spec.findings import Findings
from torc_core.spec.model import WorkflowSpec
from torc_core.spec.plan import Plan, PlannedData, PlannedFile


def note_unused(spec: WorkflowSpec, plan: Plan, used_parameters: Collection[str], findings: Findings) -> None:
    """Note definitions that nothing refers to, and settings without effect."""
    for section, word, used in (
        ("resource_requirements", "resource requirements", {job.requirements for job in plan.jobs}),
        ("failure_handlers", "failure handler", {job.handler for job in plan.jobs}),
        ("slurm_schedulers", "Slurm scheduler", _used_schedulers(plan)),
    ):
        named = [place for place, entry in enumerate(getattr(spec, section) or ()) if entry.name is not None]
        for position, place in enumerate(named):
            if position not in used:
                name = getattr(spec, section)[place].name
                findings.note("unused", f'{word} "{name}" is not used', (section, place))
    _note_items(plan.files, {i for job in plan.jobs for i in (*job.inputs, *job.outputs)}, "file", findings)
    used_data = {i for job in plan.jobs for i in (*job.data_inputs, *job.data_outputs)}
    _note_items(plan.data, used_data, "user data", findings)
    for name in spec.parameters or ():
        if name not in used_parameters:
            what = f'shared parameter "{name}" is not used'
            findings.note("unused", what, ("parameters", name), hint="Items name what they use in use_parameters.")
    if spec.jobs_sort_method is not None:
        what = "jobs_sort_method has no effect: jobs with a higher priority go first"
        findings.note("no-effect", what, ("jobs_sort_method",), hint="Use priority.")


def _used_schedulers(plan: Plan) -> set[int]:
    used = {job.scheduler for job in plan.jobs}
    used.update(action["scheduler"] for action in plan.actions if "scheduler" in action)
    return used


def _note_items(
    items: Sequence[PlannedFile | PlannedData], used: set[int], word: str, findings: Findings
) -> None:  # fmt: skip
    unused: dict[Path, list[str]] = {}
    for position, item in enumerate(items):
        if position not in used:
            unused.setdefault(item.source, []).append(item.name)
    for source, names in unused.items():
        what = (
            f'{word} "{names[0]}" is' if len(names) == 1 else f'{word} "{names[0]}" and {len(names) - 1:,} like it are'
        )
        findings.note("unused", f"{what} not used by any job", source)
