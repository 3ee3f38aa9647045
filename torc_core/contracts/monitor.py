"""What a monitor does: measure what commands, and the whole machine, use."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torc_core.contracts.executor import Processes
from torc_core.problems import Problem


class Usage(NamedTuple):
    """What the processes of a command use, its children's children too. None is not known."""

    cpu_seconds: float  # so far; of processes that have ended as well, as far as that is known
    memory_bytes: int  # resident now
    num_processes: int  # now; those that have ended and were not waited for do not count
    read_bytes: int | None = None  # so far, by system calls
    write_bytes: int | None = None
    peak_memory_bytes: int | None = None  # the most that one of the processes has had so far


class MachineUsage(NamedTuple):
    """What the whole machine uses."""

    cpu_percent: float  # since the last look; 100 is all CPUs
    memory_bytes: int  # what new programs could not have
    total_memory_bytes: int


class Monitor(ABC):
    """Measures. One object belongs to one runner and is used from one thread at a time."""

    name: ClassVar[str]

    def check(self) -> list[Problem]:
        """Return what prevents use here (no /proc, say); no side effects. Monitors are tried in order."""
        return []

    @abstractmethod
    def measure(self, commands: dict[int, Processes]) -> dict[int, Usage]:
        """Look at all commands at once and return what each uses, by the caller's number for it.

        One that has no processes is left out. Never raises: what cannot be read is not known.
        """

    def exact_memory(self, number: int) -> int | None:
        """Return the memory of a command of the last look, shared pages counted once; None where that is not known.

        It may be slow. Asked before a command is ended for what ``measure`` says.
        """
        return None

    @abstractmethod
    def machine(self) -> MachineUsage | None:
        """Look at the machine; None at the first look where a rate needs two, and when nothing can be read."""

    def close(self) -> None:
        """Let go of everything."""
        return
