"""What plugins say when they are asked: rules for specs, patterns for logs, decisions about jobs that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torc_core.errors import PluginError
from torc_core.plugin_loading import Plugin, PluginLoader
from torc_core.plugins import checked, kind_of
from torc_core.problems import Problem

if TYPE_CHECKING:
    from torc_core.contracts.failure import Decision
    from torc_core.contracts.log_patterns import LogPattern
    from torc_core.engine.corrections import Adjustment, Correction
    from torc_core.records.answers import FinishedJob, JobLaunch
    from torc_core.spec.plan import Plan


def amend_spec(loader: PluginLoader, spec: dict[str, Any], source: str) -> None:
    """Let plugins change a parsed spec from ``source`` in place; the first failure is raised."""
    hook = "torc_modify_spec"
    loader.search()
    for plugin, implementation in loader.implementations(hook):
        answer = loader.call(hook, plugin, implementation, {"spec": spec, "source": source})
        if answer is not None:
            raise PluginError(f"{plugin}: {hook} returned a {kind_of(answer)}", hint="It changes the spec in place")


def validate_plan(loader: PluginLoader, plan: Plan) -> list[Problem]:
    """Return the problems that plugins see in a plan, after warnings about plugins whose rules may be missing."""
    hook = "torc_validate_spec"
    found: list[Problem] = []
    loader.search()
    for plugin, implementation in loader.implementations(hook):
        try:
            answer = loader.call(hook, plugin, implementation, {"plan": plan})
            found += checked(answer, Problem, f"{plugin}: {hook}")
        except PluginError as exc:
            loader.drop(plugin, "plugin-failed", str(exc))
    return loader.problems + found


def log_patterns(loader: PluginLoader) -> list[LogPattern]:
    """Return the patterns that plugins add to the analysis of log files."""
    from torc_core.contracts.log_patterns import LogPattern

    hook = "torc_register_log_patterns"
    found: list[LogPattern] = []
    loader.search()
    for plugin, implementation in loader.implementations(hook):
        try:
            answer = loader.call(hook, plugin, implementation, {})
            found += [_usable(p, f"{plugin}: {hook}") for p in checked(answer, LogPattern, f"{plugin}: {hook}")]
        except PluginError as exc:
            loader.drop(plugin, "plugin-failed", str(exc))
    return found


def correct_resources(loader: PluginLoader, adjustment: Adjustment) -> Correction | None:
    """Return what a plugin says jobs should get, None when none has an opinion; raises PluginError."""
    from torc_core.engine.corrections import Correction

    hook = "torc_correct_resources"
    plugin, answer = _decide(loader, hook, {"adjustment": adjustment})
    if answer is None:
        return None
    if not isinstance(answer, Correction):
        raise PluginError(f"{plugin}: {hook} returned a {kind_of(answer)}, expected Correction or None")
    try:
        return answer.check()
    except (ValueError, AttributeError, TypeError) as exc:
        raise PluginError(f"{plugin}: {hook} returned what no requirements can be: {exc}") from exc


def classify_failure(
    loader: PluginLoader, job: JobLaunch, result: FinishedJob, attempt: int, log_files: Mapping[str, str]
) -> Decision | None:
    """Return what a plugin says becomes of a job, None when none has an opinion; raises PluginError."""
    from torc_core.contracts.failure import Decision

    hook = "torc_classify_failure"
    given = {"job": job, "result": result, "attempt": attempt, "log_files": log_files}
    plugin, answer = _decide(loader, hook, given)
    if answer is None:
        return None
    if not isinstance(answer, Decision):
        raise PluginError(f"{plugin}: {hook} returned a {kind_of(answer)}, expected Decision or None")
    try:
        return answer.check()
    except ValueError as exc:
        raise PluginError(f"{plugin}: {hook} returned what cannot be done: {exc}") from exc


def _decide(loader: PluginLoader, hook: str, arguments: Mapping[str, Any]) -> tuple[Plugin | None, Any]:
    """Return the first answer that is not None and who gave it; a failure is raised."""
    loader.search()
    for plugin, implementation in loader.implementations(hook, last_first=True):
        answer = loader.call(hook, plugin, implementation, arguments)
        if answer is not None:
            return plugin, answer
    return None, None


def _usable(pattern: LogPattern, what: str) -> LogPattern:
    """Return a pattern that can be searched for; raises PluginError."""
    import re

    try:
        re.compile(pattern.regex)
    except (re.error, TypeError) as exc:
        raise PluginError(f'{what}: the regular expression of "{pattern.name}" is none: {exc}') from exc
    return pattern
