"""The service's clock, as text and numbers of the wire."""

from __future__ import annotations

import time
from functools import lru_cache


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def utc_text(ms: int) -> str:
    """Write milliseconds since 1970 as UTC with milliseconds: ``2026-01-31T08:15:30.250Z``."""
    return f"{_to_the_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def utc_now() -> str:
    """Return the present moment in that notation."""
    return utc_text(now_ms())


def seconds_of(text: str) -> float:
    """Return seconds since 1970 of an RFC 3339 moment; raises ValueError."""
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
