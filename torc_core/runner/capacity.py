"""How much may run here at once: a number of slots, or CPUs, memory and GPUs that jobs take and give back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torc_core.engine.lanes import LEAST_MEMORY
from torc_core.records.resources import NodeResources
from torc_core.runner.gpus import GpuPool
from torc_core.units import counted, human_memory

if TYPE_CHECKING:
    from torc_core.records.answers import JobLaunch

GIB = 2**30
_ANY = 2**31 - 1


class Offer:
    """What is the same in every claim of a runner."""

    def __init__(self, labels: tuple[str, ...] = (), scheduler_config_id: int | None = None) -> None:
        self.labels = sorted(labels) or None
        self.scheduler_config_id = scheduler_config_id


class Capacity(Protocol):
    """What a runner can hold, now and at most."""

    gpus: GpuPool

    def fits(self, job: JobLaunch) -> bool:
        """Say whether a job can start now."""

    def take(self, job: JobLaunch) -> tuple[str, ...]:
        """Reserve what a job needs; return its GPUs."""

    def give(self, job: JobLaunch, gpu_ids: tuple[str, ...]) -> None:
        """Take back what a job had."""

    def is_full(self) -> bool:
        """Say whether nothing more can start."""

    def claim(self, ahead: int, time_limit: str | None) -> tuple[int, NodeResources | None]:
        """Return how many jobs to ask for, and what they must fit into; ``ahead`` more than can start now."""

    def misfit(self, job: JobLaunch) -> str | None:
        """Say why a job can never run here, or None."""


class Slots:
    """At most so many jobs, whatever they need."""

    def __init__(self, count: int, gpus: GpuPool, offer: Offer) -> None:
        self.gpus = gpus
        self._free = count
        self._offer = offer

    def fits(self, job: JobLaunch) -> bool:
        """Say whether a slot is free."""
        return self._free > 0

    def take(self, job: JobLaunch) -> tuple[str, ...]:
        """Take a slot."""
        self._free -= 1
        return self.gpus.take(job.num_gpus) if job.num_gpus else ()

    def give(self, job: JobLaunch, gpu_ids: tuple[str, ...]) -> None:
        """Free a slot."""
        self._free += 1
        if gpu_ids:
            self.gpus.give(gpu_ids)

    def is_full(self) -> bool:
        """Say whether no slot is free."""
        return self._free <= 0

    def claim(self, ahead: int, time_limit: str | None) -> tuple[int, NodeResources | None]:
        """Ask for as many jobs as slots are free. Only labels and scheduler need a room, and then a boundless one."""
        offer = self._offer
        if offer.labels is None and offer.scheduler_config_id is None:
            return self._free + ahead, None
        room = NodeResources(
            num_cpus=_ANY,
            memory_gb=float(_ANY),
            num_gpus=_ANY,
            num_nodes=_ANY,
            scheduler_config_id=offer.scheduler_config_id,
            labels=offer.labels,
        )
        return self._free + ahead, room

    def misfit(self, job: JobLaunch) -> str | None:
        """Return None: everything fits a slot."""
        return None


class Resources:
    """CPUs, memory and GPUs of this machine."""

    def __init__(self, num_cpus: int, memory_bytes: int, gpus: GpuPool, offer: Offer) -> None:
        self.gpus = gpus
        self.num_cpus = num_cpus
        self.memory_bytes = memory_bytes
        self._cpus = num_cpus
        self._memory = memory_bytes
        self._offer = offer

    def fits(self, job: JobLaunch) -> bool:
        """Say whether what a job needs is free."""
        return (
            job.num_cpus <= self._cpus and job.memory_bytes <= self._memory and job.num_gpus <= self.gpus.free
        )  # fmt: skip

    def take(self, job: JobLaunch) -> tuple[str, ...]:
        """Reserve what a job needs."""
        self._cpus -= job.num_cpus
        self._memory -= job.memory_bytes
        return self.gpus.take(job.num_gpus) if job.num_gpus else ()

    def give(self, job: JobLaunch, gpu_ids: tuple[str, ...]) -> None:
        """Free what a job had."""
        self._cpus += job.num_cpus
        self._memory += job.memory_bytes
        if gpu_ids:
            self.gpus.give(gpu_ids)

    def is_full(self) -> bool:
        """Say whether no CPU or next to no memory is free."""
        return self._cpus <= 0 or self._memory < min(LEAST_MEMORY, self.memory_bytes)

    def claim(self, ahead: int, time_limit: str | None) -> tuple[int, NodeResources | None]:
        """Ask for what fits the free part; for claims ahead, for what fits several machines like this one.

        Each of those jobs then fits this machine, if not at once.
        """
        cpus, memory, gpus, nodes = self._cpus, self._memory, self.gpus.free, 1
        if ahead:
            cpus, memory, gpus = self.num_cpus, self.memory_bytes, len(self.gpus.ids)
            nodes = 1 + ahead // max(1, cpus)
        room = NodeResources(
            num_cpus=cpus,
            memory_gb=memory / GIB,
            num_gpus=gpus,
            num_nodes=nodes,
            time_limit=time_limit,
            scheduler_config_id=self._offer.scheduler_config_id,
            labels=self._offer.labels,
        )
        return max(self._cpus, 0) + ahead, room

    def misfit(self, job: JobLaunch) -> str | None:
        """Say which need exceeds this machine."""
        needs = [
            (job.num_cpus > self.num_cpus, f"{counted(job.num_cpus, 'CPU')}, but this runner has {self.num_cpus}"),
            (
                job.memory_bytes > self.memory_bytes,
                f"{human_memory(job.memory_bytes)} of memory, but this runner has {human_memory(self.memory_bytes)}",
            ),
            (
                job.num_gpus > len(self.gpus.ids),
                f"{counted(job.num_gpus, 'GPU')}, but this runner has {len(self.gpus.ids)}",
            ),
            (job.num_nodes > 1, f"{job.num_nodes} nodes, but this runner has 1"),
        ]
        return next((f"needs {text}" for exceeds, text in needs if exceeds), None)
