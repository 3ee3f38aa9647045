"""Reads the layers of the configuration, later ones winning, and remembers which layer each value came from.

Built-in defaults; the system file; the user's file; ``torc.toml`` in the working directory; ``TORC_<SECTION>__<KEY>``;
an option's own variable (``TORC_API_URL``); the command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torc_core.config.options import NOT_READ, OPTIONS, SECTIONS, WORDS, BadValue, Option, check, from_text
from torc_core.problems import ERROR, NOTE, WARNING, Path, Problem, ProblemsFound, did_you_mean

SYSTEM_FILE = "/etc/torc/config.toml"
PROJECT_FILE = "torc.toml"
DEFAULT = "default"
COMMAND_LINE = "command line"


class ConfigFile(NamedTuple):
    """One of the files that may exist. ``level`` is system, user or local."""

    level: str
    path: str


class Config:
    """The value of every option, and where it came from."""

    __slots__ = ("plugin_settings", "problems", "read", "sources", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {option.key: option.default for option in OPTIONS.values()}
        self.sources: dict[str, str] = dict.fromkeys(OPTIONS, DEFAULT)  # a file, a variable or "command line"
        self.plugin_settings: dict[str, dict[str, Any]] = {}  # tables [plugins.<name>]
        self.read: list[str] = []  # the files that exist
        self.problems: list[Problem] = []

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def _set(self, option: Option, value: Any, source: str) -> None:
        self.values[option.key] = value
        self.sources[option.key] = source


def config_files(cwd: str, env: Mapping[str, str], system: str = SYSTEM_FILE) -> list[ConfigFile]:
    """Return the files in the order in which they are read; without a home there is none of the user."""
    files = [ConfigFile("system", system)]
    home = env.get("XDG_CONFIG_HOME") or (f"{env['HOME']}/.config" if env.get("HOME") else "")
    if home:
        files.append(ConfigFile("user", f"{home}/torc/config.toml"))
    return [*files, ConfigFile("local", f"{cwd}/{PROJECT_FILE}")]


def load_config(
    cwd: str = ".",
    env: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    system: str = SYSTEM_FILE,
) -> Config:
    """Return the configuration; raises ProblemsFound with everything that is wrong with it.

    Environment and working directory are those of this process unless named. ``given`` holds options of the command
    line by key; None means not given.
    """
    config = read_config(cwd, os.environ if env is None else env, given, system=system)
    if any(problem.severity == ERROR for problem in config.problems):
        raise ProblemsFound("configuration", config.problems)
    return config


def read_config(
    cwd: str, env: Mapping[str, str], given: Mapping[str, Any] | None = None, *, system: str = SYSTEM_FILE
) -> Config:
    """Return the configuration as far as it can be read, with its ``problems``."""
    config = Config()
    for file in config_files(cwd, env, system):
        _read_file(config, file)
    _read_environment(config, env)
    for key, value in (given or {}).items():
        if value is not None:
            try:
                config._set(OPTIONS[key], check(OPTIONS[key], value), COMMAND_LINE)
            except BadValue as exc:
                config.problems.append(Problem("config-value", f"{key}: {exc}", file=COMMAND_LINE))
    return config


def _read_file(config: Config, file: ConfigFile) -> None:
    try:
        with open(file.path, encoding="utf-8") as opened:
            text = opened.read()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as exc:
        why = "it is not UTF-8 text" if isinstance(exc, UnicodeDecodeError) else exc.strerror or str(exc)
        config.problems.append(Problem("config-read", f"cannot be read: {why}", file=file.path))
        return
    import tomllib  # not every command finds a file

    config.read.append(file.path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        line, column = _position(str(exc), text)
        message = str(exc).partition(" (at ")[0]
        config.problems.append(Problem("config-syntax", message, file=file.path, line=line, column=column))
        return
    except (ValueError, RecursionError):  # of numbers with thousands of digits, of tables in tables in tables
        message = "a number is too long, or something is nested too deeply"
        config.problems.append(Problem("config-syntax", message, file=file.path))
        return
    found = list(_read_table(config, data, file))
    if found:
        from torc_core.config.places import locate

        for problem in found:
            line, column = locate(text, problem.path)
            config.problems.append(problem._replace(file=file.path, line=line, column=column))


def _read_table(config: Config, table: dict[str, Any], file: ConfigFile, path: Path = ()) -> Iterator[Problem]:
    """Take the options of one table; yield what is wrong, with paths."""
    for name, value in table.items():
        at = (*path, name)
        key = ".".join(map(str, at))
        option = OPTIONS.get(key)
        if option is not None:
            if file.level == "local" and not option.in_project_file:
                message = f"{key} is not taken from a project's file, since that may be somebody else's"
                severity = ERROR if key.startswith("plugins.") else WARNING  # without the others all is safer
                yield Problem("config-place", message, at, severity, "Set it in the user's or the system's file")
                continue
            try:
                config._set(option, check(option, value), file.path)
            except BadValue as exc:
                yield Problem("config-value", f"{key}: {exc}", at)
        elif key in NOT_READ:
            yield Problem("config-unused", f"{key} has no effect in this release", at, NOTE)
        elif path == ("plugins",) and isinstance(value, dict):
            config.plugin_settings.setdefault(name, {}).update(value)
        elif isinstance(value, dict) and _tables_below(key):
            yield from _read_table(config, value, file, at)
        elif _tables_below(key):
            yield Problem("config-value", f"{key} is a table: [{key}]", at)
        else:
            yield Problem("config-unknown", f"there is no option {key}", at, hint=_nearest(key))


def _tables_below(key: str) -> bool:
    return any(known.startswith(f"{key}.") for known in OPTIONS)


def _nearest(key: str) -> str:
    section = "" if "." in key else did_you_mean(key, SECTIONS)
    tables = {known.rpartition(".")[0] for known in OPTIONS}
    return section or did_you_mean(key, [*OPTIONS, *tables]) or did_you_mean(key, NOT_READ) or 'See "torc config show"'


def _read_environment(config: Config, env: Mapping[str, str]) -> None:
    """Take variables named after keys, then those that stand for command-line options."""
    prefixes = tuple(f"TORC_{section.upper()}__" for section in SECTIONS)
    for name in sorted(name for name in env if name.startswith(prefixes)):
        key = name.removeprefix("TORC_").lower().replace("__", ".")
        if key in OPTIONS:
            _take_variable(config, OPTIONS[key], name, env[name])
        elif not key.startswith(NOT_READ):
            config.problems.append(
                Problem("config-unknown", f"there is no option {key}", severity=WARNING, hint=_nearest(key), file=name)
            )
    for option in OPTIONS.values():
        if option.env in env:
            _take_variable(config, option, option.env, env[option.env])


def _take_variable(config: Config, option: Option, name: str, text: str) -> None:
    if not text and option.kind != WORDS:  # as if it were not set; an empty list says something
        return
    try:
        config._set(option, from_text(option, text), name)
    except BadValue as exc:
        # A variable that other programs share (RUST_LOG) may hold what only they understand.
        severity = ERROR if name.startswith("TORC_") else WARNING
        config.problems.append(Problem("config-value", f"{option.key}: {exc}", severity=severity, file=name))


def _position(message: str, text: str) -> tuple[int, int]:
    """Return line and column that a message of tomllib ends with."""
    numbers = [int(word) for word in message.replace(",", " ").replace(")", " ").split() if word.isdecimal()]
    if len(numbers) >= 2 and "(at line" in message:
        return numbers[-2], numbers[-1]
    return text.count("\n") + 1, len(text) - text.rfind("\n")  # "at end of document"
