"""The solver of this site says "error 33" when no licence is free."""

from torc_core.contracts.log_patterns import LogPattern
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_log_patterns() -> list[LogPattern]:
    return [LogPattern("Licence", r"\berror 33\b", advice="Wait for a licence: see licences.example.org.")]
