"""The resources of a workflow, each said once: tables, verbs, wire shape, filters and columns follow from here."""

from torc_core.records.record import Filter, Record, WorkflowPart
from torc_core.records.values import Json, Value, at_least, field
from torc_core.status import JobStatus
from torc_core.units import parse_duration, parse_memory


class Workflow(
    Record,
    plural="workflows",
    verbs="create get find update delete",
    filters=(
        Filter("description", str, "contains", "description"),
        Filter("access_group", str, "open_to"),
    ),
    indexes=("user",),
):
    """A graph of jobs with everything they share."""

    name: str = field("need not be unique", filter=True)
    user: str = field("the owner", default="", filter=True)
    description: str | None = field("what it is for", default=None)
    timestamp: str | None = field("creation, UTC with milliseconds", default=None, read_only=True)
    project: str | None = field("free text for grouping", default=None)
    metadata: Json = field("any JSON object", default=None)
    compute_node_expiration_buffer_seconds: int | None = field(
        "runners end so long before their time is over", default=None
    )
    compute_node_wait_for_new_jobs_seconds: int = field("idle time after which a runner leaves", default=90)
    compute_node_ignore_workflow_completion: bool = field(
        "runners stay when it is complete, because jobs may be added", default=False
    )
    compute_node_wait_for_healthy_database_minutes: int = field(
        "how long runners try again while the service is away", default=20
    )
    compute_node_min_time_for_new_jobs_seconds: int = field(
        "runners with slots begin nothing when less of their time is left", default=300
    )
    resource_monitor_config: Json = field("what is measured, as in specs", default=None)
    slurm_defaults: Json = field("options of all its Slurm schedulers", default=None)
    slurm_config: str | None = field("free text of older clients", default=None, until="0.35")
    execution_config: Json = field("limits, signals and streams of its jobs, as in specs", default=None)
    use_pending_failed: bool = field("a failure that no rule is for waits for a decision", default=False)
    enable_ro_crate: bool | None = field("keep provenance of files", default=None)
    env: dict[str, str] | None = field("exported to every job; a job's own wins", default=None)
    dynamic_jobs: Json = field("how often running jobs may add jobs: max_iterations", default=None)
    access_groups: list[str] | None = field("groups that may use it", default=None)
    submission_directory: str | None = field("where it was created; relative paths start there", default=None)
    run_id: int = field("raised by every initialization", default=0, read_only=True)
    is_canceled: bool = field("no more jobs are given out", default=False, read_only=True)
    is_archived: bool = field("hidden from lists; nothing can be run", default=False, read_only=True, filter=True)
    json_texts: Json = field("JSON fields that were written as text, as they were", default=None, beside=True)


class File(
    WorkflowPart,
    plural="files",
    filters=(
        Filter("produced_by_job_id", int, "listed_by", "jobs.output_file_ids"),
        Filter("is_output", bool, "listed", "jobs.output_file_ids"),
        Filter("path_contains", str, "contains", "path"),
    ),
    unique=("workflow_id", "name"),
):
    """An input or output; shared files between jobs make dependencies."""

    name: str = field("unique in its workflow", filter=True)
    path: str = field("as written; relative to where runners run", filter=True)
    st_mtime: float | None = field("seconds since 1970, null when unknown", default=None, cleared_by_null=True)
    identifier: str | None = field("provenance identifier", default=None)


class UserData(
    WorkflowPart,
    plural="user_data",
    singular="user_data",
    filters=(
        Filter("name", str, "contains", "name"),
        Filter("consumer_job_id", int, "listed_by", "jobs.input_user_data_ids"),
        Filter("producer_job_id", int, "listed_by", "jobs.output_user_data_ids"),
    ),
    indexes=("workflow_id, name",),
):
    """JSON that jobs hand to each other."""

    name: str = field("unique in its workflow, unless a client of another make repeated it")
    data: Json = field("any JSON; null means that there is none yet", default=None, cleared_by_null=False)
    is_ephemeral: bool = field("forgotten at the next run", default=False, filter=True)


class ResourceRequirements(
    WorkflowPart,
    plural="resource_requirements",
    singular="resource_requirements",
    filters=(
        Filter("job_id", int, "named_by", "jobs.resource_requirements_id"),
        Filter("runtime", int, "seconds", "runtime"),
    ),
    unique=("workflow_id", "name"),
):
    """What a job needs while it runs."""

    name: str = field("unique in its workflow", filter=True)
    num_cpus: int = field("number of CPUs", default=1, filter=True)
    num_gpus: int = field("number of GPUs", default=0, filter=True)
    num_nodes: int = field("number of nodes", default=1, filter=True)
    memory: str = field("like 512m or 4g, binary units", default="1m", filter=True, check=parse_memory)
    runtime: str = field("ISO 8601", default="PT1M", check=parse_duration)


