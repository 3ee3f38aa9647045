"""The configuration as people read it: all values as TOML with their origin, and a file to begin with."""

from __future__ import annotations

from typing import Any

from torc_core.config.layers import DEFAULT, Config
from torc_core.config.options import OPTIONS, Option, expected


def nested(config: Config) -> dict[str, Any]:
    """Return all values that are set, as the tables of one file."""
    tree: dict[str, Any] = {}
    for key, value in config.values.items():
        if value is not None:
            *tables, name = key.split(".")
            at = tree
            for table in tables:
                at = at.setdefault(table, {})
            at[name] = value
    if config.plugin_settings:
        tree.setdefault("plugins", {}).update(config.plugin_settings)
    return tree


def as_toml(config: Config) -> str:
    """Write all values as a file that could be read again; each line says where its value comes from."""
    lines: list[str] = []
    for table, options in _tables():
        lines += ["", f"[{table}]"]
        for option in options:
            value = config.values[option.key]
            setting = f"{_name(option)} = {_toml(value)}" if value is not None else f"# {_name(option)} is not set"
            source = config.sources[option.key]
            lines.append(setting if source == DEFAULT else f"{setting}  # {source}")
    for plugin, settings in config.plugin_settings.items():
        lines += [
            "",
            f"[plugins.{_key(plugin)}]",
            *(f"{_key(key)} = {_toml(value)}" for key, value in settings.items()),
        ]
    return "\n".join(lines[1:]) + "\n"


def template(*, for_project: bool) -> str:
    """Return a file with every option, its meaning and its default, all commented out."""
    lines = ["# Configuration of torc. Take the # away in front of what you want to set.", ""]
    for table, options in _tables():
        wanted = [option for option in options if option.in_project_file or not for_project]
        lines += [f"[{table}]"]
        for option in wanted:
            value = _toml(option.default) if option.default is not None else ""
            kind = expected(option)
            variable = f"; environment: {option.env}" if option.env else ""
            lines += [f"# {option.doc} ({kind}{variable})", f"# {_name(option)} = {value}".rstrip()]
        lines.append("")
    return "\n".join(lines)


def _tables() -> list[tuple[str, list[Option]]]:
    """Return the options by the table they stand in, in order of declaration."""
    tables: dict[str, list[Option]] = {}
    for option in OPTIONS.values():
        tables.setdefault(option.key.rpartition(".")[0], []).append(option)
    return list(tables.items())


def _name(option: Option) -> str:
    return option.key.rpartition(".")[2]


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _toml(name)


def _toml(value: Any) -> str:
    """Write a value that ``tomllib`` can read (dates and times included)."""
    import json

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items())} }}" if value else "{}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
