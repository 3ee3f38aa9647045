"""What plugins say about who asks, and who may do what. Every answer is checked, and a failure keeps people out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torc_core.contracts.access import ANONYMOUS, AuthRequest, Principal, Resource, Verdict
from torc_core.errors import PluginError
from torc_core.plugin_loading import BROKEN, Plugin, PluginLoader, leave_out

AUTHENTICATE, AUTHORIZE = "torc_authenticate", "torc_authorize"


class AccessPlugins:
    """The plugins that have a say, found once: a server asks them at every request."""

    def __init__(self, loader: PluginLoader) -> None:
        """Raises PluginError when a plugin cannot be loaded: it may be the one that keeps people out."""
        loader.search()
        for plugin in loader.plugins:
            if plugin.state == BROKEN:
                raise PluginError(
                    f"it may be for {plugin.name} to say who gets in, and it cannot be used: {plugin.error}",
                    hint=leave_out(plugin),
                )
        self._loader = loader
        self._authenticate = loader.implementations(AUTHENTICATE, last_first=True)
        self._authorize = loader.implementations(AUTHORIZE)

    @property
    def know_users(self) -> bool:
        """Whether any of them finds out who asks."""
        return bool(self._authenticate)

    @property
    def have_rules(self) -> bool:
        """Whether any of them has a say in who may do what."""
        return bool(self._authorize)

    def authenticate(self, request: AuthRequest, config: Mapping[str, Any]) -> Principal | None:
        """Return who asks, None when no plugin knows; raises PluginError when one of them refuses or fails."""
        for plugin, implementation in self._authenticate:
            answer = self._call(AUTHENTICATE, plugin, implementation, {"request": request, "config": config})
            if answer is None:
                continue
            if not isinstance(answer, Principal) or not isinstance(answer.user, str):
                raise PluginError(f"{plugin}: {AUTHENTICATE} returned {answer!r}, expected a Principal or None")
            if not answer.user or answer.user == ANONYMOUS:
                raise PluginError(f"{plugin}: {AUTHENTICATE} returned the name {answer.user!r}, which nobody has")
            return answer
        return None

    def authorize(self, principal: Principal, action: str, resource: Resource) -> Verdict:
        """Ask all: one False or failure refuses, else one True allows, else the built-in rule decides."""
        allowed: bool | None = None
        for plugin, implementation in self._authorize:
            arguments = {"principal": principal, "action": action, "resource": resource}
            try:
                answer = self._call(AUTHORIZE, plugin, implementation, arguments)
                if answer is not None and not isinstance(answer, bool):
                    raise PluginError(f"{plugin}: {AUTHORIZE} returned {answer!r}, expected True, False or None")
            except PluginError as exc:
                _log(exc)
                return Verdict(False, f'the plugin "{plugin.name}" failed; the log of the server says how')
            if answer is False:
                return Verdict(False, f'the plugin "{plugin.name}" refuses it')
            allowed = allowed or answer
        return Verdict(allowed)

    def _call(self, hook: str, plugin: Plugin, implementation: Any, arguments: Mapping[str, Any]) -> Any:
        return self._loader.call(hook, plugin, implementation, arguments)


def _log(exc: PluginError) -> None:
    import logging

    logging.getLogger("torc.server.logins").error("%s", exc)
