"""Commands that a runner runs beside its jobs: recovery scripts, actions. They take no part in claims and reports."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from torc_core.contracts.executor import SubmitError

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor, Handle, LaunchRequest, Observation

Ended = Callable[["Observation"], None]
"""Called in the runner's thread when a command has ended."""


class SideProcesses:
    """Starts such commands through the runner's executor, which tells their ends together with those of jobs."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.running: dict[Handle, Ended] = {}

    def start(self, request: LaunchRequest, ended: Ended) -> Handle | SubmitError:
        """Start a command; ``ended`` is called once, unless it could not be started."""
        [answer] = self._executor.submit([request])
        if not isinstance(answer, SubmitError):
            self.running[answer] = ended
        return answer

    def settle(self, handle: Handle, seen: Observation) -> None:
        """Pass an end on; that of a command of nobody here is nobody's business."""
        ended = self.running.pop(handle, None)
        if ended is not None:
            ended(seen)

    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        """End commands with everything they started; their ends are told as usual."""
        if handles:
            self._executor.cancel(handles, grace_seconds)