class FailureHandler(
    WorkflowPart, plural="failure_handlers", verbs="create get find delete", indexes=("workflow_id, name",)
):
    """What to do when a job fails."""

    name: str = field("unique in its workflow, unless a client of another make repeated it")
    rules: Json = field("a list of rules, first match wins", default=None)
    json_texts: Json = field("as in Workflow", default=None, beside=True)


class SlurmScheduler(WorkflowPart, plural="slurm_schedulers"):
    """How to ask Slurm for nodes."""

    name: str | None = field("what jobs name it by", default=None)
    account: str = field("whom Slurm charges")
    nodes: int = field("nodes of an allocation", default=1)
    walltime: str = field("how long an allocation lasts, as Slurm writes it", default="01:00:00")
    gres: str | None = field("generic resources, like gpu:2", default=None)
    mem: str | None = field("memory of a node, like 180G", default=None)
    ntasks_per_node: int | None = field("tasks of each node", default=None)
    partition: str | None = field("partition to ask", default=None)
    qos: str | None = field("quality of service", default=None)
    tmp: str | None = field("space on the local disk", default=None)
    extra: str | None = field("more options of sbatch, as one text", default=None)
    serialize_allocations: bool = field("allocations run one after the other", default=False)


class Job(
    WorkflowPart,
    plural="jobs",
    filters=(
        Filter("needs_file_id", int, "has", "input_file_ids"),
        Filter("upstream_job_id", int, "downstream", ""),
        Filter("active_compute_node_id", int, "equal", "compute_node_id"),
        Filter("include_relationships", bool, "with", default=False),
        Filter("origin_is_set", bool, "set", "origin"),
        Filter("name", str, "contains", "name"),
        Filter("command", str, "contains", "command"),
        Filter("labels", list[str], "claimable", "labels"),
    ),
    indexes=("workflow_id, status", "workflow_id, name"),
):
    """One command, with what it needs and what it waits for."""

    name: str = field("unique in its workflow, unless a client of another make repeated it")
    command: str = field("run by bash")
    invocation_script: str | None = field("put before the command", default=None)
    status: JobStatus = field("where it stands", default=JobStatus.UNINITIALIZED, filter=True)
    priority: int = field("higher goes first", default=0, check=at_least(0))
    cancel_on_blocking_job_failure: bool = field("canceled when something that it waits for ended badly", default=True)
    supports_termination: bool = field("gets SIGTERM and time before SIGKILL", default=False)
    attempt_id: int = field("1 for the first try of a run", default=1, read_only=True)
    depends_on_job_ids: list[int] | None = field("jobs that it waits for", default=None, links="jobs")
    input_file_ids: list[int] | None = field("files that it reads", default=None, links="files")
    output_file_ids: list[int] | None = field("files that it writes", default=None, links="files")
    input_user_data_ids: list[int] | None = field("user data that it reads", default=None, links="user_data")
    output_user_data_ids: list[int] | None = field("user data that it writes", default=None, links="user_data")
    resource_requirements_id: int | None = field(
        "what it needs; null: the requirements named default", default=None, refers="resource_requirements"
    )
    failure_handler_id: int | None = field("the rules for its failures", default=None, refers="failure_handlers")
    scheduler_id: int | None = field(
        "a scheduler; null lets any runner take it", default=None, mentions="slurm_schedulers local_schedulers"
    )
    schedule_compute_nodes: Json = field("nodes to ask for when it becomes ready", default=None)
    env: dict[str, str] | None = field("its own variables", default=None)
    labels: list[str] | None = field("only runners that offer all of them take it", default=None)
    stdio: Json = field("how its streams are kept; overrides the workflow's", default=None)
    compute_node_id: int | None = field(
        "the runner that holds it", default=None, read_only=True, mentions="compute_nodes"
    )
    start_time: str | None = field("of the running attempt, UTC", default=None, read_only=True)
    retry_at: str | None = field("blocked until then, UTC; its next attempt waits", default=None, read_only=True)
    origin: str | None = field("retry or spawn; null for declared jobs", default=None, read_only=True)
    input_hash: str | None = field("of what its last attempt was given", default=None, internal=True)


