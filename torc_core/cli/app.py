"""What a command has at hand: options given anywhere on the line, configuration, plugins and the service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torc_core.config import Config
    from torc_core.errors import TorcError
    from torc_core.plugin_loading import Plugin
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service

F = TypeVar("F", bound="Callable[..., Any]")
LEVELS = ("error", "warn", "info", "debug", "trace")
"""Levels of the log; each says what those before it say."""
DEFAULT_DATABASE = "torc_output/torc.db"
DATABASE_VARIABLE = "TORC_DB"
"""Names a database, like ``--db``; set for jobs (never with a password), so that torc in them finds their workflow."""


class App:
    """One run of the program; everything is made when it is first asked for, and closed at the end."""

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self.arguments = list(arguments)  # the command line as it was given
        self.options: dict[str, Any] = {}  # global options as given; the one nearest the end of the line wins
        self.workflow_id: int | None = None  # the workflow that the command is about, once known
        self._config: Config | None = None
        self._host: PluginHost | None = None
        self._service: Service | None = None
        self._api_url: str | None = None
        self.is_closing = False
        self.certificate = ""  # of the server that was found, whose user this is

    @property
    def config(self) -> Config:
        """The layered configuration."""
        if self._config is None:
            from torc_core.config import load_config

            self._config = load_config()
        return self._config

    @property
    def host(self) -> PluginHost:
        """All plugins."""
        if self._host is None:
            from torc_core.cli.main import COMMANDS
            from torc_core.plugins import PluginHost

            self._host = PluginHost.from_config(self.config, {name for part in COMMANDS.values() for name in part})
        return self._host

    def culprit(self, exc: Exception) -> Plugin | None:
        """Return the plugin that an exception comes from, None when it is ours."""
        return self._host.whose(exc) if self._host is not None else None

    @property
    def format(self) -> str:
        """``table``, ``json`` or, where lists are written, ``csv``."""
        return str(self.options.get("format") or self.config["client.format"])

    @property
    def wants_json(self) -> bool:
        """Whether standard output carries one JSON document."""
        return self.format == "json"

    @property
    def log_level(self) -> str:
        """``error``, ``warn``, ``info``, ``debug`` or ``trace``."""
        return str(self.options.get("log_level") or self.config["client.log_level"])

    def say(self, level: str, text: str) -> None:
        """Say something beside the result, unless the log level is lower."""
        from torc_core.cli.output import echo

        if LEVELS.index(level) <= LEVELS.index(self.log_level):
            echo(text, err=True)

    @property
    def api_url(self) -> str:
        """The address of the server that commands ask; empty when they use a database."""
        if self._api_url is None:
            from torc_core.cli.opening import choose_url

            self._api_url = choose_url(self)
        return self._api_url

    @property
    def database(self) -> str:
        """The database that commands use when they ask no server: a path or a URL."""
        return str(self.options.get("db") or os.environ.get(DATABASE_VARIABLE) or DEFAULT_DATABASE)

    @property
    def user(self) -> str:
        """The name that new workflows are owned by."""
        return user_name()

    def complain(self, error: TorcError) -> None:
        """Tell an error after which the command goes on."""
        from torc_core.cli.output import echo_error

        echo_error(error, as_json=self.wants_json)

    def service(self, *, create: bool = False) -> Service:
        """Return the service; without ``create`` a database that is not there is an error."""
        if self._service is None:
            from torc_core.cli.opening import open_service

            self._service = open_service(self, create=create)
        return self._service

    def use(self, service: Service) -> None:
        """Have all further calls go to ``service`` (a dry run brings its own)."""
        self._service = service

    def close(self) -> None:
        """Let go of what was opened."""
        self.is_closing = True
        if self._service is not None:
            self._service.close()
            self._service = None


def user_name() -> str:
    """Return the name of the user, as the environment or the system knows it."""
    for variable in ("TORC_USERNAME", "USER", "LOGNAME", "USERNAME"):
        if os.environ.get(variable):
            return os.environ[variable]
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return "unknown"


def pass_app(function: F) -> F:
    """Give a command the App as its first argument."""
    decorate: Callable[[Any], Any] = click.make_pass_decorator(App)
    decorated: F = decorate(function)
    return decorated
