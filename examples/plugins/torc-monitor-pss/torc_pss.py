"""Offers the monitor "pss"."""

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_monitors() -> list[Provider]:
    return [Provider("pss", "torc_pss_monitor:PssMonitor", "Linux: memory that processes share is counted once")]
