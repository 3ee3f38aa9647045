"""Specs as commands name them: a file, or ``-`` for standard input."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.problems import Problem, ProblemsFound

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.contracts.formats import SpecFormat
    from torc_core.spec.plan import Plan

STDIN = "-"
LARGEST_BYTES = 1 << 30
_LONGEST_ID = 18  # digits that always fit 64 bits
_PATIENCE_MS = 1000


def complete_file(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[Any]:
    """Have the shell complete the name of a file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="file")]


def complete_offer(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the name of something that plugins offer; ``kind`` is a registry of the host."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        names = [offer.provider.name for offer in context.find_root().obj.host.offers(kind)]
        return [name for name in names if name.startswith(begun)]

    return complete


skip_checks_option = click.option(
    "--skip-checks", is_flag=True, help="Do not check whether jobs fit their Slurm schedulers."
)


class Source(NamedTuple):
    """The text of a spec, its format, what to call it, and the folder that relative paths in it start from."""

    text: str
    format: SpecFormat
    name: str
    folder: Path


def read_source(app: App, name: str, format_name: str | None = None, kinds: tuple[type, ...] = (dict,)) -> Source:
    """Read a spec's text and settle its format: as asked for, by file ending, or by content.

    By content it is the first format that reads the text as one of ``kinds``.
    """
    text, shown = read_text(name)
    folder = Path() if name == STDIN else Path(name).parent
    if format_name is not None:
        return Source(text, app.host.format_for(format_name), shown, folder)
    if name != STDIN:
        try:
            return Source(text, app.host.format_for(name), shown, folder)
        except NotFound:
            pass  # another ending, or none: the content tells
    from torc_core.cli.recognizing import recognized

    return Source(text, recognized(app, text, shown, kinds), shown, folder)


def read_text(name: str) -> tuple[str, str]:
    """Return the text of a file or of standard input, and what to call it in messages."""
    if name != STDIN:
        return _checked(_bytes(Path(name)), name), name
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing comes on standard input", hint="Pipe a file into the command, or name one.")
    return _checked(_all_of(sys.stdin.buffer, "<stdin>"), "<stdin>"), "<stdin>"


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                _wait_for_text(file.fileno(), path)
            os.set_blocking(file.fileno(), True)
            return _all_of(file, str(path))
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", hint=_near(path)) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a spec file", hint="Name a file in it.") from None


def _open_at_once(name: str, flags: int) -> int:
    """Open without waiting, as a pipe would, until somebody writes."""
    return os.open(name, flags | os.O_NONBLOCK)


def _wait_for_text(pipe: int, path: Path) -> None:
    """Wait until something is written into a pipe or its writer is gone; say so when that takes long."""
    import select

    from torc_core.cli.output import echo

    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    if not poller.poll(_PATIENCE_MS):
        echo(f"{path} is a pipe that nobody has written to; waiting (Ctrl-C ends)", err=True)
        poller.poll()


def _all_of(file: BinaryIO, name: str) -> bytes:
    data = file.read(LARGEST_BYTES + 1)  # counted here: pipes and devices have no size
    if len(data) > LARGEST_BYTES:
        raise UsageError(f"{name} is larger than {LARGEST_BYTES >> 30} GiB", hint="Use parameters instead.")
    return data


def _near(path: Path) -> str:
    from torc_core.problems import did_you_mean

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def _checked(data: bytes, name: str) -> str:
    """Return UTF-8 text; raises ProblemsFound, as for all that can be wrong with a spec."""
    try:
        return _decoded(data, name)
    except NotUtf8 as exc:
        raise ProblemsFound(name, [exc.problem]) from None


class NotUtf8(Invalid):
    """Bytes that are no text, or text in another encoding; ``problem`` says where."""

    def __init__(self, name: str, what: str, line: int = 1, column: int = 1) -> None:
        self.problem = Problem("encoding", what, hint="Save it as UTF-8", file=name, line=line, column=column)
        super().__init__(f"{self.problem.place}: {what}", hint=f"{self.problem.hint}.")


def _decoded(data: bytes, name: str) -> str:
    """Return UTF-8 text; raises NotUtf8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotUtf8(name, "UTF-16, not UTF-8")
    if b"\0" in data[:2]:
        raise NotUtf8(name, "a zero byte, as in UTF-16; this is no UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        column = exc.start - data.rfind(b"\n", 0, exc.start)
        raise NotUtf8(name, f"not UTF-8 text (byte 0x{data[exc.start]:02x})", line, column) from None


def check(app: App, source: Source, *, skip_checks: bool = False, limit: int | None = None) -> Plan:
    """Return the plan of a spec with all problems, those of plugins too; it may have errors."""
    from torc_core.problems import ERROR, located
    from torc_core.spec.read import check_spec

    host = app.host
    plan = check_spec(
        source.text,
        source.name,
        source.format,
        read_file=lambda path: _decoded(_bytes(source.folder / path), str(source.folder / path)),
        limit=limit,
        amend=lambda data: host.amend_spec(data, source.name) if isinstance(data, dict) else None,
        skip_checks=skip_checks,
    )
    if any(problem.severity == ERROR for problem in plan.problems):
        return plan
    added = host.validate_plan(plan)
    if added:
        parsed = source.format.read(source.text)
        plan.problems += located(added, source.name, parsed.locate)
    return plan


def read_and_check(app: App, name: str, format_name: str | None = None, *, skip_checks: bool = False) -> Plan:
    """Return the plan of a spec with all problems, an empty one of a file that is no spec at all."""
    from torc_core.spec.plan import Plan

    try:
        return check(app, read_source(app, name, format_name), skip_checks=skip_checks)
    except ProblemsFound as exc:
        plan = Plan()
        plan.problems = exc.problems
        return plan


def read_plan(app: App, name: str, *, skip_checks: bool = False) -> Plan:
    """Return the plan of a spec without errors; warnings are told on standard error. Raises ProblemsFound."""
    from torc_core.cli.output import echo_problems
    from torc_core.problems import ERROR, WARNING

    source = read_source(app, name)
    plan = check(app, source, skip_checks=skip_checks)
    if any(problem.severity == ERROR for problem in plan.problems):
        raise ProblemsFound(source.name, plan.problems)
    echo_problems(problem for problem in plan.problems if problem.severity == WARNING)
    return plan


def is_spec(name: str) -> bool:
    """Whether an argument names a spec rather than a workflow id: only a number that is no file is an id."""
    return name == STDIN or not name.isdecimal() or Path(name).exists()


def stored_id(name: str) -> int:
    """Return the workflow id that an argument is, when it is no spec; raises UsageError for an impossible one."""
    if len(name) > _LONGEST_ID:
        raise UsageError(f"{name} is neither a file nor a workflow id")
    return int(name)


def plain_data(value: Any) -> Any:
    """Return parsed data with what its format's plain scalars read as."""
    from torc_core.records.values import typed

    return typed(value)
