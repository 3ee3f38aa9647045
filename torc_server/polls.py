"""Which operations may wait, and how they are asked without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torc_core.service.ticks import says_something

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


def _tick(arguments: Arguments, **changes: Any) -> Arguments:
    return {**arguments, "report": arguments["report"].changed(wait_seconds=0.0, **changes)}


_REPORTED = {"started": None, "finished": None, "released": None, "held": None, "actions": None, "resend": False}


WAITS: dict[str, Waits] = {
    "wait_for_change": Waits(
        seconds=lambda arguments: arguments.get("wait_seconds", 0.0),
        at_once=lambda arguments: {**arguments, "wait_seconds": 0.0},
        again=lambda arguments: arguments,
        is_nothing=lambda arguments, answer: answer.version == arguments.get("version", 0),
        for_jobs=False,
    ),
    "tick": Waits(
        seconds=lambda arguments: arguments["report"].wait_seconds,
        at_once=_tick,
        again=lambda arguments: _tick(arguments, **_REPORTED),
        is_nothing=lambda arguments, answer: not says_something(answer),
        for_jobs=True,
    ),
}
MAX_SECONDS = 60.0
