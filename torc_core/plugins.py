"""What plugins offer, by kind and name, and the rules they add to specs; failing plugins are skipped and reported.

Built-in plugins answer first. Other people's are looked for and imported only when a name is not built in, when all are
listed, or when a spec is read, because their rules apply to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.provider import Provider, load_target, told
from torc_core.errors import Invalid, NotFound, PluginError
from torc_core.plugin_loading import ACTIVE, Plugin, PluginLoader, leave_out_one
from torc_core.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from torc_core.config import Config
    from torc_core.contracts.executor import Executor
    from torc_core.contracts.failure import Classify
    from torc_core.contracts.formats import SpecFormat
    from torc_core.contracts.log_patterns import LogPattern
    from torc_core.contracts.monitor import Monitor
    from torc_core.contracts.storage import Storage
    from torc_core.engine.corrections import Adjustment, Correction
    from torc_core.plugin_access import AccessPlugins
    from torc_core.spec.plan import Plan

FORMAT, EXECUTOR, STORAGE, MONITOR, COMMAND = "spec format", "executor", "storage", "monitor", "command"
REGISTRIES = {
    FORMAT: ("torc_register_spec_formats", "torc_core.contracts.formats:SpecFormat"),
    EXECUTOR: ("torc_register_executors", "torc_core.contracts.executor:Executor"),
    STORAGE: ("torc_register_storage", "torc_core.contracts.storage:Storage"),
    MONITOR: ("torc_register_monitors", "torc_core.contracts.monitor:Monitor"),
    COMMAND: ("torc_register_commands", ""),  # what a command is, the command line knows
}
"""For each kind of provider, the hook that collects it and the class its targets are made from."""
AUTO = "auto"
"""Instead of a name: whichever can be used here."""
OTHERS = {
    "spec rules": ("torc_modify_spec", "torc_validate_spec"),
    "log patterns": ("torc_register_log_patterns",),
    "decisions": ("torc_correct_resources", "torc_classify_failure"),
    "access rules": ("torc_authenticate", "torc_authorize"),
}
"""What plugins add besides, and the hooks that add it."""


class Offer(NamedTuple):
    """Something a plugin registered."""

    kind: str
    provider: Provider
    plugin: Plugin

    def load(self) -> Any:
        """Import it and check that it is what its kind asks for; a PluginError names plugin, target and cause."""
        found = self.provider.load(str(self.plugin))
        contract = REGISTRIES[self.kind][1]
        if not contract:
            return found
        base = load_target(contract)
        where = f"{self.plugin}: {self.provider.target}"
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginError(f"{where} is not a subclass of {base.__name__}", hint="plugins.md shows one")
        missing = sorted(getattr(found, "__abstractmethods__", ()))
        if missing:
            hint = f"{contract.replace(':', '.')} says what each has to do"
            raise PluginError(f"{where} lacks {', '.join(missing)}", hint=hint)
        return found


class PluginHost:
    """All plugins of one process. Cheap to make: nothing is looked for before it is needed."""

    def __init__(
        self,
        *,
        only: Collection[str] | None = None,
        disabled: Collection[str] = (),
        directory: str = "",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        trace: bool = False,
        own_commands: Collection[str] = (),
    ) -> None:
        """``only`` (None: all) and ``disabled`` name plugins or their distributions; built-in ones always stay.

        ``own_commands`` are the names of commands that no plugin can have.
        """
        self.loader = PluginLoader(only, disabled, directory, settings or {}, trace)
        self._registries: dict[str, dict[str, Offer]] = {kind: {} for kind in REGISTRIES}
        self._asked: set[tuple[str, str]] = set()  # kind and plugin
        self._commands_added = False
        self._own_commands = own_commands
        self._about: dict[str, str] = {}  # kind by the message about something that is not used
        self.problems: list[Problem] = self.loader.problems
        """What was skipped so far, and why; grows while plugins are used."""

    @classmethod
    def from_config(cls, config: Config, own_commands: Collection[str] = ()) -> PluginHost:
        """Make the host that the configuration describes."""
        return cls(
            only=config["plugins.only"],
            disabled=config["plugins.disabled"],
            directory=config["plugins.directory"] or "",
            settings=config.plugin_settings,
            trace=config["plugins.trace"],
            own_commands=own_commands,
        )

    # what plugins offer

    def format_for(self, file_or_name: str) -> SpecFormat:
        """Return the format of that name, or else the one for the ending of that file name; raises NotFound."""
        for offers in self._stages(FORMAT):
            offer = offers.get(file_or_name) or _by_suffix(offers.values(), file_or_name)
            if offer is not None:
                return _make(offer)  # type: ignore[no-any-return]
        raise self._missing(FORMAT, file_or_name)

    def formats(self) -> list[SpecFormat]:
        """Return all formats, built-in ones first, in the order in which a file of unknown format is tried."""
        made = []
        for offer in self.offers(FORMAT):
            try:
                made.append(_make(offer))
            except PluginError as exc:
                self.report(offer.plugin, exc)
        return made

    def executor(self, name: str) -> type[Executor]:
        """Return the class of an executor; raises NotFound or PluginError."""
        found: type[Executor] = self._find(EXECUTOR, name).load()
        return found

    def storage(self, location: str) -> type[Storage]:
        """Return the class for a location (``sqlite:jobs.db``) or scheme; raises NotFound or PluginError."""
        found: type[Storage] = self._find(STORAGE, location.partition(":")[0]).load()
        return found

    def monitor(self, name: str = AUTO) -> Monitor | None:
        """Return a new monitor: the one of that name, or the first that can be used here, None when there is none.

        Raises NotFound or PluginError, and Invalid for one that cannot be used here.
        """
        if name != AUTO:
            made = _make(self._find(MONITOR, name))
            for problem in made.check():
                raise Invalid(f'monitor "{name}" cannot be used here: {problem.message}', hint=problem.hint)
            return made  # type: ignore[no-any-return]
        for offers in self._stages(MONITOR):
            for offer in offers.values():
                try:
                    made = _make(offer)
                    if not made.check():
                        return made  # type: ignore[no-any-return]
                except PluginError as exc:
                    self.report(offer.plugin, exc)
        return None

    def offers(self, kind: str) -> list[Offer]:
        """Return everything of a kind; nothing is imported but the plugins' own modules."""
        self.loader.search()
        self._ask(kind)
        return list(self._registries[kind].values())

    # what plugins say when they are asked

    def amend_spec(self, spec: dict[str, Any], source: str) -> None:
        """Let plugins change a parsed spec from ``source`` in place; the first failure is raised."""
        from torc_core.plugin_questions import amend_spec

        amend_spec(self.loader, spec, source)

    def validate_plan(self, plan: Plan) -> list[Problem]:
        """Return the problems that plugins see in a plan, after warnings about plugins whose rules may be missing."""
        from torc_core.plugin_questions import validate_plan

        return validate_plan(self.loader, plan)

    def log_patterns(self) -> list[LogPattern]:
        """Return the patterns that plugins add to the analysis of log files."""
        from torc_core.plugin_questions import log_patterns

        return log_patterns(self.loader)

    def correct_resources(self, adjustment: Adjustment) -> Correction | None:
        """Return what a plugin says jobs should get, None when none has an opinion; raises PluginError."""
        from torc_core.plugin_questions import correct_resources

        return correct_resources(self.loader, adjustment)

    def failure_classifier(self) -> Classify | None:
        """Return what asks plugins about failures; None when no plugin wants to be asked."""
        self.loader.search()
        if not self.loader.implementations("torc_classify_failure"):
            return None
        from functools import partial

        from torc_core.plugin_questions import classify_failure

        return partial(classify_failure, self.loader)

    # who gets in, and who may do what

    def access(self) -> AccessPlugins:
        """Return the plugins that have a say in that; raises PluginError while any plugin cannot be used."""
        from torc_core.plugin_access import AccessPlugins

        return AccessPlugins(self.loader)

    # health

    def plugins(self) -> list[Plugin]:
        """Return all plugins; those that cannot be imported or registered carry their ``error``."""
        for kind in REGISTRIES:
            self.offers(kind)
        return [*self.loader.plugins, *self.loader.commands]

    def offered_by(self, plugin: Plugin) -> list[Offer]:
        """Return what a plugin has registered."""
        return [offer for offers in self._registries.values() for offer in offers.values() if offer.plugin is plugin]

    def kinds(self, plugin: Plugin) -> list[str]:
        """Return what a plugin adds: names of registries, and what else there is."""
        kinds = {offer.kind for offer in self.offered_by(plugin)}
        return sorted(kinds | {kind for kind, hooks in OTHERS.items() if set(hooks) & set(plugin.hooks)})

    def check(self) -> list[Problem]:
        """Import everything that plugins offer and return every problem there is."""
        for plugin in self.plugins():
            for offer in self.offered_by(plugin):
                try:
                    offer.load()
                except PluginError as exc:
                    self.report(plugin, exc)
        return self.problems

    def report(self, plugin: Plugin, error: PluginError) -> None:
        """Note that something a plugin offers cannot be used."""
        self.loader.drop(plugin, "plugin-import", str(error))

    def whose(self, exc: BaseException) -> Plugin | None:
        """Return the plugin in whose code an exception came up or passed, the last of several; None for our own."""
        owners: dict[str, Plugin] = {}
        for plugin in [*self.loader.plugins, *self.loader.commands]:
            if not plugin.is_builtin:
                targets = [plugin.module, *(offer.provider.target for offer in self.offered_by(plugin))]
                owners.update({target.partition(":")[0].partition(".")[0]: plugin for target in targets})
        found, frame = None, exc.__traceback__
        while frame is not None:
            module = frame.tb_frame.f_globals.get("__name__", "")
            found = owners.get(module.partition(".")[0], found)
            frame = frame.tb_next
        return found

    # how they are asked

    def _stages(self, kind: str) -> Iterator[dict[str, Offer]]:
        """Yield the registry of a kind: with the built-in plugins, then with all."""
        self.loader.start()
        if not self.loader.searched:
            self._ask(kind)
            yield self._registries[kind]
            self.loader.search()
        self._ask(kind)
        yield self._registries[kind]

    def _find(self, kind: str, name: str) -> Offer:
        for offers in self._stages(kind):
            if name in offers:
                return offers[name]
        raise self._missing(kind, name)

    def _ask(self, kind: str) -> None:
        """Collect what the loaded plugins offer of a kind, each once."""
        hook = REGISTRIES[kind][0]
        for plugin, implementation in self.loader.implementations(hook):
            if (kind, plugin.name) in self._asked:
                continue
            self._asked.add((kind, plugin.name))
            try:
                answer = self.loader.call(hook, plugin, implementation, {})
                for provider in checked(answer, Provider, f"{plugin}: {hook}"):
                    _check_words(provider, f"{plugin}: {hook}")
                    self._add(Offer(kind, provider, plugin))
            except PluginError as exc:
                self._about[str(exc)] = kind
                self.loader.drop(plugin, "plugin-failed", str(exc))
        if kind == COMMAND and self.loader.searched and not self._commands_added:
            self._commands_added = True
            for plugin in self.loader.commands:
                if plugin.state == ACTIVE:
                    self._add(Offer(kind, Provider(plugin.name, plugin.target), plugin))

    def _add(self, offer: Offer) -> None:
        registry, name = self._registries[offer.kind], offer.provider.name
        same = registry.get(name)
        what = f'{offer.kind} "{name}" of {offer.plugin}'
        if offer.kind == COMMAND and name in self._own_commands:
            what, hint = f"{what} is built in and cannot be replaced", f"Give it another name than {name}"
        elif same is not None:
            what, hint = (
                f"{what} is also offered by {same.plugin}, which is used",
                leave_out_one(offer.plugin, same.plugin),
            )
        else:
            registry[name] = offer
            return
        self._about[what] = offer.kind
        self.loader.drop(offer.plugin, "plugin-duplicate", what, hint)

    def _missing(self, kind: str, name: str) -> NotFound:
        """Return the error for a name nobody offers, with the failures of those who might have."""
        self.plugins()  # so that all have been asked
        broken = [p.message for p in self.problems if self._about.get(p.message, kind) == kind]
        known = [offer.provider for offer in self.offers(kind)]
        listed = ", ".join(f"{p.name} ({' '.join(p.suffixes)})" if p.suffixes else p.name for p in known)
        message = f'{kind} "{name}" is not available' + (f": {'; '.join(broken)}" if broken else "")
        nearest = did_you_mean(name, [provider.name for provider in known])
        return NotFound(message, hint=f"{nearest} Available: {listed}".strip())


