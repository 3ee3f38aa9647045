"""Nodes that actions ask for: through any executor that can allocate, in a thread, with a record of each."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torc_core.contracts.executor import Handle, LaunchRequest, SubmitError
from torc_core.errors import Forbidden, TorcError
from torc_core.records.actions import ActionRunStatus
from torc_core.records.allocations import LocalScheduler, ScheduledComputeNode
from torc_core.records.answers.actions import ActionReport
from torc_core.records.record import WorkflowPart
from torc_core.records.resources import SlurmScheduler
from torc_core.runner.companions import Companion
from torc_core.runner.environment import NODE_VARIABLE
from torc_core.spec.choices import ActionType
from torc_core.units import parse_memory

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.records.answers.actions import ActionLaunch
    from torc_core.runner.companions import Scene

_PATIENCE_SECONDS = 60.0  # for threads, when the runner ends
_RECORDS: dict[str, type[WorkflowPart]] = {"slurm": SlurmScheduler, "local": LocalScheduler}
"""Where the settings of a type of scheduler are kept; others have none."""

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
            executor = self._open(scheduler_type)
        except TorcError:
            return False
        try:
            return not executor.check()
        finally:
            executor.close()

    def _open(self, scheduler_type: str) -> Executor:
        """Return an executor that allocates; raises TorcError when there is none."""
        host = self._scene.host
        if host is None:
            raise TorcError("there are no plugins")
        made: type[Executor] = host.executor(scheduler_type)
        if not made.capabilities.allocates:
            raise TorcError(f"executor {scheduler_type!r} allocates no nodes")
        return made()

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
        try:
            config: dict[str, Any] = action.action_config
            executor = self._open(config["scheduler_type"])
            try:
                settings = self._settings(config)
                while done < config.get("num_allocations", 1):
                    self._allocate(executor, action, config, settings)
                    done += 1
                    report(ActionReport(action_run_id=run, status=ActionRunStatus.RUNNING, done=done))
            finally:
                executor.close()
        except Exception as exc:  # noqa: BLE001  (the thread's only way to say it)
            said = str(exc) if isinstance(exc, TorcError) else f"{type(exc).__name__}: {exc}"
            report(ActionReport(action_run_id=run, status=ActionRunStatus.FAILED, done=done, reason=said))
            return
        report(ActionReport(action_run_id=run, status=ActionRunStatus.COMPLETED, done=done, return_code=0))

    def _settings(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the scheduler's record that are set; none for id 0."""
        kind, id = _RECORDS.get(config["scheduler_type"]), config.get("scheduler_id")
        if kind is None or not id:
            return {}
        record: WorkflowPart = self._scene.service.get(kind, id)
        return {name: value for name, value in record.wire().items() if value is not None}

    def _allocate(
        self, executor: Executor, action: ActionLaunch, config: dict[str, Any], settings: dict[str, Any]
    ) -> None:
        """Ask for one allocation; raises TorcError."""
        service, workflow = self._scene.service, self._scene.workflow
        scheduler_type, scheduler_id = config["scheduler_type"], config.get("scheduler_id") or 0
        record = service.create(
            ScheduledComputeNode(
                workflow_id=workflow.id, scheduler_id=0, scheduler_config_id=scheduler_id,
                scheduler_type=scheduler_type, status="pending",
            )
        )  # fmt: skip
        log = str(Path(self._scene.options.output_dir) / f"worker_wf{workflow.id}_n{record.id}.log")
        request = LaunchRequest(
            f"{action.action_run_id}:{record.id}", f"torc-wf{workflow.id}-sched{scheduler_id}",
            worker_command(workflow.id, self._scene.options.output_dir, config, settings),
            self._scene.launcher.worker_environment({NODE_VARIABLE: f"{scheduler_type}:{record.id}"}), log, log,
            nodes=int(settings.get("nodes") or 1), allocation={**settings, **config},
        )  # fmt: skip
        [answer] = executor.submit([request])
        if isinstance(answer, SubmitError):
            try:
                service.delete(ScheduledComputeNode, record.id)
            except Forbidden:  # a worker token deletes nothing
                service.update(ScheduledComputeNode, record.id, {"status": "complete"})
            raise TorcError(answer.message)
        service.update(ScheduledComputeNode, record.id, {"scheduler_id": _number(answer)})


def _number(handle: Handle) -> int:
    """Return the number by which a batch system (here: the machine) knows what was asked for."""
    digits = handle.id.partition(":")[0]
    return int(digits) if digits.isdecimal() else 0


def worker_command(workflow_id: int, output_dir: str, config: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return the command of a worker: a runner of the same workflow, which finds the service by its variables."""
    words = [sys.executable, "-m", "torc_core.cli", "run", str(workflow_id), "--output-dir", output_dir]
    if config.get("max_parallel_jobs"):
        words += ["--max-parallel-jobs", str(config["max_parallel_jobs"])]
    if config["scheduler_type"] == "local":
        if settings.get("num_cpus"):
            words += ["--num-cpus", str(settings["num_cpus"])]
        if settings.get("memory"):
            words += ["--memory-gb", f"{parse_memory(settings['memory']) / 2**30:.6g}"]
    elif config.get("scheduler_id"):
        words += ["--scheduler-config-id", str(config["scheduler_id"])]
    return shlex.join(words)


def allocation_of(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the record of this runner says of the allocation that its process was started for."""
    scheduler_type, _, id = environ.get(NODE_VARIABLE, "").partition(":")
    return {"type": scheduler_type, "scheduler_id": int(id)} if id.isdecimal() else None


class LocalAllocation(Companion):
    """Says when a worker of this machine, whose allocation it is, comes up and ends."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._set("active")

    def close(self) -> None:
        """The allocation is over."""
        self._set("complete")

    def _set(self, status: str) -> None:
        scheduler = self._scene.options.scheduler or {}
        try:
            self._scene.service.update(ScheduledComputeNode, scheduler["scheduler_id"], {"status": status})
        except TorcError as exc:
            self._scene.voice.say(f"the allocation of this worker cannot be set {status}: {exc}", "WARN")


def local_allocation(scene: Scene) -> LocalAllocation | None:
    """Return what looks after the allocation of a worker of this machine; None for all other runners."""
    scheduler = scene.options.scheduler
    return LocalAllocation(scene) if scheduler is not None and scheduler.get("type") == "local" else None
