"""Cleaning up after runners that were killed here: end what they left, report what they saw, free what they held."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.errors import Invalid
from torc_core.records.answers import StartedJob, Tick
from torc_core.records.resources import ComputeNode
from torc_core.runner.environment import RUNNER_VARIABLE, runner_id
from torc_core.runner.journal import FOLDER, Left, Owner, read
from torc_core.service.clock import utc_now
from torc_core.service.processes import Machine, is_dead, start_of
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor, Handle
    from torc_core.records.resources import Workflow
    from torc_core.service.api import Service

_CHUNK = 500  # results in one report
_END_SECONDS = 10.0  # how long to wait for what was left running
_ASK_SECONDS = 0.02


def recover(
    service: Service,
    executor: Executor,
    workflow: Workflow,
    output_dir: str,
    machine: Machine,
    say: Callable[[str], None],
) -> None:
    """Take over from every dead runner of this workflow that ran on this machine, wherever it kept its journal."""
    dead = [
        node
        for node in service.each(ComputeNode, workflow.id, is_active=True)
        if node.process is not None and is_dead(node.process)
    ]
    folders = {Path(output_dir).absolute() / FOLDER, *(Path(node.journal) for node in dead if node.journal)}
    for path in sorted(path for folder in folders for path in folder.glob(f"wf{workflow.id}_*.jsonl*")):
        try:
            left = _gone(path, machine, workflow)
            seized = None if left is None else seize(path, machine)
            if left is not None and seized is not None:
                take_over(service, executor, left, say)
                seized.unlink()
        except OSError as exc:
            say(f"the journal {path} of a runner that is gone cannot be used: {exc.strerror or exc}")
    _adopt_silent(service, executor, workflow, [node for node in dead if not _has_journal(node, folders)], say)


def _has_journal(node: ComputeNode, folders: Iterable[Path]) -> bool:
    """Whether there is a journal of the runner: somebody else may be at work with it, or it cannot be read."""
    return any(True for folder in folders for _ in folder.glob(f"wf{node.workflow_id}_*_n{node.id}_*"))


def _adopt_silent(
    service: Service, executor: Executor, workflow: Workflow, dead: list[ComputeNode], say: Callable[[str], None]
) -> None:
    """Free what is held by runners that ended without leaving a journal."""
    still = {node.id for node in service.each(ComputeNode, workflow.id, is_active=True)}
    gone = [node for node in dead if node.id in still]  # the others' journals have just been dealt with
    if not gone:
        return
    for node in gone:
        start = (node.process or "").rpartition(" ")[2]
        _end(executor, executor.find(RUNNER_VARIABLE, runner_id(node.pid, start)), say)
    adopted = service.adopt_orphans(workflow.id, [node.id for node in gone])
    what = "a runner that is gone" if len(gone) == 1 else f"{len(gone)} runners that are gone"
    say(f"{what} held {counted(adopted.count, 'job')}; what was held can be run again")


def _gone(path: Path, machine: Machine, workflow: Workflow) -> Left | None:
    """Return what a runner left that died on this machine; None when the journal is not to be touched."""
    try:
        left = read(path)
    except FileNotFoundError:
        return None  # another runner was faster
    if left is None or not is_of(left.owner, workflow) or not left.owner.was_on(machine):
        return None
    return None if is_alive(left.owner, machine) else left


def seize(path: Path, machine: Machine) -> Path | None:
    """Make a journal this process's own, by a name that says so; None when somebody else is at work with it."""
    base, _, seizer = path.name.partition(".jsonl")
    pid, _, rest = seizer.lstrip(".").partition("-")
    start, _, thread = rest.partition("-")
    # Ours: from an attempt of this very runner that the service did not survive.
    is_ours = (pid, thread) == (str(os.getpid()), str(threading.get_ident()))
    if seizer and not is_ours and (not pid.isdecimal() or start_of(int(pid)) == start != ""):
        return None
    seized = path.with_name(f"{base}.jsonl.{os.getpid()}-{start_of(os.getpid())}-{threading.get_ident()}")
    try:
        path.rename(seized)
    except FileNotFoundError:
        return None
    return seized


def is_of(owner: Owner, workflow: Workflow) -> bool:
    """Say whether it is a runner of this workflow, not of one with its id in another database."""
    return (owner.workflow_id, owner.name, owner.created) == (workflow.id, workflow.name, workflow.timestamp or "")


def is_alive(owner: Owner, machine: Machine) -> bool:
    """Say whether a runner still runs on this machine."""
    return owner.boot_id == machine.boot_id and start_of(owner.pid) == owner.start != ""


def take_over(service: Service, executor: Executor, left: Left, say: Callable[[str], None]) -> list[str]:
    """End what a runner left, report what it saw, free what it held; returns why results were refused."""
    owner = left.owner
    known = [handle for handle in left.running.values() if handle.executor == executor.name]
    _end(
        executor, list(dict.fromkeys([*known, *executor.find(RUNNER_VARIABLE, runner_id(owner.pid, owner.start))])), say
    )
    refused = report(service, left)
    adopted = service.adopt_orphans(owner.workflow_id, [owner.compute_node_id])
    if refused:
        say(f"of no use any more: {counted(len(refused), 'result')} of process {owner.pid}: {refused[0]}")
    say(
        f"the runner with process {owner.pid} is gone: {counted(len(left.finished), 'result')} reported for it, "
        f"{counted(adopted.count, 'job')} of it can be run again"
    )
    return refused


def report(service: Service, left: Left) -> list[str]:
    """Tell the service what a runner saw and could not tell; returns why results were refused."""
    owner, refused = left.owner, []
    began = [*left.running, *left.starting, *((end.job_id, end.attempt_id) for end in left.finished)]
    moment = utc_now()
    try:
        service.tick(
            owner.workflow_id,
            Tick(
                compute_node_id=owner.compute_node_id,
                run_id=owner.run_id,
                started=[StartedJob(job_id=job_id, start_time=moment) for job_id, _ in began],
            ),
        )
        for first in range(0, len(left.finished), _CHUNK):
            finished = left.finished[first : first + _CHUNK]
            answer = service.tick(
                owner.workflow_id,
                Tick(compute_node_id=owner.compute_node_id, run_id=owner.run_id, finished=finished),
            )
            refused += [str(entry.get("message")) for entry in answer.refused]
    except Invalid as exc:  # another run has begun, or the runner is not known any more
        refused += [str(exc)] * (len(left.finished) - len(refused))
    return refused


def _end(executor: Executor, handles: list[Handle], say: Callable[[str], None]) -> None:
    """End what still runs, so that no job runs twice at a time."""
    alive = _alive(executor, handles)
    give_up_at = time.monotonic() + _END_SECONDS
    while alive and time.monotonic() < give_up_at:
        executor.cancel(alive, 0.0)
        time.sleep(_ASK_SECONDS)
        alive = _alive(executor, alive)
    if alive:
        say(f"could not end what a runner that is gone left: {', '.join(handle.id for handle in alive)}")


def _alive(executor: Executor, handles: list[Handle]) -> list[Handle]:
    return [handle for handle, seen in executor.poll(handles).items() if seen.state in {"queued", "running"}]
