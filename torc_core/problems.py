"""Findings about a document: what is wrong, where, and what to do next; many are collected before anything is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from torc_core.errors import Invalid

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a document to a value: ``("jobs", 3, "depends_on", 0)``."""
Locate = Callable[[Path], tuple[int, int]]
"""Line and column (both from 1) of the value at a path, or of the nearest value above it; (0, 0) when unknown."""

ERROR = "error"
WARNING = "warning"
NOTE = "note"


class Problem(NamedTuple):
    """One finding. ``code`` is stable and short (``dep-missing``); ``found`` is the text as it was written."""

    code: str
    message: str
    path: Path = ()
    severity: str = ERROR
    hint: str = ""
    found: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def place(self) -> str:
        """``file:line:column`` as far as known."""
        parts = [self.file] if self.file else []
        if self.line:
            parts += [str(self.line), str(self.column)]
        return ":".join(parts)

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f". {self.hint}" if self.hint else ""
        return f"{place}{self.severity}[{self.code}] {self.message}{hint}"


class ProblemsFound(Invalid):
    """A document with errors; ``problems`` holds all findings, warnings too."""

    exit_code = 1

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        errors = [p for p in problems if p.severity == ERROR]
        from torc_core.units import counted

        count = counted(len(errors), "error")
        super().__init__(f"{what}: {count}", problems=[str(p) for p in problems])
        self.problems = list(problems)


def located(problems: Iterable[Problem], file: str, locate: Locate) -> list[Problem]:
    """Fill in file, line and column of ``problems`` that do not have them yet, and sort them by place."""
    found = []
    for problem in problems:
        if not problem.file:
            line, column = locate(problem.path)
            problem = problem._replace(file=file, line=line, column=column)
        found.append(problem)
    return sorted(found, key=lambda p: (p.file, p.line, p.column))


def dotted(path: Path) -> str:
    """Write a path the way people read it: ``jobs[3].depends_on[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean "x"?`` for the known word nearest to ``word``, or nothing when none is near."""
    from difflib import get_close_matches  # only when something is wrong: importing it costs more than most commands

    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f'Did you mean "{lowered[near[0]]}"?' if near else ""
