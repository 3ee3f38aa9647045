"""What becomes of a job whose attempt failed, by the rules of its failure handler. No I/O, no clock.

Counting (reference: failure handlers): ``max_retries`` is the number of attempts in total, so 3 means two retries. The
delay before a retry is ``delay_seconds``, times ``backoff`` for each attempt before the one that failed, at most
``max_delay_seconds``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torc_core.contracts.failure import LONGEST_DELAY_SECONDS, Decision
from torc_core.status import JobStatus

LOST_CODE = -128
"""Return code of an attempt that nobody saw end."""


class Rule(NamedTuple):
    """One rule of a failure handler."""

    exit_codes: frozenset[int] = frozenset()
    match_all_exit_codes: bool = False
    recovery_script: str | None = None
    max_retries: int = 3
    delay_seconds: float = 0.0
    backoff: float = 1.0
    max_delay_seconds: float | None = None

    def delay(self, attempt: int) -> float:
        """Return how long to wait after that attempt (1 is the first), in seconds."""
        longest = LONGEST_DELAY_SECONDS if self.max_delay_seconds is None else self.max_delay_seconds
        try:
            delay = self.delay_seconds * self.backoff ** max(0, attempt - 1)
        except OverflowError:
            delay = longest
        return min(delay, longest, LONGEST_DELAY_SECONDS)


def read_rules(data: Any) -> tuple[Rule, ...]:
    """Return the rules of a handler as stored: a list of mappings; unknown members are left alone.

    Raises ValueError, naming the rule (from 1) and the member.
    """
    if data is None:
        return ()
    if not isinstance(data, list | tuple):
        raise ValueError(f"rules: expected a list of rules, found {data!r}")
    return tuple(_rule(number, found) for number, found in enumerate(data, 1))


def _rule(number: int, found: Any) -> Rule:
    if not isinstance(found, Mapping):
        raise ValueError(f"rule {number}: expected a mapping, found {found!r}")
    given = {name: found[name] for name in Rule._fields if found.get(name) is not None}
    for name, value in given.items():
        fits, expected = _EXPECTED[name]
        if not fits(value):
            raise ValueError(f"rule {number}: {name}: expected {expected}, found {value!r}")
    if "exit_codes" in given:
        given["exit_codes"] = frozenset(given["exit_codes"])
    return Rule(**given)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < float("inf")


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "exit_codes": (lambda value: isinstance(value, list) and all(map(_is_whole, value)), "a list of whole numbers"),
    "match_all_exit_codes": (lambda value: isinstance(value, bool), "true or false"),
    "recovery_script": (lambda value: isinstance(value, str), "text"),
    "max_retries": (_is_whole, "a whole number"),
    "delay_seconds": (lambda value: _is_number(value, 0), "a number of seconds, 0 or more"),
    "backoff": (lambda value: _is_number(value, 1), "a factor, 1 or more"),
    "max_delay_seconds": (lambda value: _is_number(value, 0), "a number of seconds, 0 or more"),
}


def rule_for(rules: Sequence[Rule], return_code: int) -> Rule | None:
    """Return the rule for a code: the first that lists it, else the first that matches all codes but 0."""
    for rule in rules:
        if return_code in rule.exit_codes:
            return rule
    if return_code == 0:
        return None
    return next((rule for rule in rules if rule.match_all_exit_codes), None)


def is_used_up(attempt: int, max_retries: int) -> bool:
    """Say whether a job may not run again after that attempt."""
    return attempt >= max_retries


def decide(
    rules: Sequence[Rule], status: JobStatus, return_code: int, attempt: int, *, asks: bool = False
) -> Decision | None:
    """Return what becomes of a job after an attempt that failed or was terminated; None for any other end.

    ``asks`` is the workflow's ``use_pending_failed``: without a rule somebody is to decide.
    """
    if status not in (JobStatus.FAILED, JobStatus.TERMINATED):
        return None
    rule = rule_for(rules, return_code)
    if rule is None:
        reason = f"no rule is for return code {return_code}" if rules else "it has no failure handler"
        return Decision.ask(reason) if asks else Decision.fail(reason)
    if is_used_up(attempt, rule.max_retries):
        return Decision.fail(f"attempt {attempt} of {rule.max_retries} failed")
    return Decision.retry(
        f"return code {return_code}, attempt {attempt} of {rule.max_retries}",
        delay_seconds=rule.delay(attempt),
        recovery_script=rule.recovery_script or None,
    )


def decide_lost(rules: Sequence[Rule], attempt: int) -> Decision:
    """Return what becomes of a job whose runner is gone: it runs again, unless a rule that lists -128 is used up.

    A rule for all codes is for what the job itself does, so it says nothing here.
    """
    listing = [rule for rule in rules if LOST_CODE in rule.exit_codes]
    decision = decide(listing, JobStatus.FAILED, LOST_CODE, attempt) if listing else None
    return decision or Decision.retry("its runner is gone")
