"""``torc recover`` at a terminal: a person decides about each cause of failure before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torc_core.cli.output import echo
from torc_core.cli.pick import ask
from torc_core.diagnosis.recovery import Cause, Failure
from torc_core.errors import Invalid
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.recovering import Recovering

_SHOWN = 5
_TITLES = {
    Cause.MEMORY: "lacked memory", Cause.TIMEOUT: "lacked time", Cause.LOST: "lost with their runner",
    Cause.UNKNOWN: "that nothing explains",
}  # fmt: skip


def decide(found: Recovering) -> Recovering:
    """Ask about each cause, and return the recovery as it was decided; raises Invalid for an impossible answer."""
    ways, leave = found.ways, set[Cause]()
    by_cause: dict[Cause, list[Failure]] = {}
    for failure in found.plan.failures:
        by_cause.setdefault(failure.cause, []).append(failure)
    for cause in Cause:
        failures = by_cause.get(cause)
        if not failures:
            continue
        _show(cause, failures)
        if cause is Cause.MEMORY:
            factor = _factor("Give them how many times the memory?", ways.memory_multiplier)
            ways = ways._replace(memory_multiplier=factor or ways.memory_multiplier)
        elif cause is Cause.TIMEOUT:
            factor = _factor("Give them how many times the run time?", ways.runtime_multiplier)
            ways = ways._replace(runtime_multiplier=factor or ways.runtime_multiplier)
        else:
            factor = _yes("Try them again as they are?", is_usual=cause is Cause.LOST or ways.retry_unknown)
        if not factor:
            leave.add(cause)
    return found.planned_anew(ways, leave)


def _show(cause: Cause, failures: list[Failure]) -> None:
    echo(f"\n{counted(len(failures), 'job')} {_TITLES[cause]}:", err=True)
    for failure in failures[:_SHOWN]:
        echo(f"  {failure.text}", err=True)
    if len(failures) > _SHOWN:
        echo(f"  ... and {len(failures) - _SHOWN} more", err=True)


def _factor(question: str, usual: float) -> float | None:
    """Return a number above 1, None to leave the jobs alone."""
    answer = ask(f"{question} (Enter: {usual:g}, s: leave them alone) ").casefold()
    if answer in ("s", "skip"):
        return None
    try:
        factor = float(answer) if answer else usual
    except ValueError:
        factor = 0.0
    if not 1 < factor < float("inf"):
        raise Invalid(f"{answer!r} is no number above 1; nothing was changed")
    return factor


def _yes(question: str, *, is_usual: bool) -> bool:
    answer = ask(f"{question} ({'Y/n' if is_usual else 'y/N'}) ").casefold()
    return answer in ("y", "yes") if answer else is_usual
