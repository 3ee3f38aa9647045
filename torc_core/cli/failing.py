"""Errors as text or JSON on standard error, and their exit codes: the only place where that is decided."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App
from torc_core.cli.output import echo, echo_error
from torc_core.errors import PluginError, TorcError, UsageError

if TYPE_CHECKING:
    from torc_core.plugin_loading import Plugin

_NO_COMMAND: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""Of click 8.2 and later: the group's name alone was given; its message is the help page."""


def tell(exc: Exception, app: App) -> int:
    """Write an error and return the exit code it stands for."""
    as_json = _wants_json(app)
    if isinstance(exc, click.ClickException):
        if not as_json:
            echo(_usage_text(exc), err=True)
            return exc.exit_code
        exc = UsageError("no command" if isinstance(exc, _NO_COMMAND) else exc.format_message())
    elif isinstance(exc, OSError):
        exc = _of_the_system(exc)
    elif not isinstance(exc, TorcError):
        exc = _defect(exc, app.culprit(exc))
    if app.workflow_id is not None:
        exc.details.setdefault("workflow_id", app.workflow_id)
    echo_error(exc, as_json=as_json)
    return exc.exit_code


def _wants_json(app: App) -> bool:
    """Tell how to print, also when the configuration is wrong, or the line was not read to its end."""
    chosen = app.options.get("format")
    if chosen is not None:
        return bool(chosen == "json")
    words = app.arguments[: app.arguments.index("--")] if "--" in app.arguments else app.arguments
    asked = any(pair in (("-f", "json"), ("--format", "json")) for pair in pairwise(words))
    if asked or "--format=json" in words or "-fjson" in words:
        return True
    try:
        return app.wants_json
    except TorcError:
        return False


def _usage_text(exc: click.ClickException) -> str:
    """Return what was wrong with the line, after how it should be."""
    if isinstance(exc, _NO_COMMAND):
        return str(exc.format_message())
    context = getattr(exc, "ctx", None)
    lines = []
    if context is not None:
        lines = [context.get_usage(), f"Try '{context.command_path} --help' for help.", ""]
    return "\n".join([*lines, f"Error: {exc.format_message()}"])


def _of_the_system(exc: OSError) -> TorcError:
    """What the system refused, where, and what to do about it."""
    import errno

    place = f"{exc.filename}: " if exc.filename else ""
    hint = ""
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "Look at the rights of it and of its folder, or choose another place."
    elif exc.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space there, or choose another place."
    elif exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        hint = "Correct the path, or make its folder first."
    elif exc.errno == errno.EEXIST:
        hint = "Something else is there already: choose another place."
    return TorcError(f"{place}{exc.strerror or exc}", hint=hint)


def _defect(exc: Exception, plugin: Plugin | None) -> TorcError:
    """A defect of ours or of a plugin: keep the details in a file, never show a traceback."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(exc))
    try:
        fd, path = tempfile.mkstemp(prefix="torc-error-", suffix=".txt")
        with os.fdopen(fd, "w") as file:
            file.write(f"torc {' '.join(sys.argv[1:])}\n\n{text}")
    except OSError:  # no room for it: then the message has to do
        path = text.splitlines()[-1]
    if plugin is not None:
        from torc_core.contracts.provider import told

        hint = f"This is a defect of the plugin; whoever made it may want to see {path}"
        return PluginError(f"{plugin} failed: {told(exc)}", hint=hint)
    message = f"internal error: {type(exc).__name__}: {exc}"
    return TorcError(message, hint=f"This is a defect of torc; please report it with {path}")
