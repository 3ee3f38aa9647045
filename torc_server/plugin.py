"""The server, offered through the same hooks as a third party's plugin."""

from __future__ import annotations

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_commands() -> list[Provider]:
    """Offer ``torc server``."""
    return [Provider("server", "torc_server.commands:server", "Run a server for many people and machines.")]
