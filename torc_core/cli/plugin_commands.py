"""Commands that come from plugins, and ``torc plugins``, which tells about plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.groups import TorcGroup
from torc_core.cli.output import echo, echo_json, echo_problems, echo_table
from torc_core.errors import PluginError
from torc_core.plugin_loading import ACTIVE, Plugin
from torc_core.plugins import COMMAND, Offer, PluginHost

if TYPE_CHECKING:
    from torc_core.cli.app import App


class LazyCommand(click.Command):
    """Stands for a command until it is run, completed or asked for help; only then ``load`` imports it."""

    def __init__(self, name: str, load: Callable[[], click.Command]) -> None:
        super().__init__(name, add_help_option=False)
        self.load = load

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of the real command, which then runs in place of this one."""
        try:
            real = self.load()
        except PluginError:
            from click_plugins.core import BrokenCommand  # a page on the exception that is being handled

            real = BrokenCommand(self.name)
        return real.make_context(info_name, args, parent=parent, **extra)


def plugin_command(app: App, name: str) -> click.Command | None:
    """Return the command of that name from a plugin, without importing it yet."""
    offer = next((offer for offer in app.host.offers(COMMAND) if offer.provider.name == name), None)
    return LazyCommand(name, lambda: _load(offer)) if offer is not None else None


def plugin_command_names(app: App) -> list[str]:
    """Return the names of all commands from plugins, sorted."""
    return sorted(offer.provider.name for offer in app.host.offers(COMMAND))


def plugin_command_lines(app: App) -> list[tuple[str, str]]:
    """Return names and lines for the help, without importing the commands."""
    return sorted(
        (offer.provider.name, offer.provider.summary or f"From {offer.plugin}.") for offer in app.host.offers(COMMAND)
    )


def _load(offer: Offer) -> click.Command:
    command = offer.load()
    if not isinstance(command, click.Command):
        raise PluginError(f"{offer.plugin}: {offer.provider.target} is not a click command")
    return command


@click.group("plugins", cls=TorcGroup, invoke_without_command=True)
@click.pass_context
def plugins(ctx: click.Context) -> None:
    """Show the installed plugins and check them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plugins)


@plugins.command("list")
@click.pass_obj
def list_plugins(app: App) -> None:
    """List plugins with what they add, disabled and broken ones too."""
    listed = app.host.plugins()
    if app.wants_json:
        echo_json({"plugins": [_as_json(app.host, plugin) for plugin in listed]})
        return
    columns = ("Name", "Version", "Distribution", "Adds", "State")
    rows = [(p.name, p.version, p.distribution, _added(app.host, p), _state(p)) for p in listed]
    echo_table(columns, rows, total="plugins")
    echo_problems(app.host.problems)


@plugins.command("check")
@click.pass_context
def check_plugins(ctx: click.Context) -> None:
    """Import everything that plugins offer; exit 1 if any of it cannot be used."""
    app: App = ctx.obj
    problems = app.host.check()
    for offer in app.host.offers(COMMAND):
        try:
            _load(offer)
        except PluginError as exc:
            app.host.report(offer.plugin, exc)
    if app.wants_json:
        echo_json({"ok": not problems, "plugins": [_as_json(app.host, plugin) for plugin in app.host.plugins()]})
    elif problems:
        echo_problems(problems)
    else:
        echo("All plugins can be used.")
    if problems:
        ctx.exit(1)


def _state(plugin: Plugin) -> str:
    return "active in part" if plugin.state == ACTIVE and plugin.error else plugin.state


def _added(host: PluginHost, plugin: Plugin) -> str:
    names: dict[str, list[str]] = {kind: [] for kind in host.kinds(plugin)}
    for offer in host.offered_by(plugin):
        names[offer.kind].append(offer.provider.name)
    return "; ".join(f"{kind} {', '.join(offered)}".strip() for kind, offered in names.items())


def _as_json(host: PluginHost, plugin: Plugin) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": plugin.name,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "kinds": host.kinds(plugin),
        "offers": [offer.provider.name for offer in host.offered_by(plugin)],
        "hooks": plugin.hooks,
        "enabled": plugin.state == ACTIVE,
    }
    return body | {"error": plugin.error} if plugin.error else body
