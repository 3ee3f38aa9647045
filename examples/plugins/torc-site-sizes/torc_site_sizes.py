"""Corrected memory comes in steps: 4g, or what the configuration says: ``[plugins.site-sizes]``, ``step = "8g"``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torc_core.hookspecs import hookimpl
from torc_core.units import format_memory, parse_memory

if TYPE_CHECKING:
    from torc_core.engine.corrections import Adjustment, Correction


@hookimpl
def torc_correct_resources(adjustment: Adjustment, settings: Mapping[str, Any]) -> Correction | None:
    if not adjustment.changes_memory:
        return None
    step = parse_memory(settings.get("step", "4g"))
    steps = -(-parse_memory(adjustment.correction.memory) // step)
    return adjustment.correction._replace(memory=format_memory(steps * step))
