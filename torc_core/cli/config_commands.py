"""``torc config``: show the configuration and where it comes from, begin one, and check it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from torc_core.cli.groups import TorcGroup
from torc_core.cli.output import echo, echo_json, echo_problems, echo_table
from torc_core.config import config_files, read_config
from torc_core.errors import Conflict, TorcError
from torc_core.problems import ERROR

if TYPE_CHECKING:
    from torc_core.cli.app import App


@click.group("config", cls=TorcGroup)
def config() -> None:
    """Show, begin and check the configuration."""


@config.command("show")
@click.option("-f", "--format", "output_format", type=click.Choice(["toml", "json"]), help="How to print it.")
@click.pass_obj
def show(app: App, output_format: str | None) -> None:
    """Print the value of every option; as TOML with the place that each comes from."""
    from torc_core.config.show import as_toml, nested

    if (output_format or app.format) == "json":
        echo_json(nested(app.config))
    else:
        echo(as_toml(app.config).rstrip("\n"))


@config.command("paths")
@click.pass_obj
def paths(app: App) -> None:
    """List the configuration files, whether they exist or not; later ones win."""
    files = [(file.level, file.path, Path(file.path).is_file()) for file in config_files(str(Path.cwd()), os.environ)]
    if _wants_json(app):
        echo_json({"files": [{"level": level, "path": path, "exists": exists} for level, path, exists in files]})
        return
    echo_table(("Level", "Path", "Exists"), files)
    echo("\nAfter these: TORC_<SECTION>__<KEY> (TORC_CLIENT__RUN__POLL_INTERVAL=2), then options of the command line.")


@config.command("init")
@click.option("--system", "level", flag_value="system", help="For all users of this machine.")
@click.option("--user", "level", flag_value="user", default="user", help="For you (the default).")
@click.option("--local", "level", flag_value="local", help="For the current directory.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the file if there is one.")
@click.pass_obj
def init(app: App, level: str, force: bool) -> None:
    """Write a file with every option, its meaning and its default, to begin with."""
    from torc_core.config.show import template

    files = {file.level: file.path for file in config_files(str(Path.cwd()), os.environ)}
    if level not in files:
        raise TorcError("there is no home directory for the user's file", hint="Set HOME or XDG_CONFIG_HOME")
    path = Path(files[level])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template(for_project=level == "local"))
    except FileExistsError as exc:
        raise Conflict(f"{path} exists already", hint="Use --force to overwrite it") from exc
    except OSError as exc:
        raise TorcError(f"cannot write {path}: {exc.strerror}", hint="Choose another level, or ask for access") from exc
    if _wants_json(app):
        echo_json({"path": str(path)})
    else:
        echo(f"Wrote {path}")


@config.command("validate")
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Report everything that is wrong with the files and the environment; exit 1 if anything is."""
    from torc_core.config.folders import folder_problems

    app: App = ctx.obj
    found = read_config(str(Path.cwd()), os.environ)
    found.problems += folder_problems(found)
    wrong = [problem for problem in found.problems if problem.severity == ERROR]
    if _wants_json(app):
        from torc_core.spec.report import problem_data

        problems = [problem_data(problem) for problem in found.problems]
        echo_json({"valid": not wrong, "files": found.read, "problems": problems})
    else:
        echo_problems(found.problems)
        if not wrong:
            echo(f"The configuration is valid. Files: {', '.join(found.read) or 'none'}")
            keys = ("client.api_url", "client.format", "client.log_level", "client.run.output_dir", "plugins.disabled")
            echo_table(("Option", "Value", "From"), [(key, found[key], found.sources[key]) for key in keys])
    if wrong:
        ctx.exit(1)


def _wants_json(app: App) -> bool:
    """Tell how to print, also while something else in the configuration is wrong."""
    chosen: str = app.options.get("format") or read_config(".", os.environ)["client.format"]
    return chosen == "json"
