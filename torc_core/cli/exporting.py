"""``torc workflows export``: a workflow as a document that can be imported, or as a spec that runs again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json, write
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.writing import write_file
from torc_core.errors import UsageError
from torc_core.records.resources import Workflow
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.service.api import Service

_COUNTED = ("jobs", "files", "user_data", "results", "events")
_TRIES = 3
_EXAMPLES = """
torc workflows export 1 -o workflow.json
torc workflows export 1 | torc --db other/torc.db workflows import -
torc workflows export 1 --as-spec -o workflow.yaml
"""


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (standard output).")
@click.option("--include-results/--no-results", default=True, help="With results and runners of all runs (yes).")
@click.option("--include-events/--no-events", default=True, help="With events (yes).")
@click.option("--as-spec", is_flag=True, help="As a spec, with every job by itself; it runs again.")
@click.option("--to", "to_format", metavar="FORMAT", help="With --as-spec: its format (by the ending of -o, or yaml).")
@pass_app
def export(
    app: App, workflow_id: int | None, output: Path | None, include_results: bool, include_events: bool, as_spec: bool,
    to_format: str | None,
) -> None:  # fmt: skip
    """Write a workflow with all that belongs to it as one JSON document, or as a spec."""
    if to_format is not None and not as_spec:
        raise UsageError("--to is for --as-spec", hint="An export is always JSON.")
    chosen = pick(app, workflow_id)
    if as_spec:
        _export_spec(app, chosen, output, to_format)
        return
    from torc_core.service.exporting import export_text
    from torc_core.service.importing import in_words

    service = app.service()
    workflow = service.get(Workflow, chosen)
    counts: dict[str, int] = {}

    def pieces() -> Iterable[str]:
        return export_text(service, chosen, with_results=include_results, with_events=include_events, counts=counts)

    if output is None:
        changed = _changed_during(service, chosen, lambda: _print(pieces()))
    else:
        target = output
        for _ in range(_TRIES):
            changed = _changed_during(service, chosen, lambda: write_file(target, pieces()))
            if not changed:
                break
    if changed:
        app.say("warn", f"Workflow {chosen} changed while it was written; export it again when nothing runs")
    if output is None:
        return
    if app.wants_json:
        shown = {name: counts.get(name, 0) for name in _COUNTED}
        about = {"workflow_id": chosen, "workflow_name": workflow.name, "output_file": str(output)}
        echo_json({"success": True, **about, **shown})
    else:
        echo(f"Wrote workflow {chosen} to {output}: {in_words({name: counts.get(name, 0) for name in _COUNTED})}")


def _print(pieces: Iterable[str]) -> None:
    for piece in pieces:
        write(piece)


def _changed_during(service: Service, workflow_id: int, act: Callable[[], None]) -> bool:
    """Do something and say whether the workflow changed meanwhile."""
    before = service.wait_for_change(workflow_id).version
    act()
    return service.wait_for_change(workflow_id).version != before


def _export_spec(app: App, workflow_id: int, output: Path | None, to_format: str | None) -> None:
    """Write the workflow as a spec; what a spec cannot say, or would say otherwise, is told on standard error."""
    from torc_core.cli.reading import Source, check
    from torc_core.problems import ERROR
    from torc_core.service.stored_spec import stored_spec

    found = stored_spec(app.service(), workflow_id)
    name = to_format or (output.name if output is not None else "json" if app.wants_json else "yaml")
    target = app.host.format_for(name)
    text = target.write(found.data).rstrip("\n") + "\n"
    for what in found.unsaid:
        app.say("warn", f"No spec can say this, so it is left out: {what}")
    again = check(app, Source(text, target, "<export>", Path()))
    problems = [problem for problem in again.problems if problem.severity == ERROR]
    for problem in problems:
        app.say("warn", f"The spec needs a correction: {problem.message}")
    commands = {job.name: job.command for job in again.jobs}
    other = [job.name for job in found.plan.jobs if not problems and commands.get(job.name) != job.command]
    if other:
        app.say(
            "warn",
            f"Read again, {counted(len(other), 'command')} with ${{files...}} or the like would be another,"
            f" like that of job {other[0]!r}",
        )
    if output is None:
        write(text)
        return
    write_file(output, [text])
    if app.wants_json:
        echo_json({"success": True, "workflow_id": workflow_id, "output_file": str(output), "jobs": len(again.jobs)})
    else:
        echo(f"Wrote workflow {workflow_id} as a spec to {output}. Run it with: torc run {output}")
