"""How differently jobs that share requirements use them, and which of them should share other ones. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any, NamedTuple

from torc_core.engine.resource_rules import Attempt, Needs, Resource

WORTH_PARTING = 0.25
"""Jobs are parted when that saves so much of what they ask for together."""


class Spread(NamedTuple):
    """What jobs of a record asked for of a resource, and used at most: in bytes, percent of a CPU, seconds."""

    resource: Resource
    specified: float
    known: int  # jobs of which the use is known
    least: float = 0.0
    median: float = 0.0
    nine_tenths: float = 0.0  # so many of the jobs used no more
    most: float = 0.0


class RecordSpread(NamedTuple):
    """The spread of everything that the jobs of one requirements record used."""

    needs: Needs
    jobs: int
    spreads: tuple[Spread, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as reports show it; what is not known is left out."""
        names = {Resource.MEMORY: "memory_bytes", Resource.CPU: "cpu_percent", Resource.RUNTIME: "runtime_seconds"}
        body: dict[str, Any] = {
            "resource_requirements_id": self.needs.id, "name": self.needs.name, "jobs": self.jobs,
        }  # fmt: skip
        for spread in self.spreads:
            found = {"specified": spread.specified, "known": spread.known}
            if spread.known:
                found |= {"min": spread.least, "median": spread.median, "p90": spread.nine_tenths, "max": spread.most}
            body[names[spread.resource]] = found
        return body


def spread_of(attempts: Iterable[Attempt]) -> list[RecordSpread]:
    """Return the spread of each record that the attempts have, by the order of the records."""
    by_record: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        by_record.setdefault(attempt.needs.id, []).append(attempt)
    return [_of_record(ended[0].needs, ended) for _, ended in sorted(by_record.items())]


def _of_record(needs: Needs, ended: list[Attempt]) -> RecordSpread:
    spreads = (
        _spread(Resource.MEMORY, needs.memory_bytes, (attempt.peak_memory_bytes for attempt in ended)),
        _spread(Resource.CPU, 100 * needs.num_cpus, (attempt.peak_cpu_percent for attempt in ended)),
        _spread(Resource.RUNTIME, needs.runtime_seconds, (attempt.seconds for attempt in ended)),
    )
    return RecordSpread(needs, len(ended), spreads)


def _spread(resource: Resource, specified: float, uses: Iterable[float | None]) -> Spread:
    known = sorted(use for use in uses if use is not None)
    if not known:
        return Spread(resource, specified, 0)
    return Spread(resource, specified, len(known), known[0], _rank(known, 5), _rank(known, 9), known[-1])


def _rank(ordered: Sequence[float], tenths: int) -> float:
    """Return the smallest value that so many tenths of all do not exceed."""
    return ordered[ceil(len(ordered) * tenths / 10) - 1]


def parted(sizes: Sequence[float]) -> list[range]:
    """Part sizes in ascending order into ranges of places, each to be given what its largest needs.

    A range is parted where that saves most, as long as it saves ``WORTH_PARTING`` of what the range would be given. So
    parts are not parted again when they are looked at by themselves.
    """
    found: list[range] = []
    left = [range(len(sizes))] if sizes else []
    while left:
        part = left.pop()
        top = sizes[part[-1]]
        saved, place = max(((n * (top - sizes[part[n - 1]]), n) for n in range(1, len(part))), default=(0.0, 0))
        if saved and saved >= WORTH_PARTING * top * len(part):
            left += [part[place:], part[:place]]  # the smaller sizes are looked at next
        else:
            found.append(part)
    return found
