"""``torc scheduled-compute-nodes list-jobs``: what an allocation was good for."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.showing import table
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Job, Result
from torc_core.service.api import Service
from torc_core.status import JobStatus

_FEW = 20  # jobs that are asked for one by one


@click.command("list-jobs", cls=TorcCommand, lists=True)
@click.argument("id", type=int)
@pass_app
def list_jobs(app: App, id: int) -> None:
    """List the jobs that ran on the nodes of an allocation, in all runs of the workflow, or run there now."""
    service = app.service()
    allocation = service.get(ScheduledComputeNode, id)
    workflow_id = allocation.workflow_id
    nodes = [node.id for node in service.each(ComputeNode, workflow_id, scheduled_compute_node_id=id)]
    ran = _nodes_by_job(service, workflow_id, nodes)
    body = {
        "scheduled_compute_node_id": id, "workflow_id": workflow_id, "compute_node_count": len(nodes),
        "job_ids": sorted(ran),
    }  # fmt: skip
    jobs = [] if app.wants_json else _jobs(service, workflow_id, sorted(ran))
    rows = [(job.id, job.name, job.status, ", ".join(map(str, sorted(ran[job.id])))) for job in jobs]
    table(app, ("ID", "Name", "Status", "Compute Nodes"), rows, body, "jobs")


def _nodes_by_job(service: Service, workflow_id: int, nodes: list[int]) -> dict[int, set[int]]:
    """Return the jobs that ran or run on some nodes, each with which of them."""
    found: dict[int, set[int]] = {}
    for node in nodes:
        ended = service.each(Result, workflow_id, compute_node_id=node, all_runs=True)
        held = service.each(
            Job, workflow_id, active_compute_node_id=node, status=JobStatus.RUNNING, include_relationships=False
        )
        for job_id in (*(result.job_id for result in ended), *(job.id for job in held)):
            found.setdefault(job_id, set()).add(node)
    return found


def _jobs(service: Service, workflow_id: int, ids: list[int]) -> list[Job]:
    if len(ids) <= _FEW:
        return [service.get(Job, id) for id in ids]
    wanted = set(ids)
    return [job for job in service.each(Job, workflow_id, include_relationships=False) if job.id in wanted]
