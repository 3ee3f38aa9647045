"""Which planned jobs wait for which, however the plan says so: by name, by a file or by user data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torc_core.errors import Invalid
from torc_core.spec.plan import NOTHING, PlannedJob


class Links:
    """Jobs grouped by what they wait for. Everything is positions; groups are numbered so that none waits for a later.

    ``waits_for[g]`` are the jobs, ascending, that all of ``members[g]`` wait for; ``group_of[j]`` is a job's group;
    ``levels[g]`` is 0 for jobs that wait for nothing, else one more than the highest among those waited for.
    """

    __slots__ = ("group_of", "levels", "members", "waits_for")

    def __init__(self, jobs: Sequence[PlannedJob]) -> None:
        group_of, waits_for = _grouped(jobs)
        order, levels = _ordered(jobs, group_of, waits_for)
        place = [0] * len(order)
        for number, group in enumerate(order):
            place[group] = number
        self.group_of = [place[group] for group in group_of]
        self.waits_for = [waits_for[group] for group in order]
        self.levels = [levels[group] for group in order]
        self.members: list[list[int]] = [[] for _ in order]
        for job, group in enumerate(self.group_of):
            self.members[group].append(job)

    def longest_chain(self, seconds: Sequence[float]) -> list[int]:
        """Return the chain of jobs, first to last, whose ``seconds`` add up to most; of equal ones the first."""
        total = [0.0] * len(seconds)
        last: list[int] = []
        for waits_for, members in zip(self.waits_for, self.members, strict=True):
            latest = max(waits_for, key=total.__getitem__, default=-1)
            before = total[latest] if latest >= 0 else 0.0
            last.append(latest)
            for job in members:
                total[job] = before + seconds[job]
        at = max(range(len(total)), key=total.__getitem__, default=-1)
        found = []
        while at >= 0:
            found.append(at)
            at = last[self.group_of[at]]
        return found[::-1]


def _grouped(jobs: Sequence[PlannedJob]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the group of each job, and what each group waits for."""
    makers = _makers([job.outputs for job in jobs])
    data_makers = _makers([job.data_outputs for job in jobs])
    numbers: dict[tuple[int, ...], int] = {}
    # Jobs of one template share their lists; telling them apart by identity spares hashing long lists again and again.
    known: dict[tuple[int, int, int], int] = {}
    group_of = []
    for position, job in enumerate(jobs):
        key = (id(job.depends_on), id(job.inputs), id(job.data_inputs))
        group = known.get(key)
        if group is None or _reads_own(job):
            links = _links(job, makers, data_makers)
            if _reads_own(job):
                group = numbers.setdefault(tuple(link for link in links if link != position), len(numbers))
            else:
                group = known[key] = numbers.setdefault(links, len(numbers))
        group_of.append(group)
    return group_of, list(numbers)


def _makers(outputs: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    makers: dict[int, list[int]] = {}
    for job, made in enumerate(outputs):
        for item in made:
            makers.setdefault(item, []).append(job)
    return makers


def _reads_own(job: PlannedJob) -> bool:
    """Say whether a job reads something that it writes, for which it does not wait."""
    return bool(
        (job.outputs and job.inputs and not set(job.inputs).isdisjoint(job.outputs))
        or (job.data_outputs and job.data_inputs and not set(job.data_inputs).isdisjoint(job.data_outputs))
    )


def _links(job: PlannedJob, makers: dict[int, list[int]], data_makers: dict[int, list[int]]) -> tuple[int, ...]:
    if not job.inputs and not job.data_inputs:
        return tuple(job.depends_on)
    made = [makers.get(item, NOTHING) for item in job.inputs]
    made += [data_makers.get(item, NOTHING) for item in job.data_inputs]
    return tuple(sorted(set(job.depends_on).union(chain.from_iterable(made))))


def _ordered(
    jobs: Sequence[PlannedJob], group_of: Sequence[int], waits_for: Sequence[tuple[int, ...]]
) -> tuple[list[int], list[int]]:
    """Return the groups by level and then first job, and the level of each; raises Invalid for a cycle."""
    first: dict[int, int] = {}
    for job, group in enumerate(group_of):
        first.setdefault(group, job)
    needed: list[set[int]] = [{group_of[job] for job in links} for links in waits_for]
    dependents: list[list[int]] = [[] for _ in waits_for]
    for group, needs in enumerate(needed):
        for other in needs:
            dependents[other].append(group)
    left = [len(needs) for needs in needed]
    levels = [0] * len(left)
    order = [group for group, count in enumerate(left) if not count]
    for group in order:  # grows while it is read
        for dependent in dependents[group]:
            levels[dependent] = max(levels[dependent], levels[group] + 1)
            left[dependent] -= 1
            if not left[dependent]:
                order.append(dependent)
    if len(order) < len(left):
        stuck = next(job for job, group in enumerate(group_of) if left[group])
        raise Invalid(f'job "{jobs[stuck].name}" waits, by way of others, for itself or for jobs that do')
    order.sort(key=lambda group: (levels[group], first.get(group, 0)))
    return order, levels
