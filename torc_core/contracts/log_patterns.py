"""What log analysis looks for; plugins add to it."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.StrEnum):
    """How bad a line is."""

    ERROR = "Error"
    WARNING = "Warning"


class LogPattern(NamedTuple):
    """One kind of trouble that log files tell of.

    ``regex`` is searched for in each line, whatever the case unless ``is_case_sensitive``. ``advice`` says in a
    sentence what to do. ``counts_in_info`` is False for words that harmless lines have too: lines that call themselves
    INFO or DEBUG are not searched for it.
    """

    name: str
    regex: str
    severity: Severity = Severity.ERROR
    advice: str = ""
    is_case_sensitive: bool = False
    counts_in_info: bool = True
