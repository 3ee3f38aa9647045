"""From the text of a spec to a checked, fully expanded plan, with every problem at once. No files, no clock.

What could be planned is returned with all problems in ``Plan.problems``; whoever asks decides what errors mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torc_core.contracts.formats import FormatError, SpecFormat
from torc_core.problems import Locate, Problem, dotted, located
from torc_core.spec.build import Builder
from torc_core.spec.constants import apply_constants
from torc_core.spec.findings import Findings
from torc_core.spec.model import WorkflowSpec
from torc_core.spec.names_in_text import at_names
from torc_core.spec.parameters import LIMIT, ReadFile
from torc_core.spec.plan import Plan
from torc_core.spec.sources import TableShelf
from torc_core.spec.validate import RETIRED

Amend = Callable[[Any], object]
"""Changes the data of a spec in place, between parsing and planning."""


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
    """Return what can be planned, with all problems; an empty plan when the text cannot be read at all.

    ``read_file`` gives the text of parameter tables and value files, relative to the spec's folder. ``limit`` is the
    most combinations of one item (a spec may have twice as many). ``skip_checks`` leaves out whether jobs fit their
    Slurm schedulers.
    """
    try:
        parsed = format.read(text)
    except FormatError as exc:
        plan = Plan()
        plan.problems = [exc.problem._replace(file=file_name)]
        return plan
    if amend is not None:
        amend(parsed.data)
    plan = check_data(parsed.data, parsed.locate, file_name, read_file=read_file, limit=limit, skip_checks=skip_checks)
    plan.problems = at_names(plan.problems, text)
    return plan


def check_data(
    data: Any,
    locate: Locate,
    file_name: str,
    *,
    read_file: ReadFile | None = None,
    limit: int | None = None,
    skip_checks: bool = False,
) -> Plan:
    """Return what can be planned of parsed data, with all problems; else as ``check_spec``."""
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
