"""``torc workflows import``: a workflow from the document that an export wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.reading import read_text
from torc_core.errors import TorcError

if TYPE_CHECKING:
    from torc_core.service.api import Service

_SHOWN = ("jobs", "files", "user_data", "results", "compute_nodes")
_EXAMPLES = """
torc workflows import workflow.json
torc workflows import workflow.json --as-is
ssh cluster torc workflows export 3 | torc workflows import - --name copy
"""


@click.command("import", cls=TorcCommand, examples=_EXAMPLES)
@click.argument("file")
@click.option("--name", help="Another name for the workflow.")
@click.option("--skip-results", is_flag=True, help="Without results, and without the runners they are from.")
@click.option("--skip-events", is_flag=True, help="Without events.")
@click.option(
    "--as-is",
    is_flag=True,
    help="Keep statuses, attempts, run and owner: move the workflow, do not copy it.",
)
@pass_app
def import_workflow(app: App, file: str, name: str | None, skip_results: bool, skip_events: bool, as_is: bool) -> None:
    """Store the workflow of FILE (-: standard input), all or nothing. Its jobs are uninitialized, unless --as-is."""
    from torc_core.service.importing import Choices, counts_of, import_of, in_words, read_document

    text, shown = read_text(file)
    document = read_document(text, shown)
    del text
    choices = Choices(name, not skip_results, not skip_events, as_is)
    request, warnings = import_of(document, choices)
    request.workflow.setdefault("user", app.user)
    service = app.service(create=True)
    warnings += drop_unknown_groups(service, request.workflow)
    for warning in warnings:
        app.say("warn", warning[0].upper() + warning[1:])
    made = service.create_whole_workflow(request)
    counts = counts_of(request)
    if app.wants_json:
        about = {"workflow_id": made.workflow_id, "workflow_name": request.workflow["name"]}
        echo_json({"success": True, **about, **{word: counts[word] for word in _SHOWN}})
        return
    then = f"See: torc status {made.workflow_id}" if as_is else f"Run it with: torc run {made.workflow_id}"
    echo(f"Imported workflow {made.workflow_id} with {in_words({word: counts[word] for word in _SHOWN})}. {then}")


def drop_unknown_groups(service: Service, workflow: dict[str, Any]) -> list[str]:
    """Take access groups out of a workflow that this service does not have; returns what to say about it."""
    from torc_core.records.access import AccessGroup

    wanted = workflow.get("access_groups")
    if not wanted:
        return []
    try:
        known = {group.name for group in service.each(AccessGroup)}
    except TorcError:  # not everybody may look
        known = set()
    workflow["access_groups"] = [group for group in wanted if group in known] or None
    unknown = [group for group in wanted if group not in known]
    return [f"access groups that are not here are left out: {json.dumps(unknown)[1:-1]}"] if unknown else []
