"""Every kind of record that the core declares; importing this fills ``RECORDS``, parents first."""

from torc_core.records import resources  # isort: skip  (the parents of all others)
from torc_core.records import access, actions, allocations, provenance, tasks

__all__ = ["access", "actions", "allocations", "provenance", "resources", "tasks"]
