"""Why jobs of a played plan never start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torc_core.engine.lanes import Lane
from torc_core.planning.links import Links
from torc_core.planning.needs import Capacity
from torc_core.planning.schedule import Unstarted


def why_unstarted(
    names: Sequence[str],
    lanes: Sequence[Lane],
    capacity: Capacity,
    links: Links,
    started: bytearray,
    troubles: Mapping[int, str],
) -> list[Unstarted]:
    """Group the jobs that are not ``started`` (one byte a job) by reason, in the order of the plan.

    ``troubles`` tells of jobs that could not be started, or ended badly: "cannot be started: no such program".
    """
    if all(started) and not troubles:
        return []
    causes: dict[int, str] = dict(troubles)  # what keeps dependents from starting, by job
    reasons = {job: text for job, text in troubles.items() if not started[job]}
    misfits: dict[Lane, str | None] = {}
    for waits_for, members in zip(links.waits_for, links.members, strict=True):
        cause = next((causes[job] for job in waits_for if job in causes), None)
        for job in members:
            if started[job] or job in reasons:
                continue
            lane = lanes[job]
            if lane not in misfits:
                misfits[lane] = capacity.misfit(lane)
            causes[job] = misfits[lane] or cause or "is never claimed"
            reasons[job] = misfits[lane] or f"waits for a job that {causes[job]}"
    found: dict[str, Unstarted] = {}
    for job in sorted(reasons):
        group = found.setdefault(reasons[job], Unstarted(reasons[job], [], []))
        group.positions.append(job)
        group.names.append(names[job])
    return list(found.values())
