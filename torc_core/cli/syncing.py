"""``torc workflows sync-status``: free what runners hold that are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from torc_core.cli.allocations import find_over, told_allocation
from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.logs import output_dir_option
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.errors import Invalid, NotFound
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Job, Workflow
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.service.api import Service


class Orphans(NamedTuple):
    """Runners that are gone, with the jobs that they hold: those that ran, and those that were not started yet."""

    runners: list[ComputeNode]
    running: list[Job]
    pending: list[Job]
    allocations: list[ScheduledComputeNode]  # that are over, though their records do not say so

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to free."""
        return not self.runners and not self.allocations

    @property
    def in_slurm(self) -> int:
        """How many of the jobs ran in allocations of Slurm that are over."""
        over = {node.id for node in self.allocations if node.scheduler_type == "slurm"}
        there = {
            n.id for n in self.runners if isinstance(n.scheduler, dict) and n.scheduler.get("scheduler_id") in over
        }
        return sum(job.compute_node_id in there for job in self.running)

    def told(self) -> list[str]:
        """Say who ended without a word."""
        said = [f"{told_allocation(node)} ended without a word" for node in self.allocations]
        if self.runners:
            count = len(self.running) + len(self.pending)
            free = f"; {counted(count, 'job')} held there can run again" if count else ""
            said.append(f"{counted(len(self.runners), 'runner')} ended without a word{free}")
        return said

    def details(self) -> list[dict[str, Any]]:
        """Return what reports say about each lost attempt."""
        names = {node.id: f"{node.hostname}, process {node.pid}" for node in self.runners}
        return [
            {
                "job_id": job.id,
                "job_name": job.name,
                "reason": f"its runner ({names[job.compute_node_id or 0]}) is gone",
            }
            for job in self.running
        ]


@click.command("sync-status", cls=TorcCommand)
@workflow_argument
@output_dir_option
@click.option("--compute-node", "gone", type=int, multiple=True, help="Take this runner for gone, wherever it ran.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_app
def sync_status(
    app: App, workflow_id: int | None, output_dir: Path | None, gone: tuple[int, ...], dry_run: bool
) -> None:
    """Free the jobs of runners that ended without a word: lost attempts are recorded with code -128, and run again.

    Runners of this machine are known to be gone when their process is, those of an allocation when that is over;
    others are named with --compute-node. What was finished before is reported from their journals, and what they left
    running is ended. Allocations that are over without a word are noted as such.
    """
    chosen = pick(app, workflow_id)
    found = find_orphans(app, chosen, gone)
    if not dry_run:
        free(app, chosen, found, output_dir)
    body: dict[str, Any] = {
        "workflow_id": chosen, "dry_run": dry_run, "slurm_jobs_failed": found.in_slurm,
        "pending_allocations_cleaned": len(found.allocations),
        "running_jobs_failed": len(found.running) - found.in_slurm, "pending_jobs_freed": len(found.pending),
        "compute_nodes_deactivated": len(found.runners),
    }  # fmt: skip
    if app.wants_json:
        echo_json(body | ({"failed_job_details": found.details()} if found.running else {}))
    elif found.is_empty:
        echo("No runner is gone.")
    else:
        _tell(found, dry_run=dry_run)
        if not dry_run:
            echo(f"Go on with: torc run {chosen}")


def _tell(found: Orphans, *, dry_run: bool) -> None:
    for node in found.allocations:
        echo(f"{'Would note' if dry_run else 'Noted'} the end of {told_allocation(node)}")
    if found.runners:
        would = "Would free" if dry_run else "Freed"
        jobs = counted(len(found.running) + len(found.pending), "job")
        echo(f"{would} {jobs} of {counted(len(found.runners), 'runner')} that ended without a word")
        for entry in found.details():
            echo(f"  {entry['job_name']}: {entry['reason']}")


def find_orphans(
    app: App, workflow_id: int, named: tuple[int, ...] = (), warn: Callable[[str], None] | None = None
) -> Orphans:
    """Return the runners that are gone for sure, or were named, with what they hold."""
    from torc_core.service.processes import is_dead

    service = app.service()
    over = find_over(app.host, service, workflow_id, warn or (lambda text: app.say("warn", text)))
    ended = [{"type": node.scheduler_type, "scheduler_id": node.id} for node in over]
    nodes = list(service.each(ComputeNode, workflow_id))
    unknown = set(named) - {node.id for node in nodes}
    if unknown:
        raise Invalid(
            f"workflow {workflow_id} has no runner {', '.join(map(str, sorted(unknown)))}",
            hint=f"List them with: torc compute-nodes list {workflow_id}",
        )
    held = [
        job
        for status in (JobStatus.RUNNING, JobStatus.PENDING)
        for job in service.each(Job, workflow_id, status=status)
    ]
    holders = {job.compute_node_id for job in held}
    gone = [
        node
        for node in nodes
        if node.id in named
        or (node.is_active and node.process is not None and is_dead(node.process))
        or (node.is_active and node.scheduler in ended)
        or (not node.is_active and node.id in holders and (node.process is None or is_dead(node.process)))
    ]
    gone = [node for node in gone if node.id in named or not node.is_active or _is_active(service, node.id)]
    ids = {node.id for node in gone}
    mine = [job for job in held if job.compute_node_id in ids]
    return Orphans(
        gone,
        [job for job in mine if job.status is JobStatus.RUNNING],
        [job for job in mine if job.status is JobStatus.PENDING],
        over,
    )


def _is_active(service: Service, node_id: int) -> bool:
    """Whether a runner has not signed off, as it may have since its process was seen to be gone."""
    try:
        return bool(service.get(ComputeNode, node_id).is_active)
    except NotFound:
        return False


def free(
    app: App, workflow_id: int, found: Orphans, output_dir: Path | None, say: Callable[[str], None] | None = None
) -> None:
    """Take over from runners that are gone: by their journals where these are here, else by what the service knows."""
    for node in found.allocations:
        app.service().update(ScheduledComputeNode, node.id, {"status": "complete"})
    if not found.runners:
        return
    from torc_core.runner.recovery import recover
    from torc_core.service.processes import this_machine

    service = app.service()
    folder = str(output_dir or app.config["client.run.output_dir"])
    executor = app.host.executor("local")()
    try:
        recover(
            service, executor, service.get(Workflow, workflow_id), folder, this_machine(),
            say or (lambda text: app.say("info", text)),
        )  # fmt: skip
    finally:
        executor.close()
    wanted = {node.id for node in found.runners}
    left = find_orphans(app, workflow_id, tuple(wanted))
    holding = {job.compute_node_id for job in (*left.running, *left.pending)}
    rest = [node.id for node in left.runners if node.id in wanted and (node.is_active or node.id in holding)]
    if rest:
        service.adopt_orphans(workflow_id, rest)
