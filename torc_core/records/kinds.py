"""Every kind of record that the core declares; importing this fills ``RECORDS``, parents first."""

from torc_core.records import resources  # isort: skip  (the parents of all others)
from torc_core.records import access, allocations, provenance, tasks

__all__ = ["access", "allocations", "provenance", "resources", "tasks"]
