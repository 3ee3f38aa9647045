"""Measures as the built-in monitor does, but for memory: pages that processes of a job share count once.

Reading that takes much longer, since the kernel looks at every page: fit for few jobs, or long intervals.
"""

from torc_core.contracts.executor import Processes
from torc_core.contracts.monitor import Usage
from torc_plugins.monitors.proc_monitor import ProcMonitor


class PssMonitor(ProcMonitor):
    name = "pss"

    def measure(self, commands: dict[int, Processes]) -> dict[int, Usage]:
        return {number: self._exact(number, usage) for number, usage in super().measure(commands).items()}

    def _exact(self, number: int, usage: Usage) -> Usage:
        exact = self.exact_memory(number)
        return usage if exact is None else usage._replace(memory_bytes=exact)
