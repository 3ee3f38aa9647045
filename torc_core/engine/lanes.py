"""What jobs ask for, and what a runner has room for: the two sides of a claim."""

from __future__ import annotations

from typing import NamedTuple

UNLIMITED = 1 << 62
LEAST_MEMORY = 2**30 // 10
"""With fewer bytes free a runner claims nothing."""


class Lane(NamedTuple):
    """What jobs have in common when any of them will do; memory in bytes, times in seconds."""

    priority: int = 0
    gpus: int = 0
    runtime_s: int = 60
    memory_bytes: int = 1 << 20
    cpus: int = 1
    nodes: int = 1
    scheduler: int = 0
    labels: frozenset[str] = frozenset()

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        """Claim order; jobs of equal rank go by id."""
        return (-self.priority, -self.gpus, -self.runtime_s, -self.memory_bytes, -self.cpus)


def are_offered(wanted: frozenset[str], offered: frozenset[str]) -> bool:
    """Whether a runner with labels ``offered`` takes jobs that want ``wanted``: labeled ones all of whose it has, or,
    without any labels, only those that want none.
    """
    return bool(wanted) == bool(offered) and wanted <= offered


class Room:
    """What a runner (or ``nodes`` equal machines of one) still has free. Amounts are per machine.

    A job that asks for several machines takes them whole; the others share what is left.
    """

    __slots__ = (
        "_cpus_used", "_gpus_used", "_memory_used", "_nodes_used", "cpus", "gpus", "labels", "memory_bytes", "nodes",
        "scheduler", "strict_scheduler", "time_s",
    )  # fmt: skip

    def __init__(
        self,
        cpus: int,
        memory_bytes: int,
        gpus: int = 0,
        nodes: int = 1,
        time_s: int = UNLIMITED,
        scheduler: int = 0,
        labels: frozenset[str] = frozenset(),
        strict_scheduler: bool = False,
    ) -> None:
        self.cpus, self.memory_bytes, self.gpus, self.nodes = cpus, memory_bytes, gpus, nodes
        self.time_s, self.scheduler, self.labels, self.strict_scheduler = time_s, scheduler, labels, strict_scheduler
        self._cpus_used = self._memory_used = self._gpus_used = self._nodes_used = 0

    def admits(self, lane: Lane, any_scheduler: bool) -> bool:
        """Whether one job of ``lane`` would fit this runner when it is idle."""
        return (
            lane.cpus <= self.cpus
            and lane.memory_bytes <= self.memory_bytes
            and lane.gpus <= self.gpus
            and lane.nodes <= self.nodes
            and lane.runtime_s <= self.time_s
            and (any_scheduler or lane.scheduler in (0, self.scheduler))
            and are_offered(lane.labels, self.labels)
        )

    def copies(self, lane: Lane) -> int:
        """Return how many more jobs of ``lane`` fit beside those already taken."""
        left = self.nodes - self._nodes_used
        if lane.nodes > 1:
            return max(0, left - self._shared_machines()) // lane.nodes
        fits = UNLIMITED
        if lane.cpus:
            fits = (self.cpus * left - self._cpus_used) // lane.cpus
        if lane.memory_bytes:
            fits = min(fits, (self.memory_bytes * left - self._memory_used) // lane.memory_bytes)
        if lane.gpus:
            fits = min(fits, (self.gpus * left - self._gpus_used) // lane.gpus)
        return fits

    def _shared_machines(self) -> int:
        """Return how many machines the jobs that share them need at least."""
        amounts = (
            (self._cpus_used, self.cpus), (self._memory_used, self.memory_bytes), (self._gpus_used, self.gpus),
        )  # fmt: skip
        return max((-(-used // each) for used, each in amounts if each), default=0)

    def is_full(self, least_cpus: int) -> bool:
        """Whether not even a job with the fewest CPUs can fit any more."""
        return self.cpus * (self.nodes - self._nodes_used) - self._cpus_used < least_cpus

    def occupy(self, lane: Lane, count: int) -> None:
        """Take the room of ``count`` jobs of ``lane``."""
        if lane.nodes > 1:
            self._nodes_used += lane.nodes * count
        else:
            self._cpus_used += lane.cpus * count
            self._memory_used += lane.memory_bytes * count
            self._gpus_used += lane.gpus * count
