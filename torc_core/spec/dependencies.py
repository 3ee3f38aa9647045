"""Order and cycles. Equal dependency lists are one object, so they are walked once, however many jobs share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torc_core.problems import Path
from torc_core.spec.findings import Findings
from torc_core.spec.plan import Plan, PlannedJob
from torc_core.units import counted

Positions = tuple[int, ...]
_MOST_CYCLES = 10
_MOST_SHOWN = 12


def order_jobs(plan: Plan, findings: Findings) -> set[int]:
    """Sort the jobs by level (longest chain of explicit dependencies) and place in the spec.

    Cycles are errors; then nothing is sorted. Returns the jobs on or behind a cycle.
    """
    jobs = plan.jobs
    waits = [job.depends_on for job in jobs]
    levels = _forward_levels(waits)
    if levels is None:
        levels, stuck = _levels([(w,) if w else () for w in waits])
        if stuck:
            _report_cycles(jobs, stuck, lambda i: waits[i], "depends_on", findings)
            return stuck
    if any(levels[i] > levels[i + 1] for i in range(len(levels) - 1)):
        _reorder(plan, sorted(range(len(jobs)), key=levels.__getitem__))
    return set()


def _forward_levels(waits: Sequence[Positions]) -> list[int] | None:
    """Return the levels when all dependencies stand before their jobs, else None."""
    levels: list[int] = []
    known: dict[int, int] = {}  # level by identity of a list
    for i, wait in enumerate(waits):
        if not wait:
            levels.append(0)
            continue
        if wait[-1] >= i:
            return None
        if len(wait) == 1:
            levels.append(levels[wait[0]] + 1)
            continue
        level = known.get(id(wait))
        if level is None:
            level = known[id(wait)] = 1 + max([levels[j] for j in wait])
        levels.append(level)
    return levels


def _levels(waits: Sequence[Sequence[Positions]]) -> tuple[list[int], set[int]]:
    """Return the level of each node and the nodes on or behind a cycle; node i needs all in the lists ``waits[i]``."""
    lists: dict[int, Positions] = {id(wait): wait for lists in waits for wait in lists}
    waiting: dict[int, list[int]] = {key: [] for key in lists}  # nodes by the list they need
    for node, needed in enumerate(waits):
        for wait in needed:
            waiting[id(wait)].append(node)
    members: list[list[int]] = [[] for _ in waits]  # keys of the lists a node is in
    for key, wait in lists.items():
        for node in wait:
            members[node].append(key)
    left = {key: len(wait) for key, wait in lists.items()}
    left_lists = [len(needed) for needed in waits]
    levels = [0] * len(waits)
    queue = [node for node, needed in enumerate(waits) if not needed]
    for node in queue:  # grows while it is walked
        for key in members[node]:
            left[key] -= 1
            if left[key]:
                continue
            level = 1 + max([levels[j] for j in lists[key]])
            for behind in waiting[key]:
                levels[behind] = max(levels[behind], level)
                left_lists[behind] -= 1
                if not left_lists[behind]:
                    queue.append(behind)
    return levels, set(range(len(waits))).difference(queue)


def _reorder(plan: Plan, order: list[int]) -> None:
    """Put the jobs into ``order`` and renumber what refers to them."""
    place = [0] * len(order)
    for new, old in enumerate(order):
        place[old] = new
    plan.jobs = [plan.jobs[old] for old in order]
    renumbered: dict[int, Positions] = {}
    kept = []  # so that no identity is used again meanwhile
    for job in plan.jobs:
        wait = job.depends_on
        if wait:
            found = renumbered.get(id(wait))
            if found is None:
                kept.append(wait)
                found = renumbered[id(wait)] = tuple(sorted([place[i] for i in wait]))
            job.depends_on = found
    for action in plan.actions:
        if "jobs" in action:
            action["jobs"] = sorted(place[i] for i in action["jobs"])


class _Writers:
    """Which jobs write each file (or user data): mostly one, so that only the last is kept in a list."""

    def __init__(self, jobs: list[PlannedJob], count: int, outputs: str) -> None:
        self.last = [-1] * count
        self.several: dict[int, list[int]] = {}
        self._lists: dict[int, Positions] = {}
        for i, job in enumerate(jobs):
            for item in getattr(job, outputs):
                if self.last[item] >= 0:
                    self.several.setdefault(item, [self.last[item]]).append(i)
                self.last[item] = i

    def of(self, item: int) -> Positions:
        """Return the jobs that write one item, the same object each time."""
        found = self._lists.get(item)
        if found is None:
            last = self.last[item]
            found = self._lists[item] = () if last < 0 else tuple(self.several.get(item, (last,)))
        return found


def check_all_edges(plan: Plan, told: set[int], findings: Findings) -> None:
    """Note cycles that files and user data close, and files that several jobs write.

    What the jobs ``told`` depend on is left out: their cycles were reported already.
    """
    jobs = plan.jobs
    files, data = _Writers(jobs, len(plan.files), "outputs"), _Writers(jobs, len(plan.data), "data_outputs")
    _warn_of_shared_outputs(plan, files.several, findings)
    if _all_forward(jobs, files.last, data.last):
        return
    waits = []
    for i, job in enumerate(jobs):
        needed = [() if i in told else job.depends_on, *map(files.of, job.inputs), *map(data.of, job.data_inputs)]
        waits.append(list({id(wait): wait for wait in needed if wait}.values()))
    _, stuck = _levels(waits)
    if stuck:
        _report_cycles(jobs, stuck, lambda i: [j for wait in waits[i] for j in wait], "files", findings)


def _all_forward(jobs: list[PlannedJob], file_writers: list[int], data_writers: list[int]) -> bool:
    """Whether every job stands behind all it waits for, so that there can be no cycle."""
    for i, job in enumerate(jobs):
        if job.depends_on and job.depends_on[-1] >= i:
            return False
        for file in job.inputs:
            if file_writers[file] >= i:
                return False
        for data in job.data_inputs:
            if data_writers[data] >= i:
                return False
    return True


def _warn_of_shared_outputs(plan: Plan, several: dict[int, list[int]], findings: Findings) -> None:
    told: dict[tuple[Path, Path], list[int]] = {}
    for file, jobs in several.items():
        told.setdefault((plan.jobs[jobs[0]].path, plan.jobs[jobs[1]].path), []).append(file)
    for files in told.values():
        first, second = (plan.jobs[i].name for i in several[files[0]][:2])
        more = f" (and {counted(len(files) - 1, 'more file')})" if len(files) > 1 else ""
        what = f'file "{plan.files[files[0]].name}"{more} is written by job "{first}" and job "{second}"'
        path = plan.jobs[several[files[0]][1]].path
        findings.warning("output-shared", what, path, hint="A job that reads it waits for both.")


def _report_cycles(
    jobs: list[PlannedJob], stuck: set[int], needs: Callable[[int], Sequence[int]], field: str, findings: Findings
) -> None:
    """Show one cycle for each group of jobs that wait for each other."""
    walked: set[int] = set()
    found = 0
    for start in sorted(stuck):
        trail: dict[int, None] = {}
        node = start
        while node not in walked and node not in trail:
            trail[node] = None
            node = next(i for i in needs(node) if i in stuck)
        if node in trail:
            way = list(trail)
            _report_cycle(jobs, way[way.index(node) :], field, findings)
            found += 1
            if found == _MOST_CYCLES:
                return
        walked.update(trail)


def _report_cycle(jobs: list[PlannedJob], cycle: list[int], field: str, findings: Findings) -> None:
    names = [jobs[i].name for i in cycle]
    path = jobs[cycle[0]].path
    if len(cycle) == 1:
        why = "depends on itself" if field == "depends_on" else "reads what it writes itself"
        hint = (
            "A pattern of depends_on_regexes may match its own name."
            if field == "depends_on"
            else "Use two files, or leave it out of the inputs."
        )
        findings.error("cycle", f'job "{names[0]}" {why}, so it would never start', path, hint=hint)
        return
    shown = (
        names
        if len(names) <= _MOST_SHOWN
        else [*names[: _MOST_SHOWN - 1], f"... {len(names) - _MOST_SHOWN} more ...", names[-1]]
    )
    way = " -> ".join([*shown, names[0]])
    through = "" if field == "depends_on" else ", through files and user data"
    hint = "Each waits for the next; take one of these dependencies out."
    findings.error("cycle", f"jobs wait for each other{through}: {way}", path, hint=hint)
