"""From the text of a spec to a checked, fully expanded plan, with every problem at once. No files, no clock.

``read_spec`` and ``plan_from_data`` raise ProblemsFound when there are errors. ``check_spec`` and ``check_data`` return
what could be planned, with all problems in ``Plan.problems``, for reports.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from torc_core.contracts.formats import FormatError, SpecFormat
from torc_core.problems import ERROR, Locate, Problem, ProblemsFound, dotted, located
from torc_core.spec.build import Builder
from torc_core.spec.constants import apply_constants
from torc_core.spec.findings import Findings
from torc_core.spec.model import WorkflowSpec
from torc_core.spec.parameters import LIMIT, ReadFile
from torc_core.spec.plan import Plan
from torc_core.spec.sources import TableShelf
from torc_core.spec.validate import RETIRED

Amend = Callable[[Any], object]
"""Changes the data of a spec in place, between parsing and planning."""


def read_spec(
    text: str,
    file_name: str,
    format: SpecFormat,
    *,
    read_file: ReadFile | None = None,
    limit: int | None = None,
    amend: Amend | None = None,
    skip_checks: bool = False,
) -> Plan:
    """Return the plan of a spec; raises ProblemsFound with all problems, each with its place.

    ``read_file`` gives the text of parameter tables and value files, relative to the spec's folder. ``limit`` is the
    most combinations of one item (a spec may have twice as many). ``skip_checks`` leaves out whether jobs fit their
    Slurm schedulers.
    """
    return _or_raise(
        check_spec(
            text, file_name, format, read_file=read_file, limit=limit, amend=amend, skip_checks=skip_checks
        ),
        file_name,
    )  # fmt: skip


def plan_from_data(
    data: Any,
    locate: Locate,
    file_name: str,
    *,
    read_file: ReadFile | None = None,
    limit: int | None = None,
    skip_checks: bool = False,
) -> Plan:
    """Return the plan of a spec that has been parsed already; else as ``read_spec``."""
    plan = check_data(data, locate, file_name, read_file=read_file, limit=limit, skip_checks=skip_checks)
    return _or_raise(plan, file_name)


def check_spec(
    text: str,
    file_name: str,
    format: SpecFormat,
    *,
    read_file: ReadFile | None = None,
    limit: int | None = None,
    amend: Amend | None = None,
    skip_checks: bool = False,
) -> Plan:
    """Return what can be planned, with all problems; an empty plan when the text cannot be read at all."""
    collecting = gc.isenabled()
    gc.disable()  # nothing made here is garbage before the end; collections would double the time
    try:
        parsed = format.loads(text)
        if amend is not None:
            amend(parsed.data)
        return check_data(
            parsed.data, parsed.locate, file_name, read_file=read_file, limit=limit, skip_checks=skip_checks
        )
    except FormatError as exc:
        plan = Plan()
        plan.problems = [exc.problem._replace(file=file_name)]
        return plan
    finally:
        if collecting:
            gc.enable()


def check_data(
    data: Any,
    locate: Locate,
    file_name: str,
    *,
    read_file: ReadFile | None = None,
    limit: int | None = None,
    skip_checks: bool = False,
) -> Plan:
    """Return what can be planned of parsed data, with all problems."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        findings = Findings()
        tables = TableShelf(read_file)
        data, known_tokens = apply_constants(data, tables, findings)
        spec = WorkflowSpec.read_at(data, None, findings.problems)
        findings.problems = [*map(_explained, findings.problems)]
        monitor = data.get("resource_monitor") if isinstance(data, dict) else None
        most = LIMIT if limit is None else limit
        plan = Builder(spec, tables, findings, known_tokens, most).plan(monitor, skip_checks)
        plan.problems = located(findings.problems, file_name, locate)
        return plan
    finally:
        if collecting:
            gc.enable()


def _explained(problem: Problem) -> Problem:
    """Say which field is meant, and what to write instead of fields that specs do not have any more."""
    if problem.code in ("type", "choice", "range", "value"):
        field = problem.path[2:] or problem.path
        return problem._replace(message=f"{dotted(field)}: {problem.message}") if field else problem
    if problem.code == "missing" and len(problem.path) > 1:
        return problem._replace(message=f"{dotted(problem.path[:-1])}: {problem.message}")
    if problem.code == "unknown-field" and problem.found in RETIRED:
        return problem._replace(hint=RETIRED[problem.found])
    return problem


def _or_raise(plan: Plan, file_name: str) -> Plan:
    if any(problem.severity == ERROR for problem in plan.problems):
        raise ProblemsFound(file_name, plan.problems)
    return plan
