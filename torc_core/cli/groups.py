"""Commands and groups that take the global options anywhere, and import a command when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from torc_core.cli.app import LEVELS, App

Listed = dict[str, dict[str, tuple[str, str]]]
PACKAGE = "torc_core.cli"
HELP_NAMES = ["-h", "--help"]
_IN_MEMORY = ("torc run", "torc exec")
"""The commands that can keep their database in memory: those that run as long as it is used."""


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note a global option; the innermost command is parsed last and wins."""
    if value is not None and value != ():
        app = context.ensure_object(App)
        app.options[str(parameter.name)] = value


def _global(*names: str, **attributes: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_keep, is_eager=True, default=None, **attributes)


def make_global_options() -> list[click.Option]:
    """Return the options that are taken before and after any command."""
    return [
        _global("-f", "--format", type=click.Choice(["table", "json", "csv"]), help="How results are written (table)."),
        _global(
            "-s", "--standalone", is_flag=True, flag_value=True,
            help="Use the database in this folder even if a server is configured.",
        ),
        _global("--url", metavar="URL", help="The server to ask (TORC_API_URL)."),
        _global("--password", metavar="TEXT", help="Your password (TORC_PASSWORD); here others may see it."),
        _global("--prompt-password", is_flag=True, flag_value=True, help="Ask for the password."),
        _global("--tls-ca-cert", metavar="FILE", help="Trust these certificates, too (TORC_TLS_CA_CERT)."),
        _global(
            "--tls-insecure", is_flag=True, flag_value=True,
            help="Talk to the server whoever it is (TORC_TLS_INSECURE).",
        ),
        _global("--cookie-header", metavar="TEXT", help="Send this cookie, for a proxy (TORC_COOKIE_HEADER)."),
        _global("--db", metavar="DATABASE", help="The database: a file (torc_output/torc.db), postgresql://..."),
        _global(
            "--in-memory", is_flag=True, flag_value=True,
            help="With run and exec: keep the database in memory; its file gets snapshots.",
        ),
        _global(
            "--snapshot-interval-seconds", type=click.IntRange(1), metavar="N",
            help="With --in-memory: seconds from one snapshot to the next (only at the end).",
        ),
        _global(
            "--log-level", type=click.Choice(LEVELS), help="How much to say (info)."
        ),
    ]  # fmt: skip


GLOBAL_NAMES = (
    "format", "standalone", "url", "password", "prompt_password", "tls_ca_cert", "tls_insecure", "cookie_header", "db",
    "in_memory", "snapshot_interval_seconds", "log_level",
)  # fmt: skip


class _Context(click.Context):
    """Where a command stands. A group that is a program of its own is called by that name, not by its place in torc."""

    @property
    def command_path(self) -> str:
        """What is typed for the command."""
        return getattr(self.command, "program", "") or self.place

    @property
    def place(self) -> str:
        """What is typed for the command below what it belongs to."""
        return super().command_path


class _WithGlobalOptions(click.Command):
    """What commands and groups share: the global options, and a help page with a section for them."""

    context_class = _Context

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        """``examples`` are lines for the end of the help page."""
        super().__init__(*args, **kwargs)
        self.examples = examples
        taken = {name for parameter in self.params for name in parameter.opts}
        for option in make_global_options():  # a command's own names win
            option.opts = [name for name in option.opts if name not in taken]
            if option.opts:
                self.params.append(option)

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """Return the same names for every command."""
        return HELP_NAMES

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those of every command; the usage line names the arguments."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                (common if parameter.name in GLOBAL_NAMES and not parameter.expose_value else own).append(record)
        for heading, records in (("Options", own), ("Global options", common)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, as they are typed for the program that runs."""
        examples = self.examples.strip()
        at: click.Context | None = ctx
        while isinstance(at, _Context):
            examples = examples.replace(at.place, at.command_path)
            at = at.parent
        if examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in examples.splitlines()))


class TorcCommand(_WithGlobalOptions):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, lists: bool = False, **kwargs: Any) -> None:
        """``lists`` says that it writes a list: it can do so as CSV, and leave columns out."""
        super().__init__(*args, **kwargs)
        self.lists = lists
        if lists:
            self.params.append(
                _global("-x", "--exclude", multiple=True, metavar="COLUMN", help="Leave out a column of the table.")
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; says where a word too many may belong."""
        may_have_more, ctx.allow_extra_args = ctx.allow_extra_args, True
        rest = super().parse_args(ctx, args)
        ctx.allow_extra_args = may_have_more
        if rest and not may_have_more and not ctx.resilient_parsing:
            import shlex

            words = shlex.join(rest)
            output = next((p for p in self.params if p.name == "output" and ctx.params["output"] is None), None)
            hint = "" if output is None or len(rest) > 1 else f". To write to a file add: {output.opts[0]} {words}"
            raise click.UsageError(f"too many words: {words}{hint}", ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, unless it cannot write what it is asked to."""
        app = ctx.ensure_object(App)
        if app.options.get("format") == "csv" and not self.lists:
            raise click.UsageError("only lists can be written as csv", ctx)
        if app.options.get("in_memory") and ctx.command_path not in _IN_MEMORY:
            raise click.UsageError("--in-memory goes with torc run and torc exec only", ctx)
        if app.options.get("snapshot_interval_seconds") and not app.options.get("in_memory"):
            raise click.UsageError("--snapshot-interval-seconds needs --in-memory", ctx)
        return super().invoke(ctx)


class TorcGroup(_WithGlobalOptions, click.Group):
    """A group of commands that take the global options.

    ``lazy`` names commands that are imported when they are used: their place in this package, ``module:attribute``.
    """

    command_class = TorcCommand
    group_class = type
    program = ""
    """The name of the program that the group is by itself, while that is what runs."""

    def __init__(self, *args: Any, lazy: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order in which they were added; those imported late come last."""
        return [*self.commands, *self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, None if there is none."""
        target = self.lazy.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = target.partition(":")
        found: click.Command = getattr(import_module(f"{PACKAGE}.{module}"), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each command."""
        shown = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        lines = [(name, command.get_short_help_str(100)) for name, command in shown if command and not command.hidden]
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
    """The program's own group: its commands are listed under headings; others come from plugins."""

    def __init__(self, *args: Any, listed: Listed, **kwargs: Any) -> None:
        lazy = {name: target for commands in listed.values() for name, (target, _) in commands.items()}
        super().__init__(*args, lazy=lazy, **kwargs)
        self._listed = listed

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, for completion and suggestions."""
        from torc_core.cli.plugin_commands import plugin_command_names

        return [*super().list_commands(ctx), *plugin_command_names(ctx.ensure_object(App))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; plugins are looked for only when it is not an own one."""
        found = super().get_command(ctx, cmd_name)
        if found is None:
            from torc_core.cli.plugin_commands import plugin_command

            return plugin_command(ctx.ensure_object(App), cmd_name)
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
