"""Offers the storage ``scratch:``."""

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_storage() -> list[Provider]:
    return [Provider("scratch", "torc_scratch_storage:ScratchStorage", "A SQLite database below $SCRATCH")]
