"""``torc exec``: commands of the command line as a workflow."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import store
from torc_core.cli.groups import TorcCommand
from torc_core.cli.jobs import commands_in
from torc_core.cli.output import echo_json
from torc_core.cli.reading import complete_file
from torc_core.cli.runner_options import Runs, runner_options
from torc_core.cli.running import run_workflow
from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.problems import ERROR, ProblemsFound

_SPEC_ENDINGS = (".yaml", ".yml", ".json", ".json5", ".jsonc", ".kdl")
_STDIO = ("separate", "combined", "no-stdout", "no-stderr", "none")
_OFF, _SUMMARY, _TIME_SERIES = _MONITORING = ("off", "summary", "time-series")
_EXAMPLES = """
torc exec -c 'gzip a.txt' -c 'gzip b.txt'
torc exec --param n=1:10 -c './simulate {n}'
torc exec -C commands.txt -j 4
torc exec -- ls -l
"""


class Monitoring(NamedTuple):
    """What is recorded of the resources that jobs use."""

    jobs: str
    compute_node: str
    sample_interval_seconds: int | None
    generate_plots: bool

    def section(self) -> dict[str, Any] | None:
        """Return the section of the spec, None for the default; raises UsageError."""
        if self.generate_plots and _TIME_SERIES not in (self.jobs, self.compute_node):
            raise UsageError("--generate-plots needs a time series", hint="Add --monitor time-series.")
        section: dict[str, Any] = {}
        if (self.jobs, self.compute_node) != (_SUMMARY, _OFF):
            section |= {"jobs": self._scope(self.jobs), "compute_node": self._scope(self.compute_node)}
        if self.sample_interval_seconds is not None:
            section["sample_interval_seconds"] = self.sample_interval_seconds
        if self.generate_plots:
            section["generate_plots"] = True
        if section and "jobs" not in section:
            section["enabled"] = True
        return section or None

    @staticmethod
    def _scope(word: str) -> dict[str, Any]:
        return {"enabled": False} if word == _OFF else {"enabled": True, "granularity": word.replace("-", "_")}


@click.command(cls=TorcCommand, examples=_EXAMPLES)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- WORD...]")
@click.option("-c", "--command", "commands", multiple=True, help="A command; may be repeated.")
@click.option(
    "-C",
    "--commands-file",
    metavar="FILE",
    shell_complete=complete_file,
    help="A file with a command a line; - reads standard input.",
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Values for {NAME}: 1:10, [a,b], @file.")
@click.option(
    "--link", type=click.Choice(["product", "zip"]), default="product", help="How several --param go together."
)
@click.option("-n", "--name", help="Name of the workflow (exec_<time>).")
@click.option("--description", help="What it is for.")
@click.option("--stdio", type=click.Choice(_STDIO), help="How output is kept (separate).")
@click.option("--monitor", type=click.Choice(_MONITORING), default=_SUMMARY, help="What jobs use (summary).")
@click.option("--monitor-compute-node", type=click.Choice(_MONITORING), default=_OFF, help="What machines use (off).")
@click.option("--generate-plots", is_flag=True, help="Draw the time series.")
@click.option("-i", "--sample-interval-seconds", type=click.IntRange(1), help="Time between samples (10).")
@click.option("--dry-run", is_flag=True, help="Print the expanded spec as JSON and stop.")
@runner_options
@pass_app
def execute(
    app: App, words: tuple[str, ...], commands: tuple[str, ...], commands_file: str | None, params: tuple[str, ...],
    link: str, name: str | None, description: str | None, stdio: str | None, monitor: str,
    monitor_compute_node: str, generate_plots: bool, sample_interval_seconds: int | None, dry_run: bool,
    **given: Any,
) -> int:  # fmt: skip
    """Make a workflow of commands and run it here; exit 1 when one did not succeed."""
    from torc_core.spec.read import check_data

    monitoring = Monitoring(monitor, monitor_compute_node, sample_interval_seconds, generate_plots)
    optional = {
        "description": description,
        "execution_config": None if stdio is None else {"stdio": {"mode": stdio.replace("-", "_")}},
        "resource_monitor": monitoring.section(),
    }
    data = {
        "name": name or time.strftime("exec_%Y%m%d_%H%M%S"),
        **{key: value for key, value in optional.items() if value is not None},
        "jobs": _jobs(_listed(app, words, commands, commands_file), _values(params), link),
    }
    if not data["jobs"]:
        raise Invalid("there is nothing to run: a --param has no values", hint="A range like 5:1 needs a step: 5:1:-1.")
    plan = check_data(data, lambda _: (0, 0), "command line", read_file=_text)
    errors = [problem for problem in plan.problems if problem.severity == ERROR]
    if errors:
        raise ProblemsFound("command line", errors)
    runner = Runs.of(app, {**given, "fail_on_job_failure": True})
    if dry_run:
        from torc_core.spec.write import spec_data

        echo_json(spec_data(plan))
        return 0
    if runner.only_plays:
        from torc_core.cli.playing import play_plan

        return play_plan(app, plan, runner)
    workflow_id = store(app, plan).workflow_id
    app.say("info", f"Created workflow {workflow_id}")
    return run_workflow(app, workflow_id, runner, is_new=True)


def _listed(app: App, words: tuple[str, ...], commands: tuple[str, ...], commands_file: str | None) -> list[str]:
    """Return the commands that were given, in whichever way; raises UsageError."""
    listed = [*commands, *(commands_in(_text(commands_file)) if commands_file is not None else ())]
    if words and not listed:
        if len(words) == 1 and words[0].lower().endswith(_SPEC_ENDINGS):
            raise UsageError(f"{words[0]} is a spec file", hint=f"Run it with: torc run {words[0]}")
        if "--" not in app.arguments:
            raise UsageError(f"stray words: {shlex.join(words)}", hint=f"Write: torc exec -- {shlex.join(words)}")
        return [shlex.join(words)]
    if words:
        raise UsageError(f"stray words: {shlex.join(words)}", hint="Give commands with -c, or after --, not both.")
    if not listed:
        raise UsageError("no command", hint="Give one with -c, in a file with -C, or after --.")
    return listed


def _jobs(commands: list[str], values: dict[str, str], link: str) -> list[dict[str, Any]]:
    """Return a job for each command and combination, numbered over both."""
    texts = _rendered(commands, values, link) if values else commands
    return [{"name": f"job{number}", "command": text} for number, text in enumerate(texts, 1)]


def _rendered(commands: list[str], values: dict[str, str], link: str) -> list[str]:
    """Return each command once for each combination of values, one after the other."""
    from torc_core.spec.combinations import product, zipped
    from torc_core.spec.findings import BadText
    from torc_core.spec.parameters import LIMIT, values_of
    from torc_core.spec.template import compile_template

    try:
        found = {name: values_of(text, _text) for name, text in values.items()}
        combinations = zipped(found) if link == "zip" else product(found, LIMIT)
        texts: list[str] = []
        for command in commands:
            template = compile_template(command, combinations.names)
            texts += [command] * combinations.count if template is None else combinations.render(template)
    except BadText as exc:
        raise UsageError(f"--param: {exc}", hint=exc.hint) from exc
    return texts


def _text(file: str) -> str:
    """Return the text of a file, ``-`` being standard input; raises NotFound, UsageError or Invalid."""
    try:
        if file != "-":
            return Path(file).read_text(encoding="utf-8")
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing comes on standard input", hint="Pipe commands into torc exec -C -.")
        return sys.stdin.read()
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except UnicodeDecodeError as exc:
        raise Invalid(f"{file} is not UTF-8 text", hint="Save it as UTF-8.") from exc


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
