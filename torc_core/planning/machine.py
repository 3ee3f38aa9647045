"""What is in use while a plan is played, and what that leaves for the next claim."""

from __future__ import annotations

from heapq import heappop, heappush

from torc_core.engine.lanes import LEAST_MEMORY, UNLIMITED, Room
from torc_core.planning.needs import Capacity, Needs
from torc_core.planning.schedule import Peak, Peaks


class Machine:
    """CPUs, memory and GPUs (or slots) that jobs take and give back; follows the runner's rules for claims."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._has_slots = capacity.max_parallel_jobs is not None
        self._cpus = self._memory = self._gpus = self._jobs = 0  # in use
        self._free_gpus = list(capacity.gpus)
        self._free_rows: list[int] = []
        self._rows = 0
        self._peaks = [(0, 0.0)] * 4

    def is_full(self) -> bool:
        """Say whether a claim is not worth asking for."""
        capacity = self._capacity
        if capacity.max_parallel_jobs is not None:
            return self._jobs >= capacity.max_parallel_jobs
        least = min(LEAST_MEMORY, capacity.memory_bytes)
        return self._cpus >= capacity.cpus or capacity.memory_bytes - self._memory < least

    def claim(self) -> tuple[int, Room | None]:
        """Return how many jobs to ask for and what they must fit into."""
        capacity = self._capacity
        if capacity.max_parallel_jobs is not None:
            free = capacity.max_parallel_jobs - self._jobs
            return free, self._boundless() if capacity.labels else None
        cpus = capacity.cpus - self._cpus
        room = Room(cpus, capacity.memory_bytes - self._memory, len(capacity.gpus) - self._gpus, labels=capacity.labels)
        return cpus, room

    def _boundless(self) -> Room:
        return Room(UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED, labels=self._capacity.labels)

    def take(self, needs: Needs) -> tuple[int, tuple[str, ...]]:
        """Hold what one job needs; return its row and its GPUs (none with slots, which ignore needs)."""
        self._jobs += 1
        self._cpus += needs.cpus
        self._memory += needs.memory_bytes
        gpu_ids: tuple[str, ...] = ()
        if needs.gpus:
            self._gpus += needs.gpus
            if not self._has_slots:
                gpu_ids = tuple(self._free_gpus[: needs.gpus])
                del self._free_gpus[: needs.gpus]
        if self._free_rows:
            return heappop(self._free_rows), gpu_ids
        self._rows += 1
        return self._rows - 1, gpu_ids

    def give(self, needs: Needs, row: int, gpu_ids: tuple[str, ...]) -> None:
        """Take back what one job held."""
        self._jobs -= 1
        self._cpus -= needs.cpus
        self._memory -= needs.memory_bytes
        self._gpus -= needs.gpus
        self._free_gpus += gpu_ids
        heappush(self._free_rows, row)

    def note(self, now: float) -> None:
        """Remember what is in use if it never was so much."""
        peaks = self._peaks
        for which, amount in enumerate((self._cpus, self._memory, self._gpus, self._jobs)):
            if amount > peaks[which][0]:
                peaks[which] = (amount, now)

    def peaks(self) -> Peaks:
        """Return the most that was in use at the moments noted."""
        return Peaks(*(Peak(amount, at) for amount, at in self._peaks))
