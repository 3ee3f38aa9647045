"""What a dry run says about a spec: as data for programs and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from torc_core.problems import ERROR, NOTE, WARNING, Problem, dotted
from torc_core.spec.plan import Plan
from torc_core.units import counted

_SUBMITTING_TRIGGERS = ("on_workflow_start", "on_jobs_ready", "on_jobs_complete")


class Report(NamedTuple):
    """Lines for standard output and standard error."""

    out: list[str]
    err: list[str]


def has_schedule_nodes_action(plan: Plan) -> bool:
    """Whether submitting the workflow would ask for nodes by itself."""
    return any(
        action["action_type"] == "schedule_nodes" and action["trigger_type"] in _SUBMITTING_TRIGGERS
        for action in plan.actions
    )


def is_valid(plan: Plan) -> bool:
    """Whether nothing that was found prevents creation."""
    return all(problem.severity != ERROR for problem in plan.problems)


def summary(plan: Plan) -> dict[str, Any]:
    """Count what a spec comes to."""
    before = plan.counts_before
    return {
        "workflow_name": plan.workflow.get("name", ""),
        "workflow_description": plan.workflow.get("description"),
        "job_count": len(plan.jobs),
        "job_count_before_expansion": before.get("jobs", 0),
        "file_count": len(plan.files),
        "file_count_before_expansion": before.get("files", 0),
        "user_data_count": len(plan.data),
        "resource_requirements_count": len(plan.requirements),
        "slurm_scheduler_count": len(plan.schedulers),
        "action_count": len(plan.actions),
        "has_schedule_nodes_action": has_schedule_nodes_action(plan),
        "job_names": [job.name for job in plan.jobs],
        "scheduler_names": [scheduler["name"] for scheduler in plan.schedulers],
    }


def as_data(plan: Plan) -> dict[str, Any]:
    """Return the whole report as JSON data; ``problems`` has every finding with its place."""
    return {
        "valid": is_valid(plan),
        "errors": [str(p) for p in _of(plan, ERROR)],
        "warnings": [str(p) for p in _of(plan, WARNING)],
        "notes": [str(p) for p in _of(plan, NOTE)],
        "problems": [problem_data(p) for p in plan.problems],
        "summary": summary(plan),
    }


def problem_data(problem: Problem) -> dict[str, Any]:
    """Return one finding as JSON data."""
    return problem._asdict() | {"path": dotted(problem.path)}


def as_lines(plan: Plan) -> Report:
    """Return the report for people; errors, warnings and a failed verdict go to standard error."""
    title = "Workflow validation"
    out = [title, "=" * len(title)]
    if plan.workflow:  # else nothing could be read
        out += _what_it_comes_to(plan)
    out += _bullets("Note", _of(plan, NOTE))
    errors, warnings = _of(plan, ERROR), _of(plan, WARNING)
    err = _bullets("Error", errors) + _bullets("Warning", warnings)
    if errors:
        err.append("Validation: FAILED")
    elif warnings:
        out.append(f"Validation: PASSED (with {len(warnings)} warning(s))")
    else:
        out.append("Validation: PASSED")
    return Report(out, err)


def _what_it_comes_to(plan: Plan) -> Iterable[str]:
    facts = summary(plan)
    yield f"Workflow: {facts['workflow_name']}"
    if facts["workflow_description"]:
        yield f"Description: {facts['workflow_description']}"
    yield ""
    yield from (f"  {label + ':':<23}{text}" for label, text in _counts(facts))
    yield ""
    if facts["has_schedule_nodes_action"]:
        yield "This workflow can be submitted to a scheduler."
    else:
        yield "This workflow runs locally; it has no action that schedules nodes."


def _counts(facts: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "Jobs", _expanded(facts, "job")
    yield "Files", _expanded(facts, "file")
    yield "User data records", str(facts["user_data_count"])
    yield "Resource requirements", str(facts["resource_requirements_count"])
    yield "Slurm schedulers", str(facts["slurm_scheduler_count"])
    yield "Workflow actions", str(facts["action_count"])


def _expanded(facts: dict[str, Any], word: str) -> str:
    count, before = facts[f"{word}_count"], facts[f"{word}_count_before_expansion"]
    return str(count) if count == before else f"{count} (expanded from {counted(before, f'{word} specification')})"


def _of(plan: Plan, severity: str) -> list[Problem]:
    return [problem for problem in plan.problems if problem.severity == severity]


def _bullets(word: str, problems: list[Problem]) -> list[str]:
    return [f"{word}s ({len(problems)}):", *(f"  - {problem}" for problem in problems)] if problems else []
