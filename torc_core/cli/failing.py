"""Errors as text or JSON on standard error, and their exit codes: the only place where that is decided."""

from __future__ import annotations

import os
import sys
import click

from torc_core.cli.app import App
from torc_core.cli.output import echo, echo_error, echo_json
from torc_core.errors import TorcError


def tell(exc: Exception, app: App) -> int:
    """Write an error and return the exit code it stands for."""
    output_format = _format(app)
    if isinstance(exc, click.ClickException):
        if output_format == "json":
            echo_json({"status": "error", "message": exc.format_message()}, err=True)
        else:
            exc.show()
        return exc.exit_code
    if isinstance(exc, OSError):
        exc = TorcError(_os_text(exc))
    if isinstance(exc, TorcError):
        echo_error(exc, as_json=output_format == "json")
        return exc.exit_code
    return _unexpected(exc, output_format)


def _format(app: App) -> str:
    try:
        return app.format
    except TorcError:  # it is the configuration that is wrong
        return str(app.options.get("format") or "table")


def _os_text(exc: OSError) -> str:
    place = f"{exc.filename}: " if exc.filename else ""
    return f"{place}{exc.strerror or exc}"


def _unexpected(exc: Exception, output_format: str) -> int:
    """A defect of ours: say so, keep the details in a file, never show a traceback."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(exc))
    fd, path = tempfile.mkstemp(prefix="torc-error-", suffix=".txt")
    with os.fdopen(fd, "w") as file:
        file.write(f"torc {' '.join(sys.argv[1:])}\n\n{text}")
    message = f"internal error: {type(exc).__name__}: {exc}"
    hint = f"This is a defect of torc; please report it with {path}"
    if output_format == "json":
        echo_json({"status": "error", "message": message, "hint": hint}, err=True)
    else:
        echo(f"{message}\n{hint}", err=True)
    return 1
