"""A runner as the service sees it: the compute node record, and what it offers to jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.records.resources import ComputeNode, Workflow
from torc_core.runner.capacity import GIB, Capacity, Offer, Resources, Slots
from torc_core.runner.gpus import GpuPool, gpu_ids
from torc_core.runner.journal import FOLDER, Owner
from torc_core.runner.resources import Machine, machine
from torc_core.service.clock import now_ms, utc_text
from torc_core.service.processes import process_name, start_of, this_machine
from torc_core.units import format_duration

if TYPE_CHECKING:
    from torc_core.runner.options import RunnerOptions


def offered(options: RunnerOptions) -> tuple[Machine, GpuPool]:
    """Return what jobs may use: what the options say, else what is found here."""
    found = machine()
    cpus = found.num_cpus if options.num_cpus is None else options.num_cpus
    memory = found.memory_bytes if options.memory_bytes is None else options.memory_bytes
    return Machine(cpus, memory), GpuPool(gpu_ids(os.environ, options.num_gpus))


def capacity_of(options: RunnerOptions, here: Machine, gpus: GpuPool) -> Capacity:
    """Return slots when a number of jobs is given, else the machine's resources."""
    offer = Offer(options.labels, options.scheduler_config_id)
    if options.max_parallel_jobs is not None:
        return Slots(options.max_parallel_jobs, gpus, offer)
    return Resources(here.num_cpus, here.memory_bytes, gpus, offer)


def node_record(workflow_id: int, options: RunnerOptions, here: Machine, gpus: GpuPool) -> ComputeNode:
    """Return the record of this process."""
    now, limit = now_ms(), options.time_limit_seconds
    return ComputeNode(
        workflow_id=workflow_id,
        hostname=os.uname().nodename,
        pid=os.getpid(),
        start_time=utc_text(now),
        is_active=True,
        num_cpus=here.num_cpus,
        memory_gb=round(here.memory_bytes / GIB, 3),
        num_gpus=len(gpus.ids),
        time_limit=None if limit is None else format_duration(int(limit)),
        end_time=None if limit is None else utc_text(now + int(limit * 1000)),
        scheduler_config_id=options.scheduler_config_id,
        compute_node_type=options.compute_node_type,
        scheduler=options.scheduler,
        labels=sorted(options.labels) or None,
        lease_seconds=options.lease_seconds,
        process=process_name(os.getpid()),
        journal=str((Path(options.output_dir) / FOLDER).absolute()),
    )


def journal_owner(workflow: Workflow, compute_node_id: int) -> Owner:
    """Return what the journal of this process says about it."""
    here = this_machine()
    return Owner(
        workflow.id, workflow.name, workflow.timestamp or "", workflow.run_id, compute_node_id,
        here.host, here.boot_id, here.pid_space, os.getpid(), start_of(os.getpid()),
    )  # fmt: skip
