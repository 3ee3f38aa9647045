"""Offers the executor "nice"."""

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_executors() -> list[Provider]:
    return [Provider("nice", "torc_nice_executor:NiceExecutor", "Processes with low priority")]
