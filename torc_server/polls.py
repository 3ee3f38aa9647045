"""Which operations may wait, and how they are asked without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Arguments = dict[str, Any]


class Waits(NamedTuple):
    """How one operation waits."""

    seconds: Callable[[Arguments], float]
    at_once: Callable[[Arguments], Arguments]
    """The arguments of the first attempt, which does not wait."""
    again: Callable[[Arguments], Arguments]
    """Those of later attempts: nothing is reported twice."""
    is_nothing: Callable[[Arguments, Any], bool]
    """Whether an answer says that there is nothing yet."""
    for_jobs: bool
    """Whether only ready jobs, or the end of the workflow, are worth another attempt."""


def _no_tick(arguments: Arguments, answer: Any) -> bool:
    return not (answer.jobs or answer.refused or answer.lost or answer.is_complete or answer.is_canceled)


def _tick(arguments: Arguments, **changes: Any) -> Arguments:
    return {**arguments, "report": arguments["report"].changed(wait_seconds=0.0, **changes)}


WAITS: dict[str, Waits] = {
    "wait_for_change": Waits(
        seconds=lambda arguments: arguments.get("wait_seconds", 0.0),
        at_once=lambda arguments: {**arguments, "wait_seconds": 0.0},
        again=lambda arguments: arguments,
        is_nothing=lambda arguments, answer: answer.version == arguments.get("version", 0),
        for_jobs=False,
    ),
    "tick": Waits(
        seconds=lambda arguments: getattr(arguments["report"], "wait_seconds", 0.0),
        at_once=_tick,
        again=lambda arguments: _tick(arguments, started=None, finished=None, released=None, resend=False),
        is_nothing=_no_tick,
        for_jobs=True,
    ),
}
MAX_SECONDS = 60.0
