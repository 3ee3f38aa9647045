"""What comes with torc, offered through the same hooks as a third party's: named here, imported when used."""

from __future__ import annotations

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_spec_formats() -> list[Provider]:
    """Offer the formats; a file without a known ending is tried in this order."""
    formats = "torc_plugins.formats"
    return [
        Provider("json", f"{formats}.json_format:JsonFormat", "JSON", (".json",)),
        Provider("json5", f"{formats}.json5_format:Json5Format", "JSON with comments", (".json5", ".jsonc")),
        Provider("yaml", f"{formats}.yaml_format:YamlFormat", "YAML", (".yaml", ".yml")),
        Provider("kdl", f"{formats}.kdl_format:KdlFormat", "KDL 2", (".kdl",)),
    ]


@hookimpl
def torc_register_executors() -> list[Provider]:
    """Offer the executors."""
    executors = "torc_plugins.executors"
    return [
        Provider("local", f"{executors}.local:LocalExecutor", "Processes on this machine"),
        Provider("dry-run", f"{executors}.dry_run:DryRunExecutor", "Starts nothing; plays against a virtual clock"),
    ]


@hookimpl
def torc_register_storage() -> list[Provider]:
    """Offer the storages."""
    storage = "torc_plugins.storage"
    return [
        Provider("sqlite", f"{storage}.sqlite_storage:SqliteStorage", "A SQLite database file"),
        Provider("memory", f"{storage}.memory_storage:MemoryStorage", "Kept until the process ends"),
        Provider("postgresql", f"{storage}.postgresql_storage:PostgresqlStorage", "A PostgreSQL database, for teams"),
    ]


@hookimpl
def torc_register_monitors() -> list[Provider]:
    """Offer the monitors; the first that can be used here is."""
    monitors = "torc_plugins.monitors"
    return [
        Provider("proc", f"{monitors}.proc_monitor:ProcMonitor", "Linux: /proc and control groups"),
        Provider("psutil", f"{monitors}.psutil_monitor:PsutilMonitor", "Other systems, with psutil"),
    ]