def _by_suffix(offers: Collection[Offer], file: str) -> Offer | None:
    """Return the offer with the longest suffix that ``file`` ends in, whatever the case."""
    lowered = file.lower()
    fitting = [(len(s), offer) for offer in offers for s in offer.provider.suffixes if lowered.endswith(s)]
    return max(fitting, key=lambda item: item[0])[1] if fitting else None


def _make(offer: Offer) -> Any:
    """Return a new object of what was offered; a failing constructor of a third party is a PluginError."""
    cls = offer.load()
    try:
        return cls()
    except Exception as exc:
        raise PluginError(f"{offer.plugin}: {offer.provider.target} cannot be made: {told(exc)}") from exc


def checked(answer: Any, item: type, what: str) -> list[Any]:
    """Return the answer of a collecting hook if it is a list of ``item``; raises PluginError."""
    if isinstance(answer, list | tuple) and not isinstance(answer, item):  # records are tuples, too
        wrong = next((entry for entry in answer if not isinstance(entry, item)), None)
        if wrong is None:
            return list(answer)
        raise PluginError(f"{what} returned a list with a {kind_of(wrong)}, expected {item.__name__}")
    raise PluginError(f"{what} returned a {kind_of(answer)}, expected a list of {item.__name__}")


def _check_words(provider: Provider, what: str) -> None:
    """Raise PluginError for a provider that cannot be listed or looked up."""
    name, target, summary, suffixes = provider
    if not (isinstance(name, str) and name and isinstance(target, str) and isinstance(summary, str)):
        raise PluginError(f"{what}: name, target and summary are text, not {provider!r}")
    if name.startswith("-") or any(character.isspace() or character == ":" for character in name):
        raise PluginError(
            f'{what}: the name "{name}" begins with "-", or has a blank or colon, so nobody can ask for it'
        )
    if not all(target.partition(":")):
        raise PluginError(f'{what}: "{name}" has the target "{target}", expected "package.module:Attribute"')
    if not isinstance(suffixes, tuple) or any(s != s.lower() or not s.startswith(".") for s in suffixes):
        raise PluginError(f'{what}: "{name}" has the suffixes {suffixes!r}, expected a tuple like (".csv",)')


def kind_of(value: Any) -> str:
    """Return the word for what was answered instead."""
    return type(value).__name__
