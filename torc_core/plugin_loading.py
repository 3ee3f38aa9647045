"""Brings plugins in: finds them, imports them, checks their hooks, and calls one implementation at a time.

A plugin that cannot be imported or whose hooks do not fit is set aside with its reason; nothing here raises for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from torc_core import __version__
from torc_core.contracts.provider import load_target, told
from torc_core.errors import PluginError
from torc_core.problems import WARNING, Problem, did_you_mean

if TYPE_CHECKING:
    from pluggy import HookImpl, PluginManager

BUILTIN = {"builtin": "torc_plugins.builtin", "server": "torc_server.plugin"}
"""Modules with hooks that come with torc, in order."""
HOOKS_GROUP = "torc"
COMMANDS_GROUP = "torc.commands"

ACTIVE, DISABLED, BROKEN = "active", "disabled", "broken"


class Plugin:
    """One plugin: where it comes from, whether it is used and, if not, why."""

    __slots__ = ("distribution", "error", "hooks", "name", "state", "target", "version")

    def __init__(self, name: str, target: str, distribution: str = "", version: str = "") -> None:
        self.name = name
        self.target = target
        self.distribution = distribution
        self.version = version
        self.state = ACTIVE
        self.error = ""  # why it, or a part of it, is not used
        self.hooks: list[str] = []

    @property
    def is_builtin(self) -> bool:
        """Whether it comes with torc."""
        return self.target in BUILTIN.values()

    @property
    def module(self) -> str:
        """The name of its module once that is imported."""
        return f"torc_site_{self.name}" if self.target.endswith(".py") else self.target

    def __str__(self) -> str:
        whence = f"{self.distribution} {self.version}".strip() or self.target
        return f'plugin "{self.name}" ({whence})'


class PluginLoader:
    """The plugins of one process, loaded in two steps: built-in ones by ``start``, all others by ``search``."""

    def __init__(
        self,
        only: Collection[str] | None,
        disabled: Collection[str],
        directory: str,
        settings: Mapping[str, Mapping[str, Any]],
        trace: bool,
    ) -> None:
        self.problems: list[Problem] = []
        self.plugins: list[Plugin] = []  # with hooks, in order of loading
        self.commands: list[Plugin] = []  # entry points of the group for commands
        self.searched = False
        self._only = only
        self._disabled = disabled
        self._directory = directory
        self._settings = settings
        self._trace = trace
        self._manager: PluginManager | None = None

    def start(self) -> PluginManager:
        """Load the built-in plugins, once."""
        if self._manager is None:
            import pluggy

            from torc_core import hookspecs

            self._manager = pluggy.PluginManager(hookspecs.PROJECT)
            self._manager.add_hookspecs(hookspecs)
            for name, target in BUILTIN.items():
                self._load(Plugin(name, target, "torc", __version__))
        return self._manager

    def search(self) -> None:
        """Load installed plugins by name and then site files, once."""
        if self.searched:
            return
        self.start()
        self.searched = True
        from torc_core.entry_points import installed

        named: set[str] = set()
        for point in installed((HOOKS_GROUP, COMMANDS_GROUP), sys.path):
            named |= {point.name, point.distribution}
            plugin = Plugin(point.name, point.target, point.distribution, point.version)
            if point.group == COMMANDS_GROUP:
                self._leave_out_unwanted(plugin)
                self.commands.append(plugin)
            else:
                self._load(plugin)
        for file in self._site_files():
            name = file.rpartition("/")[2].removesuffix(".py")
            named.add(name)
            self._load(Plugin(name, file))
        for name in sorted(set(self._only or ()) - named):
            hint = did_you_mean(name, named) or 'See "torc plugins list"'
            self._note("plugin-unknown", f'TORC_PLUGINS names "{name}", which is not installed', hint)
        known = {plugin.name for plugin in self.plugins}
        for name in sorted(self._settings.keys() - known):
            if hint := did_you_mean(name, known):  # else it may be for a plugin of another environment
                self._note("plugin-unknown", f"[plugins.{name}] has settings for no plugin", hint)

    def implementations(self, hook: str, *, last_first: bool = False) -> list[tuple[Plugin, HookImpl]]:
        """Return what implements a hook, in order of loading or the other way round.

        ``tryfirst`` comes first and ``trylast`` last, always.
        """
        by_name = {plugin.name: (place, plugin) for place, plugin in enumerate(self.plugins) if plugin.state == ACTIVE}
        found = [(by_name[impl.plugin_name], impl) for impl in getattr(self.start().hook, hook).get_hookimpls()]
        sign = -1 if last_first else 1
        found.sort(key=lambda item: (item[1].trylast - item[1].tryfirst, sign * item[0][0]))
        return [(plugin, impl) for (_, plugin), impl in found]

    def call(self, hook: str, plugin: Plugin, implementation: HookImpl, arguments: Mapping[str, Any]) -> Any:
        """Call one implementation with those of ``arguments`` that it lists; what it raises is a PluginError."""
        given = {"settings": self._settings.get(plugin.name, {}), **arguments}
        given = {name: given[name] for name in implementation.argnames}
        answer: Any = None
        failure = ""
        try:
            answer = implementation.function(*given.values())
        except (Exception, SystemExit) as exc:  # a third party's code may raise anything
            failure = told(exc)
            raise PluginError(f"{plugin} failed in {hook}: {failure}", hint=leave_out(plugin)) from exc
        finally:
            if self._trace:
                words = ", ".join(f"{name}={_short(value)}" for name, value in given.items())
                print(f"torc: {plugin}: {hook}({words}) -> {failure or _short(answer)}", file=sys.stderr)
        return answer

    def drop(self, plugin: Plugin, code: str, message: str, hint: str = "") -> None:
        """Report, once, that a part of a plugin is not used."""
        if message not in plugin.error:
            plugin.error = f"{plugin.error}; {message}" if plugin.error else message
        self._note(code, message, hint or leave_out(plugin))

    def _note(self, code: str, message: str, hint: str) -> None:
        problem = Problem(code, message, severity=WARNING, hint=hint, file="plugins")
        if problem not in self.problems:
            self.problems.append(problem)

    def _leave_out_unwanted(self, plugin: Plugin) -> None:
        names = {plugin.name, plugin.distribution} - {""}
        if (self._only is not None and names.isdisjoint(self._only)) or not names.isdisjoint(self._disabled):
            plugin.state = DISABLED

    def _load(self, plugin: Plugin) -> None:
        """Import a plugin and register its hooks, or say why not."""
        same = next((other for other in self.plugins if other.name == plugin.name), None)
        self.plugins.append(plugin)
        if not plugin.is_builtin:
            self._leave_out_unwanted(plugin)
        if plugin.state == DISABLED:
            return
        if same is not None and same.state != DISABLED:
            what = f"{plugin} has the same name as {same}"
            self._break(plugin, "plugin-duplicate", what, leave_out_one(plugin, same))
            return
        try:
            module = _import_file(plugin) if plugin.target.endswith(".py") else load_target(plugin.target)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a third party's module, while it is imported
            self._break(plugin, "plugin-import", f"{plugin} failed to load: {told(exc)}")
            return
        self._register(plugin, module)

    def _register(self, plugin: Plugin, module: Any) -> None:
        from pluggy import PluginValidationError

        manager = self.start()
        try:
            manager.register(module, plugin.name)
        except (PluginValidationError, ValueError) as exc:
            if manager.has_plugin(plugin.name):  # older versions of pluggy have registered a part of it
                manager.unregister(name=plugin.name)
            self._break(plugin, "plugin-hook", f"{plugin} does not fit: {_last_line(exc)}")
            return
        hooks = manager.get_hookcallers(module) or []
        known = {name for name in dir(manager.hook) if not name.startswith("_")}
        published = sorted(name for name in known if getattr(manager.hook, name).has_spec())
        for hook in hooks:
            for impl in hook.get_hookimpls():
                if impl.plugin_name != plugin.name:
                    continue
                if impl.wrapper or impl.hookwrapper:
                    manager.unregister(name=plugin.name)
                    self._break(plugin, "plugin-hook", f"{plugin} does not fit: {hook.name} is a wrapper")
                    return
                if not hook.has_spec() and not impl.optionalhook:
                    what = f"{plugin}: there is no hook {hook.name}; that function is ignored"
                    self.drop(plugin, "plugin-hook", what, did_you_mean(hook.name, published))
        plugin.hooks = sorted(hook.name for hook in hooks if hook.has_spec())
        for name in published:
            if name not in plugin.hooks and callable(getattr(module, name, None)):
                self.drop(plugin, "plugin-hook", f"{plugin}: {name} is not marked with @hookimpl and is ignored")

    def _break(self, plugin: Plugin, code: str, message: str, hint: str = "") -> None:
        plugin.state = BROKEN
        self.drop(plugin, code, message, hint)

    def _site_files(self) -> list[str]:
        if not self._directory:
            return []
        try:
            with os.scandir(self._directory) as entries:
                names = sorted(e.name for e in entries if e.name.endswith(".py") and not e.name.startswith(("_", ".")))
        except OSError as exc:
            what = f"plugins.directory {self._directory} cannot be read: {exc.strerror or exc}"
            self._note("plugin-import", what, 'See "torc config show"')
            return []
        return [f"{self._directory}/{name}" for name in names]


def leave_out(plugin: Plugin) -> str:
    """Return the hint how to do without a plugin."""
    if plugin.is_builtin:
        return "It comes with torc: install torc again"
    return f"Correct it, or leave it out with TORC_PLUGINS_DISABLED={plugin.name}"


def leave_out_one(plugin: Plugin, same: Plugin) -> str:
    """Return the hint how to use one of two plugins that offer the same, or are called the same."""
    words = []
    for one, other in ((plugin, same), (same, plugin)):
        word = one.name if one.name not in (other.name, other.distribution) else one.distribution
        if not one.is_builtin and word not in ("", other.name, other.distribution):
            words.append(f"TORC_PLUGINS_DISABLED={word}")
    return f"Leave out the one you do not want: {' or '.join(words)}" if words else "Rename one of them"


def _import_file(plugin: Plugin) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    name = plugin.module  # apart from whatever else is called like the file
    spec = spec_from_file_location(name, plugin.target)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _last_line(exc: Exception) -> str:
    """Return what pluggy says without the dump of its tables that may follow or go before."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    if isinstance(exc, ValueError):
        return lines[0].partition(":")[0]
    return ", ".join(lines[1:])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
