"""The format of a spec whose name does not say it: what reads the text, or why nothing does."""

from __future__ import annotations

import itertools
import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.formats import FormatError
from torc_core.errors import UsageError
from torc_core.problems import Problem, ProblemsFound

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.contracts.formats import SpecFormat

_FIRST_LINES = 20
_LONGEST_BEGINNING = 64 * 1024


class _Attempt(NamedTuple):
    """How far a format came with the text, and what stopped it there."""

    format: SpecFormat
    reach: tuple[float, float]  # line and column
    problem: Problem


def recognized(app: App, text: str, name: str, kinds: tuple[type, ...]) -> SpecFormat:
    """Return the first format that reads the text of a file as one of the kinds; raises ProblemsFound with one."""
    if not text.strip():
        raise UsageError(f"{name} is empty", hint='A spec has at least "name" and "jobs".')
    attempts = []
    for candidate in app.host.formats():
        try:
            data = candidate.read(text).data
        except FormatError as exc:
            attempts.append(_Attempt(candidate, (exc.problem.line, exc.problem.column), exc.problem))
        else:
            if isinstance(data, kinds):
                return candidate
            attempts.append(_other_kind(candidate, data))
    raise ProblemsFound(f"{name} is in none of the known formats", [_told(attempts, text, name)])


def _other_kind(candidate: SpecFormat, data: Any) -> _Attempt:
    """Note what a format reads as something else. Almost any text is one value in YAML, so that tells little."""
    is_list = isinstance(data, list)
    message = f"expected a mapping, found {'a list' if is_list else 'a single value'}"
    return _Attempt(candidate, (math.inf, 0) if is_list else (1, 1.5), Problem("type", message, line=1, column=1))


def _told(attempts: list[_Attempt], text: str, name: str) -> Problem:
    """Return why nothing reads the text, with what the likeliest format says of it."""
    likeliest = max(attempts, key=lambda tried: (_reads_beginning(tried.format, text), tried.reach))
    *others, last = [tried.format.name for tried in attempts]
    suffix = PurePath(name).suffix
    unknown = f'the ending "{suffix}" says no format' if suffix else "no ending says the format"
    tried = f"{', '.join(others)} or {last}" if others else last
    said = f"as {likeliest.format.name}, the likeliest: {likeliest.problem.message}"
    hint = likeliest.problem.hint.rstrip(".")
    return likeliest.problem._replace(
        file=name,
        message=f"{unknown}, and the text cannot be read as {tried}; {said}",
        hint=f"{hint}{'. ' if hint else ''}To name the format: torc spec check --from FORMAT",
    )


def _reads_beginning(candidate: SpecFormat, text: str) -> bool:
    """Whether a format reads some of the first lines as the beginning of a spec.

    How far a format comes is not enough: one that takes words as they are may only stop behind the place where the
    right one, which understands them, has to.
    """
    from torc_core.spec.model import WorkflowSpec

    lines = text[:_LONGEST_BEGINNING].splitlines(keepends=True)[:_FIRST_LINES]
    return any(_is_beginning(candidate, beginning, WorkflowSpec.FIELDS) for beginning in itertools.accumulate(lines))


def _is_beginning(candidate: SpecFormat, text: str, fields: Any) -> bool:
    try:
        data = candidate.read(text).data
    except FormatError:
        return False
    return isinstance(data, dict) and any(data.get(field) for field in fields)  # KDL gives empty lists by itself
