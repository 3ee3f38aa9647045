"""Rules of a site: every workflow belongs to a project, and no job becomes another user.

The project is set in the configuration: ``[plugins.site-rules]``, ``project = "solar"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl
from torc_core.problems import Problem

if TYPE_CHECKING:
    from torc_core.spec.plan import Plan


@hookimpl
def torc_modify_spec(spec: dict[str, Any], settings: Mapping[str, Any]) -> None:
    if "project" in settings:
        spec.setdefault("project", settings["project"])


@hookimpl
def torc_validate_spec(plan: Plan) -> list[Problem]:
    return [
        Problem("site-sudo", f'job "{job.name}" uses sudo', (*job.path, "command"), hint="Ask for what is missing")
        for job in plan.jobs
        if "sudo" in job.command.split()
    ]


@hookimpl
def torc_register_commands() -> list[Provider]:
    return [Provider("site-rules", "torc_site_rules_command:site_rules", "Say what this site asks of specs.")]
