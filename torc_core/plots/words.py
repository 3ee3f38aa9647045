"""Figures of measured series in words."""

from __future__ import annotations

import time

from torc_core.plots.scales import percent
from torc_core.units import human_memory

NOT_KNOWN = "not known"


def moment_text(seconds: float) -> str:
    """Write a moment that is given in seconds since 1970."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def percent_text(share: float | None) -> str:
    """Write a share that may not be known."""
    return NOT_KNOWN if share is None else percent(share)


def bytes_text(size: int | None) -> str:
    """Write a size that may not be known."""
    return NOT_KNOWN if size is None else human_memory(size)


def cpu_text(peak: float | None, average: float | None) -> str:
    """Write the use of CPUs."""
    return f"at most {percent_text(peak)}, on average {percent_text(average)}"


def memory_text(peak: int | None, average: int | None) -> str:
    """Write the use of memory."""
    return f"at most {bytes_text(peak)}, on average {bytes_text(average)}"