class Result(
    WorkflowPart,
    plural="results",
    filters=(Filter("all_runs", bool, "unless", "is_latest", default=False),),
    unique=("job_id", "run_id", "attempt_id"),
    indexes=("workflow_id, is_latest",),
):
    """How one attempt of a job ended."""

    job_id: int = field("the job", refers="jobs", filter=True)
    run_id: int = field("of the workflow", filter=True)
    attempt_id: int = field("1 for the first try of a run", default=1)
    compute_node_id: int = field("the runner; 0: none that is known", default=0, filter=True, mentions="compute_nodes")
    return_code: int = field("128 + n when signal n ended it; -128 when nobody saw it end", filter=True)
    status: JobStatus = field("how it ended", filter=True)
    exec_time_minutes: float = field("from its start to its end")
    completion_time: str = field("UTC")
    peak_memory_bytes: int | None = field("resident memory of all its processes", default=None)
    avg_memory_bytes: int | None = field("of the samples", default=None)
    peak_cpu_percent: float | None = field("100 is one core", default=None)
    avg_cpu_percent: float | None = field("100 is one core", default=None)
    read_bytes: int | None = field("by system calls: files, pipes, networks", default=None)
    write_bytes: int | None = field("by system calls, too", default=None)
    reason: str | None = field("why it ended so, when that is known", default=None)
    is_latest: bool = field("of its job", default=False, internal=True)


class Event(
    WorkflowPart,
    plural="events",
    filters=(
        Filter("category", str, "inside", "data.category"),
        Filter("after_timestamp", int, "after", "timestamp"),
    ),
):
    """Something that happened; kept."""

    timestamp: int = field("ms since 1970, the service's clock", default=0, read_only=True)
    data: Json = field("any JSON, null too", default=None)


class ComputeNode(
    WorkflowPart,
    plural="compute_nodes",
    filters=(
        Filter("hostname_contains", str, "contains", "hostname"),
        Filter("scheduled_compute_node_id", int, "inside", "scheduler.scheduler_id"),
    ),
):
    """One runner process on one machine."""

    hostname: str = field("the machine", filter=True)
    pid: int = field("process id of the runner")
    start_time: str = field("UTC")
    duration_seconds: float | None = field("how long it ran", default=None)
    is_active: bool | None = field("it has not signed off", default=None, filter=True)
    num_cpus: int = field("CPUs for jobs")
    memory_gb: float = field("GiB")
    num_gpus: int = field("GPUs for jobs")
    num_nodes: int = field("nodes that it has", default=1)
    time_limit: str | None = field("how long it may run, ISO 8601", default=None)
    end_time: str | None = field("when it ends at the latest, UTC", default=None)
    scheduler_config_id: int | None = field(
        "the scheduler whose jobs it takes", default=None, mentions="slurm_schedulers local_schedulers"
    )
    compute_node_type: str = field("local or slurm", default="local")
    scheduler: Json = field("the allocation that it belongs to", default=None)
    labels: list[str] | None = field("what it offers; then it takes only jobs that ask for some of it", default=None)
    lease_seconds: float | None = field("silence after which its jobs are taken away; null: never", default=None)
    process: str | None = field("what tells the runner's process from a later one with its pid", default=None)
    journal: str | None = field("the folder of the runner's journal, on its machine", default=None)
    peak_cpu_percent: float | None = field("of the whole machine", default=None)
    avg_cpu_percent: float | None = field("of the whole machine", default=None)
    peak_memory_bytes: int | None = field("of the whole machine", default=None)
    avg_memory_bytes: int | None = field("of the whole machine", default=None)
    sample_count: int | None = field("how often the machine was looked at", default=None)


class WorkflowAction(WorkflowPart, plural="workflow_actions", verbs="create find"):
    """Something to do when something happens."""

    trigger_type: str = field("when it is due")
    action_type: str = field("run_commands or schedule_nodes")
    action_config: Json = field("the commands, or the nodes to ask for")
    job_ids: list[int] | None = field("of the triggers about jobs: which", default=None, links="jobs")
    trigger_count: int = field("for those triggers, how many of the jobs are there", default=0)
    required_triggers: int = field("due when the count reaches it", default=1, read_only=True)
    executed: bool = field("somebody has taken it", default=False)
    executed_at: str | None = field("UTC", default=None)
    executed_by: int | None = field("the runner", default=None, mentions="compute_nodes")
    persistent: bool = field("every runner carries it out, once", default=False)
    is_recovery: bool = field("made by a recovery; the next initialization removes it", default=False)
    arming: int = field("raised when it begins anew", default=0, internal=True)


class NodeResources(Value, wire="ComputeNodesResources"):
    """What a runner has free, per node."""

    id: int | None = field("of older clients; has no meaning", default=None)
    num_cpus: int = field("CPUs")
    memory_gb: float = field("GiB")
    num_gpus: int = field("GPUs", default=0)
    num_nodes: int = field("nodes of this kind", default=1)
    time_limit: str | None = field("ISO 8601; longer jobs are not given", default=None)
    scheduler_config_id: int | None = field("the scheduler whose jobs it takes", default=None)
    labels: list[str] | None = field("what the runner offers", default=None)
