"""``torc spec``: check, expand, convert and tidy specs; no service, no network."""

from __future__ import annotations

from pathlib import Path

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.creating import report_check
from torc_core.cli.groups import TorcGroup
from torc_core.cli.output import echo, echo_json, echo_problems, write
from torc_core.cli.reading import (
    STDIN,
    Source,
    check,
    complete_file,
    complete_offer,
    plain_data,
    read_and_check,
    read_source,
    skip_checks_option,
)
from torc_core.cli.writing import write_file
from torc_core.errors import UsageError
from torc_core.problems import ERROR, ProblemsFound

spec = TorcGroup("spec", help="Check, expand, convert and tidy spec files.")
_complete_format = complete_offer("spec format")
_from = click.option(
    "--from",
    "from_format",
    metavar="FORMAT",
    shell_complete=_complete_format,
    help="Format of the input (by its ending or content).",
)
_to = click.option(
    "--to",
    "to_format",
    metavar="FORMAT",
    shell_complete=_complete_format,
    help="Format of the output (by its ending).",
)
_output = click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (standard output).")


@spec.command("check")
@click.argument("file", shell_complete=complete_file)
@_from
@skip_checks_option
@pass_app
def check_command(app: App, file: str, from_format: str | None, skip_checks: bool) -> int:
    """Report everything that is wrong with FILE, and what it comes to; exit 1 when there are errors."""
    return report_check(app, file, skip_checks=skip_checks, format_name=from_format)


@spec.command("expand")
@click.argument("file", shell_complete=complete_file)
@_from
@_to
@_output
@pass_app
def expand(app: App, file: str, from_format: str | None, to_format: str | None, output: Path | None) -> None:
    """Write FILE with every parameter expanded and every reference by name."""
    from torc_core.spec.write import spec_data

    source = read_source(app, file, from_format)
    plan = check(app, source)
    if any(problem.severity == ERROR for problem in plan.problems):
        raise ProblemsFound(source.name, plan.problems)
    _write(app, spec_data(plan), to_format, output, source)


@spec.command("convert")
@click.argument("file", shell_complete=complete_file)
@_from
@_to
@_output
@pass_app
def convert(app: App, file: str, from_format: str | None, to_format: str | None, output: Path | None) -> None:
    """Write FILE in another format; nothing is lost but comments."""
    from torc_core.contracts.formats import FormatError

    source = read_source(app, file, from_format)
    try:
        data = plain_data(source.format.read(source.text).data)
    except FormatError as exc:
        raise ProblemsFound(source.name, [exc.problem._replace(file=source.name)]) from None
    if to_format is None and output is None and not app.wants_json:
        raise UsageError("to which format?", hint="Say it with --to, or name a file with -o.")
    _write(app, data, to_format, output, source)


@spec.command("lint")
@click.argument("file", shell_complete=complete_file)
@_from
@click.option("--strict", is_flag=True, help="Fail on warnings and notes too.")
@pass_app
def lint(app: App, file: str, from_format: str | None, strict: bool) -> int:
    """Report errors, warnings and notes (what is never used, say), one a line."""
    plan = read_and_check(app, file, from_format)
    if app.wants_json:
        from torc_core.spec.report import problem_data

        echo_json({"problems": [problem_data(problem) for problem in plan.problems]})
    else:
        echo_problems(plan.problems)
        if not plan.problems:
            echo(f"{'<stdin>' if file == STDIN else file}: nothing to say")
    has_errors = any(problem.severity == ERROR for problem in plan.problems)
    return 1 if has_errors or (strict and plan.problems) else 0


@spec.command("codes", lists=True)
@pass_app
def codes(app: App) -> None:
    """List the codes of all problems that specs can have, with what they mean."""
    from torc_core.cli.showing import table
    from torc_core.spec.codes import CODES, TEXT_CODES

    known = dict(TEXT_CODES)
    for spec_format in app.host.formats():
        known |= spec_format.codes
    known |= CODES
    table(app, ("Code", "Meaning"), known.items(), known, "codes")


def _write(app: App, data: object, to_format: str | None, output: Path | None, source: Source) -> None:
    """Write data in the format asked for, else the one of the output's ending, else the one it came in."""
    if output is None:
        wanted = to_format or ("json" if app.wants_json else None)
        target = source.format if wanted is None else app.host.format_for(wanted)
        write(target.write(data).rstrip("\n") + "\n")
        return
    target = app.host.format_for(to_format or output.name)
    if output.exists() and Path(source.name).exists() and output.samefile(source.name):
        raise UsageError(f"{output} is the spec itself", hint="Name another file: its comments would be lost.")
    write_file(output, [target.write(data)])
    if app.wants_json:
        echo_json({"status": "success", "output": str(output)})
    else:
        echo(f"Wrote {output}", err=True)
