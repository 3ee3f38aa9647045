"""Where jobs may run beside this machine: schedulers, the allocations asked of them, workers, what Slurm measured."""

from torc_core.records.record import Filter, WorkflowPart
from torc_core.records.resources import SlurmScheduler
from torc_core.records.values import Json, field
from torc_core.units import parse_memory


class LocalScheduler(WorkflowPart, plural="local_schedulers"):
    """Run on this machine."""

    name: str | None = field("what jobs name it by", default=None)
    memory: str | None = field("at most this much, like 16g", default=None, filter=True, check=parse_memory)
    num_cpus: int | None = field("at most so many", default=None, filter=True)


SCHEDULERS: dict[str, type[WorkflowPart]] = {"slurm": SlurmScheduler, "local": LocalScheduler}
"""Where the settings of a ``scheduler_type`` are kept; others have none."""


class ScheduledComputeNode(
    WorkflowPart,
    plural="scheduled_compute_nodes",
    filters=(
        Filter("scheduler_id", str, "number", "scheduler_id"),
        Filter("scheduler_config_id", str, "number", "scheduler_config_id"),
    ),
    wire="ScheduledComputeNodesModel",
):
    """One allocation that was asked of a scheduler."""

    scheduler_id: int = field("the batch system's number of it")
    scheduler_config_id: int = field(
        "the scheduler record it was asked with", mentions="slurm_schedulers local_schedulers"
    )
    scheduler_type: str = field("local, slurm, or a plugin's executor")
    status: str = field("pending, active or complete", filter=True)
    handle: str | None = field("what its executor knows it by; null: the number alone", default=None)
    request: Json = field("what was asked for, as actions say it", default=None)
    asked_at: str | None = field("UTC", default=None)
    process: str | None = field("who asks for it, until the executor has answered", default=None)


class RemoteWorker(WorkflowPart, plural="remote_workers", verbs="find", unique=("workflow_id", "worker")):
    """A machine that may run jobs of the workflow."""

    worker: str = field("user@host:port")


class SlurmStats(
    WorkflowPart,
    plural="slurm_stats",
    singular="slurm_stats",
    verbs="create find",
    unique=("job_id", "run_id", "attempt_id"),
):
    """What Slurm measured of one attempt of a job."""

    job_id: int = field("the job", refers="jobs", filter=True)
    run_id: int = field("of the workflow", filter=True)
    attempt_id: int = field("of the job", filter=True)
    slurm_job_id: str | None = field("Slurm's number of the step's job", default=None)
    node_list: str | None = field("nodes that it ran on", default=None)
    ave_cpu_seconds: float | None = field("CPU time of a task, on average", default=None)
    max_rss_bytes: int | None = field("resident memory of the largest task", default=None)
    max_vm_size_bytes: int | None = field("virtual memory of the largest task", default=None)
    max_disk_read_bytes: int | None = field("of the task that read most", default=None)
    max_disk_write_bytes: int | None = field("of the task that wrote most", default=None)
