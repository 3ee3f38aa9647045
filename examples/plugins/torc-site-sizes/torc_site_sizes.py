"""Corrected memory comes in steps: 4g, or what the configuration says: ``[plugins.site-sizes]``, ``step = "8g"``."""

from torc_core.hookspecs import hookimpl
from torc_core.units import format_memory, parse_memory


@hookimpl
def torc_correct_resources(adjustment, settings):
    if not adjustment.changes_memory:
        return None
    step = parse_memory(settings.get("step", "4g"))
    steps = -(-parse_memory(adjustment.correction.memory) // step)
    return adjustment.correction._replace(memory=format_memory(steps * step))
