"""What a runner is told, and what it says when it is over."""

from typing import Any, NamedTuple

SHOWN_FAILURES = 20


class RunnerOptions(NamedTuple):
    """How to run jobs; times in seconds. None: what the workflow or the machine says."""

    output_dir: str = "torc_output"
    max_parallel_jobs: int | None = None  # slots; requirements are ignored then
    num_cpus: int | None = None
    memory_bytes: int | None = None
    num_gpus: int | None = None
    poll_seconds: float = 5.0  # a turn at least so often; also the runner's sign of life
    idle_seconds: float | None = None  # leave after so long without work; 0: never
    persistent: bool = False  # stay, however long, while jobs have not ended
    time_limit_seconds: float | None = None
    labels: tuple[str, ...] = ()
    scheduler_config_id: int | None = None
    strict_scheduler_match: bool = False
    compute_node_type: str = "local"
    scheduler: dict[str, Any] | None = None  # of the compute node record
    api_url: str = ""  # the server that jobs are told to ask, or
    token: str = ""  # what jobs log in with there
    database: str = ""  # the database that they use: an absolute path, or what stands for it
    lease_seconds: float | None = None  # silence after which the service takes the jobs away; None: never
    claim_ahead: int = 64  # hold at most so many short jobs beyond those that run
    fail_on_job_failure: bool = False
    monitor: str = "auto"  # what measures jobs
    use_cgroups: bool = True  # for jobs with limits, where control groups can be made


class Counts(NamedTuple):
    """Jobs of one runner so far; ``ready`` and ``unfinished`` are the workflow's, as last heard."""

    running: int = 0
    completed: int = 0
    failed: int = 0
    terminated: int = 0
    canceled: int = 0
    ready: int = 0
    unfinished: int = 0
    retried: int = 0  # attempts that failed and are tried again
    pending_failed: int = 0


class RunSummary(NamedTuple):
    """How a run ended."""

    workflow_id: int
    run_id: int
    compute_node_id: int
    counts: Counts
    wall_seconds: float
    failed_jobs: tuple[str, ...] = ()  # names, the first few
    is_complete: bool = False
    is_canceled: bool = False
    interrupted: str | None = None  # the signal or "stop" that ended the run
    stuck: str | None = None  # why ready jobs cannot run here
    unreported: int = 0  # results that the service did not take in time; the journal keeps them
    exit_code: int = 0
    execution_config: Any = None  # the workflow's, which says where the streams of jobs are
