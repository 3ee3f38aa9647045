"""The hooks that plugins implement. ``plugins.md`` explains each with an example; ``plugins.py`` calls them.

An implementation gets the arguments that it lists and may leave others out. Three kinds: collect (all answers are
joined; a failing plugin's part is dropped and reported), amend (the argument is changed in place, nothing is returned)
and decide (the first answer that is not None counts; whoever was loaded last is asked first). A failure of amend and
decide hooks ends the operation with the plugin's name.
"""

# mypy: disable-error-code="empty-body"
# A specification is its signature and its words.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from torc_core.contracts.access import AuthRequest, Config, Principal, Resource
    from torc_core.contracts.failure import Decision
    from torc_core.contracts.log_patterns import LogPattern
    from torc_core.contracts.provider import Provider
    from torc_core.engine.corrections import Adjustment, Correction
    from torc_core.problems import Problem
    from torc_core.records.answers import FinishedJob, JobLaunch
    from torc_core.spec.plan import Plan

PROJECT = "torc"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook it is named after."""


@hookspec
def torc_register_spec_formats() -> list[Provider]:
    """Offer spec formats: targets are subclasses of SpecFormat, ``suffixes`` says which files they are for.

    Called once, when a spec is read or written and no built-in format answers, or all are listed.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_register_executors() -> list[Provider]:
    """Offer executors: targets are subclasses of Executor, made without arguments.

    Called once, when an executor is asked for that is not built in, or all are listed.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_register_storage() -> list[Provider]:
    """Offer storages: targets are subclasses of Storage, the name is the scheme of their locations without the colon.

    Called once, when a location is opened whose scheme is not built in, or all are listed.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_register_monitors() -> list[Provider]:
    """Offer monitors, which measure what jobs and machines use: targets are subclasses of Monitor.

    They are made without arguments. Called once, when a runner begins whose monitor is not built in, or all are listed.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_register_commands() -> list[Provider]:
    """Offer commands of ``torc``: targets are click commands or groups, the summary is their line in the help.

    Called once, when a command is not built in, and for the list of commands.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_register_log_patterns() -> list[LogPattern]:
    """Offer patterns for the analysis of log files; they are tried before the built-in ones.

    Called when logs are analyzed. A pattern whose regular expression is none drops the plugin's part.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_modify_spec(spec: dict[str, Any], source: str, settings: Mapping[str, Any]) -> None:
    """Change a spec, in place, after it was parsed and before it is checked and expanded.

    ``spec`` has the field names of specs, whatever its format was. ``source`` is the file as the user named it, or
    ``<stdin>``. ``settings`` is the table ``[plugins.<name>]`` of the configuration, empty when there is none.
    Kind: amend. Since: 0.1.
    """


@hookspec
def torc_validate_spec(plan: Plan, settings: Mapping[str, Any]) -> list[Problem]:
    """Return problems of a spec after expansion, in dry runs too; an error prevents the workflow.

    ``plan`` holds every job, file and requirement and must not be changed; a problem whose ``path`` is the ``path`` of
    a job is shown with the line and column of that job. ``settings`` as in ``torc_modify_spec``.
    Kind: collect. Since: 0.1.
    """


@hookspec
def torc_correct_resources(adjustment: Adjustment, settings: Mapping[str, Any]) -> Correction | None:
    """Say what jobs get instead of a proposed correction of their requirements; None leaves it to others.

    Called for each record that is about to be corrected, in dry runs too. ``adjustment`` has the requirements, the
    attempts that show what is needed, and the proposal (``correction``). ``settings`` as in ``torc_modify_spec``.
    Kind: decide. Since: 0.1.
    """


@hookspec
def torc_classify_failure(
    job: JobLaunch, result: FinishedJob, attempt: int, log_files: Mapping[str, str], settings: Mapping[str, Any]
) -> Decision | None:
    """Say what becomes of a job whose attempt failed: it runs again, has failed, or somebody is asked; None leaves it.

    Called by the runner, on the machine of the job and before the rules of its failure handler, for each attempt that
    failed or was terminated, unless the runner itself was stopped. Other jobs go on meanwhile; an answer that takes
    longer than a minute is not waited for. ``job`` is how it was started, ``result`` how it ended (with status, return
    code and reason), ``attempt`` counts from 1, ``log_files`` has the paths of ``stdout`` and ``stderr``, those that
    are kept. A failure is told, and the rules decide. ``settings`` as in ``torc_modify_spec``.
    Kind: decide. Since: 0.1.
    """


@hookspec
def torc_authenticate(request: AuthRequest, config: Config, settings: Mapping[str, Any]) -> Principal | None:
    """Say who sends a request to a server; None leaves it to others, and to passwords and worker tokens at last.

    Called for each request before anything is done. An exception refuses it, whatever others would say. ``config`` has
    the options by key, ``settings`` as in ``torc_modify_spec``.
    Kind: decide. Since: 0.1.
    """


@hookspec
def torc_authorize(principal: Principal, action: str, resource: Resource, settings: Mapping[str, Any]) -> bool | None:
    """Say whether somebody may do something; None leaves it to others, and to the built-in rule at last.

    Called for each operation on a server, in the same turn that carries it out, so it must be quick and not ask the
    server. ``action`` is the name of the operation. One False refuses, and so does an exception, whatever others say;
    else one True allows; so no plugin opens what another closes. ``settings`` as in ``torc_modify_spec``.
    Kind: collect. Since: 0.1.
    """
