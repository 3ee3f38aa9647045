"""Nodes that actions ask for, in a thread; and what a worker says of the allocation that it was started for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torc_core.errors import TorcError, Unavailable
from torc_core.records.actions import ActionRunStatus
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers.actions import ActionReport
from torc_core.runner.environment import NODE_VARIABLE
from torc_core.runner.node_requests import NodeRequests, allocating
from torc_core.spec.choices import ActionType

if TYPE_CHECKING:
    from torc_core.records.answers.actions import ActionLaunch
    from torc_core.runner.companions import Scene
    from torc_core.runner.voice import Voice
    from torc_core.service.api import Service

_PATIENCE_SECONDS = 60.0  # for threads, when the runner ends

Report = Callable[[ActionReport], None]


class Allocator:
    """Carries out ``schedule_nodes`` for the types of schedulers that an executor of that name serves."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._threads: list[threading.Thread] = []

    def can(self, kind: str) -> bool:
        """Whether a kind of action (``schedule_nodes:TYPE``) can be carried out here."""
        what, _, scheduler_type = kind.partition(":")
        if what != ActionType.SCHEDULE_NODES:
            return False
        try:
            with allocating(self._scene.host, scheduler_type):
                return True
        except TorcError:
            return False

    def begin(self, action: ActionLaunch, report: Report) -> None:
        """Ask for nodes in a thread, which reports each allocation and the end."""
        thread = threading.Thread(target=self._carry_out, args=(action, report), name=f"action {action.action_id}")
        thread.daemon = True
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until everything that was asked for is written down."""
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def _carry_out(self, action: ActionLaunch, report: Report) -> None:
        run, done = action.action_run_id, action.done
        scene = self._scene
        try:
            config: dict[str, Any] = action.action_config
            requests = NodeRequests(
                scene.service,
                scene.workflow.id,
                scene.options.output_dir,
                scene.launcher.worker_environment(),
                str(run),
            )
            with allocating(scene.host, config["scheduler_type"]) as executor:
                settings = requests.settings(config)
                while done < config.get("num_allocations", 1):
                    requests.ask(executor, config, settings)
                    done += 1
                    report(ActionReport(action_run_id=run, status=ActionRunStatus.RUNNING, done=done))
        except Unavailable as exc:  # which is not the action's fault
            report(ActionReport(action_run_id=run, status=ActionRunStatus.LOST, done=done, reason=str(exc)))
            return
        except Exception as exc:  # noqa: BLE001  (the thread's only way to say it)
            said = str(exc) if isinstance(exc, TorcError) else f"{type(exc).__name__}: {exc}"
            report(ActionReport(action_run_id=run, status=ActionRunStatus.FAILED, done=done, reason=said))
            return
        report(ActionReport(action_run_id=run, status=ActionRunStatus.COMPLETED, done=done, return_code=0))


def allocation_of(environ: Mapping[str, str]) -> tuple[dict[str, Any] | None, int | None]:
    """Return the allocation that this process was started for, as its runner's record says it, and its scheduler.

    The scheduler is that whose jobs come first; None on this machine, where jobs name none.
    """
    scheduler_type, _, rest = environ.get(NODE_VARIABLE, "").partition(":")
    id, _, config = rest.partition(":")
    if not id.isdecimal():
        return None, None
    config_id = int(config) if config.isdecimal() and scheduler_type != "local" else 0
    return {"type": scheduler_type, "scheduler_id": int(id)}, config_id or None


def come_up(service: Service, allocation_id: int, voice: Voice) -> None:
    """Say that the allocation which a worker was started for is there; the service ends it with its last worker."""
    try:
        service.update(ScheduledComputeNode, allocation_id, {"status": "active"})
    except TorcError as exc:
        voice.say(f"the allocation of this worker cannot be set active: {exc}", "WARN")
