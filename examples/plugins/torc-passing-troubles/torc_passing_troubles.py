"""Judges failures by what jobs wrote: trouble with a network or a licence passes, so the job runs again a little later.

How often and after how long: ``[plugins.passing-troubles]``, ``attempts = 5``, ``delay_seconds = 30``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torc_core.contracts.failure import Decision
from torc_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from torc_core.records.answers import JobLaunch

PASSING = ("Connection reset by peer", "Temporary failure in name resolution", "no licence available")
LOOKED_AT = 64 * 1024


@hookimpl
def torc_classify_failure(
    job: JobLaunch, attempt: int, log_files: Mapping[str, str], settings: Mapping[str, Any]
) -> Decision | None:
    if "stderr" not in log_files:
        return None
    text = last_bytes(Path(log_files["stderr"])).decode(errors="replace")
    found = next((words for words in PASSING if words in text), None)
    if found is None:
        return None
    if attempt >= settings.get("attempts", 5):
        return Decision.ask(f"{job.name} wrote {found!r} in attempt {attempt} still")
    delay = settings.get("delay_seconds", 30) * 2 ** (attempt - 1)
    return Decision.retry(f"it wrote {found!r}", delay_seconds=delay)


def last_bytes(file: Path) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - LOOKED_AT))
        return opened.read()
