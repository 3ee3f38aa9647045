"""What the command line prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

from torc_core.errors import TorcError
from torc_core.problems import ERROR, WARNING, Problem, ProblemsFound


class OutputClosed(Exception):
    """Whoever read standard output has gone (``torc jobs list | head -1``): there is nothing left to do."""


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}
"""What could send commands to a terminal, a name with an escape sequence say, as escapes; lines and tabs are fine."""
_ALIKE = ("user data", "resource requirements", "slurm stats")
"""What is one and what is several."""


def harmless(text: str) -> str:
    """Return text without control characters."""
    return text.translate(_CONTROLS)


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line for people; control characters, and what the terminal's encoding does not have, are escaped.

    A result that cannot be written is an error: OutputClosed or TorcError. What is said beside it is not worth one.
    """
    write(f"{harmless(text)}\n", err=err)


def write(text: str, *, err: bool = False) -> None:
    """Print text as it is: documents, files, what has colours. See ``echo``."""
    stream = sys.stderr if err else sys.stdout
    if stream is None:  # closed by the shell: 2>&-
        return
    try:
        _put(stream, text)
        if err:
            stream.flush()
    except OSError as exc:
        _abandon(stream)
        if not err:
            raise _unwritten(exc) from exc


def flush() -> None:
    """Have standard output written out, so that what goes wrong is known before the program ends; see ``echo``."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as exc:
        _abandon(sys.stdout)
        raise _unwritten(exc) from exc


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether a person is at the other end of a stream."""
    return stream is not None and stream.isatty()


def is_closed() -> bool:
    """Tell whether whoever read standard output has gone."""
    import select

    poller = select.poll()
    try:
        poller.register(sys.stdout.fileno(), 0)  # hang-ups are told unasked
    except (AttributeError, OSError, ValueError):  # there is none, or it is no file
        return False
    return bool(poller.poll(0))


def _put(stream: IO[str], text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", "ascii")
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _unwritten(exc: OSError) -> Exception:
    if isinstance(exc, BrokenPipeError):
        return OutputClosed()
    return TorcError(f"cannot write to standard output: {exc.strerror or exc}")


def _abandon(stream: IO[str]) -> None:
    """Lead a stream that takes nothing any more nowhere, or Python tries again, and complains, at its end."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # not a file
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def echo_json(data: Any, *, err: bool = False) -> None:
    """Print one JSON document, indented."""
    import json

    write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", err=err)


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, total: str = "", of: int = 0) -> None:
    """Print aligned columns under their names; ``total`` is what is counted below, "jobs" for instance.

    ``of`` is how many there are, when that is more than are shown.

    Numbers stand at the right, None is empty, and whatever would break the lines of a terminal is escaped.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    numbers = _number_columns(len(columns), cells)
    texts = [[text for text, _ in row] for row in cells]
    widths = [_width(name) for name in columns]
    for line in texts:
        for place, text in enumerate(line):
            width = _width(text)
            widths[place] = max(widths[place], width)
    head = _line(columns, widths, numbers)
    out = [_styled(head, "1", sys.stdout), "  ".join("-" * width for width in widths)]
    out += [_line(line, widths, numbers) for line in texts]
    if total:
        count = f"{len(texts)} of {of}" if of > len(texts) else f"{len(texts)}"
        out += ["", f"Total: {count} {_one_of(total) if max(of, len(texts)) == 1 else total}"]
    write("\n".join(out) + "\n")


def _one_of(things: str) -> str:
    """Return what one of several is called: ``job`` for jobs."""
    head, joint, rest = things.partition(" with ")
    if head not in _ALIKE:
        head = f"{head[:-3]}y" if head.endswith("ies") else head.removesuffix("s")
    return f"{head}{joint}{rest}"


def echo_error(error: TorcError, *, as_json: bool = False) -> None:
    """Print an error and what to do next on standard error, as text or as one JSON object."""
    if isinstance(error, ProblemsFound):
        echo_problems(error.problems, as_json=as_json)
    elif as_json:
        body = {"status": "error", "message": str(error), "error": type(error).__name__, **error.details}
        if error.hint:
            body["hint"] = error.hint
        echo_json(body, err=True)
    else:
        write(f"{_styled('Error:', '1;31', sys.stderr)} {harmless(str(error))}\n", err=True)
        if error.hint:
            echo(f"  {error.hint}", err=True)


def echo_problems(problems: Iterable[Problem], *, as_json: bool = False) -> None:
    """Print findings on standard error: one a line with its place, or all as one JSON object."""
    if as_json:
        from torc_core.spec.report import problem_data
        from torc_core.units import counted

        problems = list(problems)
        errors = sum(problem.severity == ERROR for problem in problems)
        body = {
            "status": "error" if errors else "warning",
            "message": f"{counted(errors, 'error')} found",
            "problems": [problem_data(problem) for problem in problems],
        }
        echo_json(body, err=True)
        return
    colors = {ERROR: "31", WARNING: "33"}
    for problem in problems:
        text = harmless(str(problem))
        write(_styled(text, colors.get(problem.severity, "0"), sys.stderr) + "\n", err=True)


def _styled(text: str, codes: str, stream: IO[str] | None) -> str:
    """Return text in a colour where people see it and have not refused it (https://no-color.org)."""
    if not is_terminal(stream) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{codes}m{text}\x1b[0m"


def _cell(value: Any) -> tuple[str, bool]:
    """Return the text of a value, and whether it may stand in a column of numbers."""
    if value is None:
        return "", True
    if isinstance(value, bool):
        return ("yes" if value else "no"), False
    if isinstance(value, int | float):
        return str(value), True
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if not text.isprintable():  # line ends, escapes of terminals
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text, False


def _number_columns(count: int, cells: Sequence[Sequence[tuple[str, bool]]]) -> list[bool]:
    """Tell for each column whether it holds numbers and nothing else."""
    numbers = [bool(cells)] * count
    for row in cells:
        for place, (_, number) in enumerate(row):
            if not number:
                numbers[place] = False
    return numbers


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # only for text that needs it

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _line(texts: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    parts = []
    for text, width, number in zip(texts, widths, numbers, strict=True):
        space = " " * (width - _width(text))
        parts.append(space + text if number else text + space)
    return "  ".join(parts).rstrip()
