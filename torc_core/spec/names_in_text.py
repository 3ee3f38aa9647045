"""Where the name of a field stands in the text of a spec; formats tell the places of values only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from torc_core.problems import Problem

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|$)")
_FARTHEST = 200  # characters between the beginning of a name and its value


def at_names(problems: Iterable[Problem], text: str) -> list[Problem]:
    """Move problems about unknown fields from the value to the name in front of it, which is what to correct.

    Where the name is not found there (a comment is between, say), they stay at the value.
    """
    lines: list[str] = []
    moved = []
    for problem in problems:
        if problem.code == "unknown-field" and problem.line:
            lines = lines or _LINE.findall(text.removeprefix("\ufeff"))
            problem = _at_name(problem, lines)
        moved.append(problem)
    return sorted(moved, key=lambda p: (p.file, p.line, p.column))


def _at_name(problem: Problem, lines: list[str]) -> Problem:
    name = re.compile(rf"[\"']?{re.escape(str(problem.path[-1]))}[\"']?\s*[:=]?\s*\Z")
    before = lines[problem.line - 1][: problem.column - 1]
    line = problem.line
    if not before.strip() and line > 1:  # the value is on a line of its own
        line -= 1
        before = lines[line - 1]
    match = name.search(before, max(0, len(before) - _FARTHEST))
    return problem._replace(line=line, column=match.start() + 1) if match else problem
