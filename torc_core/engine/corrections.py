"""From what attempts used to better requirements: up for what was too little, down for what was far too much. No I/O.

Rounding (reference: recovery, adjusting): memory up to whole g, m or k; run times in whole minutes, at least one, the
seconds dropped unless that would undo the correction; CPUs up to whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from math import ceil
from typing import Any, NamedTuple

from torc_core.engine.resource_rules import (
    OOM_CODE,
    TIMEOUT_CODE,
    Attempt,
    Diagnosis,
    Needs,
    Resource,
    compare,
    diagnose,
)
from torc_core.engine.resource_spread import parted
from torc_core.units import HOUR, KIB, MINUTE, parse_duration, parse_memory

LEAST_MEMORY = 64 * KIB**2
"""Nothing is lowered below: it would make room for nobody, and so little can be missed in looking."""
_UNITS = (("g", KIB**3), ("m", KIB**2), ("k", KIB))


class Multipliers(NamedTuple):
    """By how much a correction exceeds what was used."""

    memory: float = 1.2
    runtime: float = 1.2
    cpu: float = 1.2


class Correction(NamedTuple):
    """What a requirements record should say; texts as in specs."""

    num_cpus: int
    memory: str
    runtime: str

    @classmethod
    def none(cls, needs: Needs) -> Correction:
        """Return what the record says already."""
        return cls(needs.num_cpus, needs.memory, needs.runtime)

    def check(self) -> Correction:
        """Return itself; raises ValueError for what no record may say."""
        if not isinstance(self.num_cpus, int) or isinstance(self.num_cpus, bool) or self.num_cpus < 0:
            raise ValueError(f"num_cpus is {self.num_cpus!r}, expected a whole number of CPUs")
        parse_memory(self.memory)
        parse_duration(self.runtime)
        return self


class Adjustment(NamedTuple):
    """A correction for the jobs of some attempts, which have one requirements record in common."""

    needs: Needs
    attempts: tuple[Attempt, ...]
    correction: Correction
    in_place: bool  # else the jobs get a record of their own, since the old one is right for others

    @property
    def job_ids(self) -> list[int]:
        """The jobs that it is for."""
        return [attempt.job_id for attempt in self.attempts]

    @property
    def changes_memory(self) -> bool:
        """Whether the jobs get another amount of memory."""
        return parse_memory(self.correction.memory) != self.needs.memory_bytes

    @property
    def changes_runtime(self) -> bool:
        """Whether the jobs get another run time."""
        return parse_duration(self.correction.runtime) != self.needs.runtime_seconds

    @property
    def changes_cpus(self) -> bool:
        """Whether the jobs get another number of CPUs."""
        return self.correction.num_cpus != self.needs.num_cpus

    @property
    def changes(self) -> bool:
        """Whether anything is different."""
        return self.changes_memory or self.changes_runtime or self.changes_cpus

    def as_json(self) -> dict[str, Any]:
        """Return it in the shape in which reports show it."""
        needs, new = self.needs, self.correction
        body: dict[str, Any] = {
            "resource_requirements_id": needs.id, "job_ids": self.job_ids,
            "job_names": [attempt.job_name for attempt in self.attempts], "memory_adjusted": self.changes_memory,
        }  # fmt: skip
        if self.changes_memory:
            body |= {"original_memory": needs.memory, "new_memory": new.memory}
        _put(body, "max_peak_memory_bytes", (a.peak_memory_bytes for a in self.attempts))
        body["runtime_adjusted"] = self.changes_runtime
        if self.changes_runtime:
            body |= {"original_runtime": needs.runtime, "new_runtime": new.runtime}
        if self.changes_cpus:
            body |= {"cpu_adjusted": True, "original_cpus": needs.num_cpus, "new_cpus": new.num_cpus}
        _put(body, "max_peak_cpu_percent", (a.peak_cpu_percent for a in self.attempts))
        return body


def _put(body: dict[str, Any], name: str, values: Iterable[float | None]) -> None:
    known = [value for value in values if value is not None]
    if known:
        body[name] = max(known)


Decide = Callable[[Adjustment], Correction | None]
"""Takes a proposed adjustment and returns what to do instead, or None."""


def plan_corrections(
    attempts: Iterable[Attempt],
    jobs: Mapping[int, Collection[int]],
    multipliers: Multipliers | None = None,
    *,
    lower: bool = False,
    regroup: bool = False,
    oom_code: int = OOM_CODE,
    timeout_code: int = TIMEOUT_CODE,
    decide: Decide = lambda adjustment: None,
) -> list[Adjustment]:
    """Return what to change, by record and in the order of the attempts.

    ``attempts`` are the latest of those jobs that may be changed, ``jobs`` the ids of all jobs of each requirements
    record. Jobs that lacked something get more; where that is not all jobs of their record they get a record of their
    own. With ``lower``, jobs that have one record then get less of what none of them needs, when all have ended well;
    with ``regroup``, those are parted first where some need far less memory than others.
    """
    factors = multipliers or Multipliers()
    by_record: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.needs.are_limits:
            by_record.setdefault(attempt.needs.id, []).append(attempt)
    found: list[Adjustment] = []
    for id, ended in by_record.items():
        judged = [(attempt, diagnose(_as_evidence(attempt), oom_code, timeout_code)) for attempt in ended]
        found += _of_record(ended[0].needs, judged, set(jobs.get(id, ())), factors, lower, regroup)
    decided = [a._replace(correction=decide(a) or a.correction) for a in found if a.changes]
    return [adjustment for adjustment in decided if adjustment.changes]


def _as_evidence(attempt: Attempt) -> Attempt:
    """Return what an attempt says about its present requirements.

    That it was killed says nothing when it had others: what it used does. So correcting twice is correcting once.
    """
    return attempt._replace(return_code=1) if attempt.is_outdated and attempt.return_code else attempt


def _of_record(
    needs: Needs,
    judged: list[tuple[Attempt, Diagnosis]],
    jobs: set[int],
    factors: Multipliers,
    lower: bool,
    regroup: bool,
) -> list[Adjustment]:
    """Return what to change for the jobs of one record."""
    lacking = [diagnosis for attempt, diagnosis in judged if _lacks(attempt, diagnosis)]
    short = tuple(diagnosis.attempt for diagnosis in lacking)
    others = tuple(attempt for attempt, diagnosis in judged if not _lacks(attempt, diagnosis))
    left = jobs - {attempt.job_id for attempt in short}
    found = []
    if short:
        correction = _raised(needs, lacking, factors)
        if lower and not any(attempt.has_failed for attempt in short):
            correction = _lowered(needs, short, correction, factors)
        found.append(Adjustment(needs, short, correction, in_place=not left))
    if lower and others and left <= {a.job_id for a in others} and not any(a.has_failed for a in others):
        found += _less(needs, _groups(others, factors) if regroup else [others], factors)
    return found


def _groups(attempts: tuple[Attempt, ...], factors: Multipliers) -> list[tuple[Attempt, ...]]:
    """Part attempts by what memory they need, the least first; all together where that is not known of all."""
    if any(attempt.peak_memory_bytes is None for attempt in attempts):
        return [attempts]
    ordered = sorted(attempts, key=lambda attempt: (attempt.peak_memory_bytes or 0, attempt.job_id))
    sizes = [max((attempt.peak_memory_bytes or 0) * factors.memory, LEAST_MEMORY) for attempt in ordered]
    return [tuple(ordered[part.start : part.stop]) for part in parted(sizes)]


def _less(needs: Needs, groups: list[tuple[Attempt, ...]], factors: Multipliers) -> list[Adjustment]:
    """Lower what each group leaves unused; the last one keeps the record when all others leave it."""
    unchanged = Correction.none(needs)
    found = [Adjustment(needs, group, _lowered(needs, group, unchanged, factors), False) for group in groups]
    if all(adjustment.changes for adjustment in found[:-1]):
        found[-1] = found[-1]._replace(in_place=True)
    return found


def _lacks(attempt: Attempt, diagnosis: Diagnosis) -> bool:
    """Say whether an attempt used more than it had asked for, or failed for want of something."""
    if any(comparison.is_violation for comparison in compare(attempt)):
        return True
    return attempt.has_failed and not diagnosis.is_unknown


def _raised(needs: Needs, lacking: list[Diagnosis], factors: Multipliers) -> Correction:
    cpus, memory, runtime = Correction.none(needs)
    starved = [d for d in lacking if (d.memory and d.memory.is_violation) or (d.attempt.has_failed and d.likely_oom)]
    if starved:
        peak = max((d.attempt.peak_memory_bytes or 0 for d in starved), default=0)
        memory = whole_memory(max(peak, needs.memory_bytes) * factors.memory)
    late = [d for d in lacking if d.likely_runtime_violation or (d.attempt.has_failed and d.likely_timeout)]
    if late:
        longest = max(d.attempt.seconds for d in late)
        is_timeout = any(d.attempt.has_failed and d.likely_timeout for d in late)
        wanted = needs.runtime_seconds * factors.runtime if is_timeout else longest * factors.runtime
        runtime = whole_minutes(wanted, above=max(needs.runtime_seconds, 0 if is_timeout else longest))
    busy = [d.cpu.used for d in lacking if d.cpu is not None and d.cpu.is_violation]
    if busy:
        cpus = max(cpus, whole_cpus(max(busy) * factors.cpu))
    return Correction(cpus, memory, runtime)


def _lowered(needs: Needs, attempts: tuple[Attempt, ...], proposal: Correction, factors: Multipliers) -> Correction:
    """Lower what the proposal leaves as it is and every attempt shows to be more than is needed."""
    cpus, memory, runtime = proposal
    used = {resource: [c.used for a in attempts for c in compare(a) if c.resource is resource] for resource in Resource}
    is_known = {resource: len(values) == len(attempts) for resource, values in used.items()}
    if memory == needs.memory and is_known[Resource.MEMORY]:
        enough = max(max(used[Resource.MEMORY]) * factors.memory, LEAST_MEMORY)
        memory = min(memory, whole_memory(enough), key=parse_memory)
    if runtime == needs.runtime and is_known[Resource.RUNTIME]:
        longest = max(used[Resource.RUNTIME])
        runtime = min(runtime, whole_minutes(longest * factors.runtime, above=longest), key=parse_duration)
    if cpus == needs.num_cpus and is_known[Resource.CPU]:
        cpus = min(cpus, whole_cpus(max(used[Resource.CPU]) * factors.cpu))
    return Correction(cpus, memory, runtime)


def whole_memory(size: float) -> str:
    """Write bytes as whole GiB, MiB or KiB, rounded up: the largest of these that is not more than the size."""
    whole = ceil(_steady(size))
    letter, unit = next(((letter, unit) for letter, unit in _UNITS if whole >= unit), _UNITS[-1])
    return f"{max(1, -(-whole // unit))}{letter}"


def whole_minutes(seconds: float, above: float = 0.0) -> str:
    """Write a run time in hours and minutes: at least a minute, without its seconds.

    When it would not exceed ``above`` (a run time that is known to be too short) it is rounded up instead.
    """
    minutes = max(1, int(_steady(seconds) // MINUTE))
    if minutes * MINUTE <= above:
        minutes = max(ceil(_steady(seconds / MINUTE)), int(above // MINUTE) + 1)
    hours, rest = divmod(minutes, HOUR // MINUTE)
    return "PT" + "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (rest, "M")) if count)


def whole_cpus(percent: float) -> int:
    """Return the CPUs that so many percent of one take, at least one."""
    return max(1, ceil(_steady(percent / 100)))


def _steady(value: float) -> float:
    """Return a product without the last bits, in which 2.5 times 1.2 would be a little more than 3."""
    return round(value, 6)
