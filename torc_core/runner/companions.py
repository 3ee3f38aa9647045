"""What works beside the jobs of a runner, in its thread and woken by its loop.

``COMPANIONS`` lists all of them; each is made when a run begins. To add one, write its class and add it there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from torc_core.contracts.provider import load_target

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.plugins import PluginHost
    from torc_core.records.answers import FinishedJob, JobLaunch
    from torc_core.records.resources import Workflow
    from torc_core.runner.jobs import Jobs
    from torc_core.runner.journal import Journal
    from torc_core.runner.launching import Launcher
    from torc_core.runner.limits import Limits
    from torc_core.runner.options import RunnerOptions
    from torc_core.runner.side import SideProcesses
    from torc_core.runner.turns import Turns
    from torc_core.runner.voice import Voice
    from torc_core.service.api import Service


class Scene(NamedTuple):
    """All that a companion may work with; each is the runner's own."""

    service: Service
    executor: Executor
    workflow: Workflow
    compute_node_id: int
    options: RunnerOptions
    limits: Limits
    launcher: Launcher
    jobs: Jobs
    side: SideProcesses  # to run commands
    turns: Turns  # where the workflow stands, as last heard
    voice: Voice
    wake: Callable[[], None]  # makes the loop wake up soon; from any thread
    journal: Journal
    host: PluginHost | None = None  # None: without plugins


class Companion:
    """Does nothing. No method may block, and none may raise: what goes wrong is said."""

    @property
    def is_busy(self) -> bool:
        """Whether the run has to go on for it, though there are no jobs."""
        return False

    def wake_up(self, now: float) -> None:
        """Do what is due, after ends were gathered and before jobs start and a turn is taken; ``now`` is monotonic."""

    def next_at(self) -> float | None:
        """Return when to be woken though nothing happens (monotonic), or None."""
        return None

    def note(self, starts: list[JobLaunch], ends: list[tuple[JobLaunch, FinishedJob]]) -> None:
        """Hear which attempts were started and which have ended; the ends are about to be reported."""

    def stop(self, level: int) -> None:
        """Hear that the runner was told to stop, see ``stopping``, or that its time is over (END)."""

    def lets_go(self) -> bool:
        """Say, when the run is about to be over, whether it may be; False goes on, and asks again later."""
        return True

    def close(self) -> None:
        """Let go of everything: the loop is over, the runner still registered."""


COMPANIONS: tuple[str, ...] = (
    "torc_core.runner.monitoring:monitoring_of",
    "torc_core.runner.retries:Retries",
    "torc_core.runner.actions:Actions",
)
"""Each is called with the scene, and makes a companion for the run or None when it has nothing to do there."""


def companions_of(scene: Scene) -> list[Companion]:
    """Return the companions of a run."""
    made = (load_target(target)(scene) for target in COMPANIONS)
    return [companion for companion in made if companion is not None]
