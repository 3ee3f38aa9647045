"""``torc exec``: commands of the command line as a workflow."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import store
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json
from torc_core.cli.running import run_workflow, runner_options
from torc_core.errors import UsageError
from torc_core.problems import ERROR, ProblemsFound

_SPEC_ENDINGS = (".yaml", ".yml", ".json", ".json5", ".jsonc", ".kdl")
_STDIO = ("separate", "combined", "no-stdout", "no-stderr", "none")


@click.command(cls=TorcCommand)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.option("-c", "--command", "commands", multiple=True, help="A command; may be repeated.")
@click.option("-C", "--commands-file", help="A file with a command a line; - reads standard input.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Values for {NAME}: 1:10, [a,b], @file.")
@click.option(
    "--link", type=click.Choice(["product", "zip"]), default="product", help="How several --param go together."
)
@click.option("-n", "--name", help="Name of the workflow (exec_<time>).")
@click.option("--description", help="What it is for.")
@click.option("--stdio", type=click.Choice(_STDIO), help="How output is kept (separate).")
@click.option("--dry-run", is_flag=True, help="Print the expanded spec as JSON and stop.")
@runner_options
@pass_app
def execute(
    app: App, words: tuple[str, ...], commands: tuple[str, ...], commands_file: str | None, params: tuple[str, ...],
    link: str, name: str | None, description: str | None, stdio: str | None, dry_run: bool, **given: Any,
) -> int:  # fmt: skip
    """Make a workflow of commands and run it here; exit 1 when one did not succeed.

    \b
    torc exec -c 'gzip a.txt' -c 'gzip b.txt'
    torc exec --param n=1:10 -c './simulate {n}'
    torc exec -- ls -l
    """
    data = spec_of(words, commands, commands_file, params, link, name, description, stdio)
    from torc_core.spec.read import check_data

    plan = check_data(data, lambda _: (0, 0), "command line", read_file=lambda path: Path(path).read_text())
    errors = [problem for problem in plan.problems if problem.severity == ERROR]
    if errors:
        raise ProblemsFound("command line", errors)
    plan.jobs.sort(key=lambda job: int(job.name.removeprefix("job")))
    if dry_run:
        from torc_core.spec.write import spec_data

        echo_json(spec_data(plan))
        return 0
    workflow_id = store(app, plan).workflow_id
    echo(f"Created workflow {workflow_id}", err=True)
    return run_workflow(app, workflow_id, **{**given, "fail_on_job_failure": True})


def spec_of(
    words: tuple[str, ...], commands: tuple[str, ...], commands_file: str | None, params: tuple[str, ...],
    link: str, name: str | None, description: str | None, stdio: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the spec that the options stand for; raises UsageError."""
    listed = list(commands)
    if commands_file is not None:
        listed += _lines(commands_file)
    if words and not listed:
        if len(words) == 1 and words[0].lower().endswith(_SPEC_ENDINGS):
            raise UsageError(f"{words[0]} is a spec file", hint=f"Run it with: torc run {words[0]}")
        listed = [shlex.join(words)]
    elif words:
        raise UsageError(f"stray words: {shlex.join(words)}", hint="Give commands with -c, or after --, not both.")
    if not listed:
        raise UsageError("no command", hint="Give one with -c, in a file with -C, or after --.")
    values = _values(params)
    workflow: dict[str, Any] = {
        "name": name or time.strftime("exec_%Y%m%d_%H%M%S"),
        "jobs": _jobs(listed, values, link),
    }
    if description is not None:
        workflow["description"] = description
    if stdio is not None:
        workflow["execution_config"] = {"stdio": {"mode": stdio.replace("-", "_")}}
    return workflow


def _jobs(commands: list[str], values: dict[str, str], link: str) -> list[dict[str, Any]]:
    """Return a job for each command and combination, numbered over both."""
    if not values:
        return [{"name": f"job{i}", "command": c} for i, c in enumerate(commands, 1)]
    from torc_core.spec.combinations import product, zipped
    from torc_core.spec.findings import BadText
    from torc_core.spec.parameters import LIMIT, values_of
    from torc_core.spec.template import compile_template

    try:
        found = {
            name: values_of(text, lambda path: Path(path).read_text(encoding="utf-8")) for name, text in values.items()
        }
        combinations = zipped(found) if link == "zip" else product(found, LIMIT)
        texts: list[str] = []
        for command in commands:
            template = compile_template(command, combinations.names)
            texts += [command] * combinations.count if template is None else combinations.render(template)
    except BadText as exc:
        raise UsageError(f"--param: {exc}", hint=exc.hint) from exc
    return [{"name": f"job{i}", "command": text} for i, text in enumerate(texts, 1)]


def _lines(file: str) -> list[str]:
    if file == "-":
        if sys.stdin.isatty():
            raise UsageError("nothing comes on standard input", hint="Pipe commands into torc exec -C -.")
        text = sys.stdin.read()
    else:
        text = Path(file).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _values(params: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in params:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise UsageError(f"--param {text!r} is not NAME=VALUE", hint="Like: --param n=1:10")
        if name in values:
            raise UsageError(f"--param {name} is given twice")
        values[name] = value
    return values
