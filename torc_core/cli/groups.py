"""Command groups that import a command when it is used, and options that every command takes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from torc_core.cli.app import App

Listed = dict[str, dict[str, tuple[str, str]]]
PACKAGE = "torc_core.cli"


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note a global option; the innermost command is parsed last and wins."""
    if value is not None:
        app = context.ensure_object(App)
        app.options[str(parameter.name)] = value


def _global(*names: str, **attributes: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_keep, is_eager=True, default=None, **attributes)


def make_global_options() -> list[click.Option]:
    """Return the options that are taken before and after any command."""
    return [
        _global("-f", "--format", type=click.Choice(["table", "json"]), help="How results are written (table)."),
        _global(
            "-s", "--standalone", is_flag=True, flag_value=True,
            help="Use the database in this folder even if a server is configured.",
        ),
        _global("--db", metavar="PATH", help="The database file (torc_output/torc.db)."),
        _global(
            "--log-level", type=click.Choice(["error", "warn", "info", "debug", "trace"]), help="How much to say (info)."
        ),
    ]  # fmt: skip


GLOBAL_NAMES = ("format", "standalone", "db", "log_level")


class _WithGlobalOptions(click.Command):
    """What commands and groups share: the global options, shown under a heading of their own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = {name for parameter in self.params for name in parameter.opts}
        for option in make_global_options():  # a command's own short names win
            option.opts = [name for name in option.opts if name not in taken]
            self.params.append(option)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those of every command."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                (common if parameter.name in GLOBAL_NAMES else own).append(record)
        for heading, records in (("Options", own), ("Global options", common)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class TorcCommand(_WithGlobalOptions):
    """A command that takes the global options too."""


class TorcGroup(_WithGlobalOptions, click.Group):
    """A group of commands that take the global options."""

    command_class = TorcCommand
    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each command."""
        shown = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        lines = [(name, command.get_short_help_str(80)) for name, command in shown if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one gets a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            from torc_core.problems import did_you_mean

            hint = did_you_mean(args[0], self.list_commands(ctx)) if args else ""
            raise click.UsageError(f"{exc.message} {hint}".strip(), ctx) from None


class RootGroup(TorcGroup):
    """The program's own group: commands are named as strings, and imported when used; others come from plugins."""

    def __init__(self, *args: Any, listed: Listed, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed = listed
        self._targets = {name: target for commands in listed.values() for name, (target, _) in commands.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, for completion and suggestions."""
        from torc_core.cli.plugin_commands import plugin_command_names

        return [*self._targets, *plugin_command_names(ctx.ensure_object(App))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; plugins are looked for only when it is not an own one."""
        target = self._targets.get(cmd_name)
        if target is None:
            from torc_core.cli.plugin_commands import plugin_command

            return plugin_command(ctx.ensure_object(App), cmd_name)
        module, _, attribute = target.partition(":")
        found: click.Command = getattr(import_module(f"{PACKAGE}.{module}"), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, without importing them."""
        for heading, commands in self._listed.items():
            with formatter.section(heading):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])
        from torc_core.cli.plugin_commands import plugin_command_lines

        lines = plugin_command_lines(ctx.ensure_object(App))
        if lines:
            with formatter.section("From plugins"):
                formatter.write_dl(lines)
