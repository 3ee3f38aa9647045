"""Job statuses and the predicates that every decision uses.

The number is what storages keep, the word is what people and the wire see (reference: the published table 0 to 10).
The plain integers are for the engine, which compares them with bytes of a ``bytearray`` in its hottest loops.
"""

from __future__ import annotations

import enum
from typing import Final

UNINITIALIZED: Final = 0
BLOCKED: Final = 1
READY: Final = 2
PENDING: Final = 3
RUNNING: Final = 4
COMPLETED: Final = 5
FAILED: Final = 6
CANCELED: Final = 7
TERMINATED: Final = 8
DISABLED: Final = 9
PENDING_FAILED: Final = 10


class JobStatus(enum.StrEnum):
    """Where a job is in its life, in the order of the stored numbers."""

    UNINITIALIZED = "uninitialized"
    BLOCKED = "blocked"
    READY = "ready"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    DISABLED = "disabled"
    PENDING_FAILED = "pending_failed"

    @property
    def number(self) -> int:
        """The integer that storages keep."""
        return _NUMBERS[self]


BY_NUMBER: Final = tuple(JobStatus)
_NUMBERS = {status: number for number, status in enumerate(BY_NUMBER)}


def _table(*members: int) -> bytes:
    return bytes(status in members for status in range(256))


IS_COMPLETE: Final = _table(COMPLETED, FAILED, CANCELED, TERMINATED)
"""Dependents may go on (or be canceled)."""
IS_BAD: Final = _table(FAILED, CANCELED, TERMINATED)
"""Complete, but dependents with the cancel flag are canceled."""
IS_ACTIVE: Final = _table(PENDING, RUNNING)
"""Held by a runner."""
IS_OVER: Final = _table(COMPLETED, FAILED, CANCELED, TERMINATED, DISABLED)
"""Does not keep the workflow from being complete."""
IS_REPORT: Final = _table(COMPLETED, FAILED, CANCELED, TERMINATED, PENDING_FAILED)
"""What a runner may report as the end of a job."""
