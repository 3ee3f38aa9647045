"""What planned jobs need, as numbers, and what there is for them."""

from __future__ import annotations

from typing import NamedTuple

from torc_core.engine.lanes import Lane, are_offered
from torc_core.records.resources import ResourceRequirements
from torc_core.spec.plan import Plan, PlannedJob
from torc_core.units import counted, human_duration, human_memory, parse_duration, parse_memory


class Needs(NamedTuple):
    """What one job takes while it runs; memory in bytes, run time in seconds."""

    cpus: int
    memory_bytes: int
    gpus: int
    nodes: int
    runtime_s: int

    def __str__(self) -> str:
        parts = [counted(self.cpus, "CPU"), human_memory(self.memory_bytes)]
        if self.gpus:
            parts.append(counted(self.gpus, "GPU"))
        if self.nodes != 1:
            parts.append(counted(self.nodes, "node"))
        return ", ".join([*parts, human_duration(self.runtime_s)])


class Capacity(NamedTuple):
    """What one runner offers. With ``max_parallel_jobs`` it has that many slots, and needs are ignored."""

    cpus: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()  # ids
    max_parallel_jobs: int | None = None
    labels: frozenset[str] = frozenset()

    def misfit(self, lane: Lane) -> str | None:
        """Return why jobs of ``lane`` can never start here, or None when they can."""
        reasons = []
        if not are_offered(lane.labels, self.labels):
            reasons.append(_label_misfit(lane.labels, self.labels))
        if self.max_parallel_jobs is None:
            gpus = len(self.gpus)
            if lane.cpus > self.cpus:
                reasons.append(f"needs {counted(lane.cpus, 'CPU')}, this machine has {self.cpus}")
            if lane.memory_bytes > self.memory_bytes:
                has = human_memory(self.memory_bytes)
                reasons.append(f"needs {human_memory(lane.memory_bytes)} of memory, this machine has {has}")
            if lane.gpus > gpus:
                has = f"this machine has {gpus}" if gpus else "there are none"
                reasons.append(f"needs {counted(lane.gpus, 'GPU')}, {has}")
            if lane.nodes > 1:
                reasons.append(f"needs {lane.nodes} nodes, this machine is one")
        return "; ".join(reasons) or None


def _label_misfit(wanted: frozenset[str], offered: frozenset[str]) -> str:
    if not wanted:
        return "has no label, this runner takes jobs with its labels only"
    missing = ", ".join(sorted(wanted - offered))
    has = f"this runner offers {', '.join(sorted(offered))}" if offered else "this runner offers none"
    return f"needs a runner with the label{'s' if len(wanted - offered) > 1 else ''} {missing}, {has}"


def needs_of(plan: Plan) -> list[Needs]:
    """Return the needs of each requirements entry of the plan and, last (at -1), those of jobs that name none."""
    return [_needs(ResourceRequirements.of(entry)) for entry in (*plan.requirements, {})]


def _needs(record: ResourceRequirements) -> Needs:
    return Needs(
        record.num_cpus, parse_memory(record.memory), record.num_gpus, record.num_nodes, parse_duration(record.runtime)
    )


def lane_of(job: PlannedJob, needs: Needs) -> Lane:
    """Return the lane in which a job waits once it is ready."""
    return Lane(
        job.priority, needs.gpus, needs.runtime_s, needs.memory_bytes, needs.cpus, needs.nodes, job.scheduler + 1,
        frozenset(job.labels),
    )  # fmt: skip
