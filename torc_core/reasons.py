"""Why attempts ended as they did, in the words that results carry."""

from __future__ import annotations

import signal
from collections.abc import Sequence

MEMORY = "used more memory than it asked for"
RUN_TIME = "its run time was over"
RUNNER_TIME = "the time of the runner was over"
CANCELED = "the workflow was canceled"
RUNNER_GONE = "its runner is gone"
UNSEEN = "nobody saw it end"
NOT_FOUND = "a command was not found"
NOT_EXECUTABLE = "a command could not be executed"
_SHOWN = 5

OF_SHELLS = {126: NOT_EXECUTABLE, 127: NOT_FOUND}
"""What a return code means that every shell gives for the same reason."""


def runner_stopped(cause: str | None) -> str:
    """Somebody stopped the runner, by a signal or otherwise."""
    return f"the runner was stopped ({cause or 'stop'})"


def killed_by(number: int) -> str:
    """Somebody else sent a signal."""
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"


def outputs_missing(paths: Sequence[str]) -> str:
    """A command said that it succeeded, but did not write what it declares."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"did not write {', '.join(paths[:_SHOWN])}{more}"
