"""Nodes that are asked for: through any executor that allocates, with a record of each allocation.

A request is a mapping as actions have it: ``scheduler_type`` and ``scheduler_id``, ``num_allocations``,
``max_parallel_jobs``, ``start_one_worker_per_node``.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torc_core.contracts.executor import Handle, LaunchRequest, SubmitError
from torc_core.errors import Forbidden, Invalid, NotFound, PluginError, TorcError
from torc_core.records.allocations import SCHEDULERS, ScheduledComputeNode
from torc_core.records.record import WorkflowPart
from torc_core.runner.environment import NODE_VARIABLE
from torc_core.service.clock import utc_text
from torc_core.service.processes import process_name
from torc_core.units import parse_memory

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.plugins import PluginHost
    from torc_core.service.api import Service


@contextmanager
def allocating(host: PluginHost | None, scheduler_type: str) -> Iterator[Executor]:
    """Give an executor that allocates and is usable here; raises NotFound, Invalid."""
    if host is None:
        raise NotFound("there are no plugins")
    try:
        made: type[Executor] = host.executor(scheduler_type)
    except NotFound as exc:
        hint = "Install the plugin that serves it, or have runners on this machine: --scheduler-type local."
        raise NotFound(f"nobody here allocates nodes of type {scheduler_type!r}", hint=hint) from exc
    if not made.capabilities.allocates:
        raise Invalid(f"executor {scheduler_type!r} allocates no nodes")
    executor = made()
    try:
        for problem in executor.check():
            raise Invalid(problem.message, hint=problem.hint)
        yield executor
    finally:
        executor.close()


class NodeRequests:
    """Asks for nodes of one workflow."""

    def __init__(
        self, service: Service, workflow_id: int, output_dir: str, environment: Mapping[str, str], key: str = "nodes"
    ) -> None:
        """``environment`` is the whole of a worker's; by it the worker finds the service."""
        self._service, self._workflow_id = service, workflow_id
        self._output_dir, self._environment, self._key = output_dir, environment, key

    def settings(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the scheduler's record that are set; none for id 0. Raises NotFound."""
        kind, id = SCHEDULERS.get(request["scheduler_type"]), request.get("scheduler_id")
        if kind is None or not id:
            return {}
        record: WorkflowPart = self._service.get(kind, id)
        return {name: value for name, value in record.wire().items() if value is not None}

    def ask(self, executor: Executor, request: Mapping[str, Any], settings: Mapping[str, Any]) -> ScheduledComputeNode:
        """Ask for one allocation; raises TorcError."""
        service, workflow_id = self._service, self._workflow_id
        scheduler_type, scheduler_id = request["scheduler_type"], request.get("scheduler_id") or 0
        record = service.create(
            ScheduledComputeNode(
                workflow_id=workflow_id, scheduler_id=0, scheduler_config_id=scheduler_id,
                scheduler_type=scheduler_type, status="pending", request={**request, "output_dir": self._output_dir},
                asked_at=utc_text(time.time_ns() // 1_000_000), process=process_name(os.getpid()),
            )
        )  # fmt: skip
        log = worker_log(self._output_dir, workflow_id, record.id)
        launch = LaunchRequest(
            f"{self._key}:{record.id}", f"torc-wf{workflow_id}-sched{scheduler_id}",
            worker_command(workflow_id, self._output_dir, request, settings),
            {**self._environment, **dict([node_variable(record)])}, log, log,
            nodes=int(settings.get("nodes") or 1), allocation={**settings, **request},
        )  # fmt: skip
        try:
            handle = _submit(executor, launch)
        except Exception:  # after an interrupt it may have been had all the same
            self._forget(record)
            raise
        known = {"scheduler_id": _number(handle), "handle": handle.id, "process": None}
        try:
            return service.update(ScheduledComputeNode, record.id, known)
        except NotFound as exc:
            with suppress(Exception):
                executor.cancel([handle], 0.0)
            raise TorcError("the allocation was deleted while it was asked for, and is given back") from exc
        except TorcError as exc:
            raise TorcError(
                f"{scheduler_type} was asked, and knows the allocation as {handle.id}, but that is not recorded: {exc}",
                hint="Its runner works as others do; take it out of the queue yourself when it is not wanted.",
            ) from exc

    def _forget(self, record: ScheduledComputeNode) -> None:
        """Take the record of what was not had away."""
        try:
            self._service.delete(ScheduledComputeNode, record.id)
        except Forbidden:  # a worker token deletes nothing
            self._service.update(ScheduledComputeNode, record.id, {"status": "complete"})


def worker_log(output_dir: str, workflow_id: int, allocation_id: int) -> str:
    """Return the file for what the workers of an allocation say."""
    return str(Path(output_dir) / f"worker_wf{workflow_id}_n{allocation_id}.log")


def _submit(executor: Executor, launch: LaunchRequest) -> Handle:
    """Ask; raises TorcError, whatever a plugin does."""
    try:
        [answer] = executor.submit([launch])
    except TorcError:
        raise
    except Exception as exc:
        raise PluginError(f"executor {executor.name!r} failed: {type(exc).__name__}: {exc}") from exc
    if isinstance(answer, SubmitError):
        raise TorcError(answer.message)
    if not isinstance(answer, Handle) or not isinstance(answer.id, str):
        raise PluginError(f"executor {executor.name!r} answered {answer!r}, expected a Handle with a text as its id")
    return answer


def node_variable(record: ScheduledComputeNode) -> tuple[str, str]:
    """Return name and value of the variable by which a worker knows its allocation, and others its worker."""
    return NODE_VARIABLE, f"{record.scheduler_type}:{record.id}:{record.scheduler_config_id}"


def _number(handle: Handle) -> int:
    """Return the number by which a batch system (here: the machine) knows what was asked for, 0 without one."""
    digits = re.match(r"\d{1,18}", handle.id)
    return int(digits[0]) if digits else 0


def worker_command(workflow_id: int, output_dir: str, request: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the command of a worker: a runner of the same workflow, which finds the service by its variables."""
    words = [sys.executable, "-m", "torc_core.cli", "run", str(workflow_id), "--output-dir", output_dir]
    if request.get("max_parallel_jobs"):
        words += ["--max-parallel-jobs", str(request["max_parallel_jobs"])]
    if request["scheduler_type"] == "local":
        if settings.get("num_cpus"):
            words += ["--num-cpus", str(settings["num_cpus"])]
        if settings.get("memory"):
            words += ["--memory-gb", f"{parse_memory(settings['memory']) / 2**30:.6g}"]
    return shlex.join(words)
