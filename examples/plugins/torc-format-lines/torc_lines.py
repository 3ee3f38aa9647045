"""Offers the spec format "lines" for files that end in ``.jobs``."""

from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_register_spec_formats() -> list[Provider]:
    return [Provider("lines", "torc_lines_format:LinesFormat", "One job a line", suffixes=(".jobs",))]
