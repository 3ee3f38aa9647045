"""The sections of a spec and their fields, each said once: types, defaults, single-value rules, templates.

Every section refuses unknown fields. Rules that need more than one field are in ``validate`` and its neighbours.
"""

import enum

from torc_core.records.values import Json, Value, at_least, field
from torc_core.spec.choices import (
    ActionType,
    ExecutionMode,
    Granularity,
    SortMethod,
    StdioMode,
    Trigger,
    check_backoff,
    check_delay,
    check_duration,
    check_exit_codes,
    check_int32,
    check_memory,
    check_mpi,
    check_signal,
)


class ExpandedSpec(Value, closed=True):
    """What every section has that can stand for many items."""

    parameters: dict[str, Json] | None = field("values by name; excludes the shared ones", default=None)
    parameter_mode: str = field("zip takes values at equal places; everything else is the product", default="product")
    use_parameters: list[str] | None = field("names of shared parameters", default=None)
    parameters_file: str | None = field("a CSV, JSON or JSON Lines table, one combination a row", default=None)
    use_parameters_file: bool = field("one combination for each row of the workflow's table", default=False)


class StdioSpec(Value, closed=True):
    """What is kept of the output streams."""

    mode: StdioMode = StdioMode.SEPARATE
    delete_on_success: bool = False


class JobSpec(ExpandedSpec):
    """A command, what it needs and what it waits for."""

    name: str = field("after expansion unique", template=True)
    command: str = field("run by bash", template=True)
    invocation_script: str | None = field("put before the command", default=None, template=True)
    cancel_on_blocking_job_failure: bool = True
    supports_termination: bool = field("gets SIGTERM and time before SIGKILL", default=False)
    resource_requirements: str | None = field(
        "name of an entry; none: the built-in default", default=None, template=True
    )
    failure_handler: str | None = field("name of an entry; never a template", default=None)
    scheduler: str | None = field("name of a Slurm scheduler; none: any runner", default=None, template=True)
    depends_on: list[str] | None = field("names of jobs", default=None, template=True)
    depends_on_regexes: list[str] | None = field("patterns of names of jobs", default=None, template=True)
    input_files: list[str] | None = field("names of files, not paths", default=None, template=True)
    input_file_regexes: list[str] | None = field(default=None, template=True)
    output_files: list[str] | None = field("names of files, not paths", default=None, template=True)
    output_file_regexes: list[str] | None = field(default=None, template=True)
    input_user_data: list[str] | None = field("names of user data", default=None, template=True)
    input_user_data_regexes: list[str] | None = field(default=None, template=True)
    output_user_data: list[str] | None = field("names of user data", default=None, template=True)
    output_user_data_regexes: list[str] | None = field(default=None, template=True)
    priority: int = field("higher goes first", default=0, check=at_least(0))
    env: dict[str, str] | None = field("its own variables; they win over the workflow's", default=None, template=True)
    labels: list[str] | None = field("only runners that offer all of them take it", default=None, template=True)
    stdio: StdioSpec | None = field("overrides the workflow's", default=None)


class FileSpec(ExpandedSpec):
    """An input or output of jobs."""

    name: str = field("after expansion unique", template=True)
    path: str = field("relative paths start in the submission directory", template=True)
    st_mtime: float | None = field("seconds since 1970; none: looked up when the workflow is made", default=None)
    identifier: str | None = field("provenance identifier", default=None, template=True)


class UserDataSpec(ExpandedSpec):
    """JSON that jobs hand to each other; tokens are replaced in every text of it, not in keys."""

    name: str | None = field("after expansion unique; without one it is not created", default=None, template=True)
    data: Json = field("any JSON; null: none yet", default=None, template=True)
    is_ephemeral: bool = field("forgotten at the next run", default=False)


class ResourceRequirementsSpec(Value, closed=True):
    """What a job needs while it runs."""

    name: str = field()
    num_cpus: int = field(check=at_least(0))
    memory: str = field("like 512m or 4g, binary units", check=check_memory)
    num_gpus: int = field(default=0, check=at_least(0))
    num_nodes: int = field(default=1, check=at_least(1))
    runtime: str = field("ISO 8601", default="PT1H", check=check_duration)


class FailureRuleSpec(Value, closed=True):
    """What to do after some exit codes."""

    exit_codes: list[int] | None = field(default=None, check=check_exit_codes)
    match_all_exit_codes: bool = field("all but 0", default=False)
    recovery_script: str | None = field("run by bash before the job runs again", default=None)
    max_retries: int = field("attempts in total", default=3, check=check_int32)
    delay_seconds: float | None = field("before the job runs again; 0 unless given", default=None, check=check_delay)
    backoff: float | None = field(
        "the delay is multiplied by it for each further attempt; 1 unless given", default=None, check=check_backoff
    )
    max_delay_seconds: float | None = field("the delay grows no further", default=None, check=check_delay)


class FailureHandlerSpec(Value, closed=True):
    """What to do when a job fails."""

    name: str = field()
    rules: list[FailureRuleSpec] = field("a rule that lists the code wins over one that matches all")


class SlurmSchedulerSpec(Value, closed=True):
    """How to ask Slurm for nodes."""

    name: str | None = None
    account: str = field()
    nodes: int = field(default=1, check=at_least(1))
    walltime: str = "01:00:00"
    gres: str | None = None
    mem: str | None = None
    ntasks_per_node: int | None = field(default=None, check=at_least(1))
    partition: str | None = None
    qos: str | None = None
    tmp: str | None = None
    extra: str | None = None
    serialize_allocations: bool = False


class ActionSpec(Value, closed=True):
    """Something to do when something happens."""

    trigger_type: Trigger = field()
    action_type: ActionType = field()
    jobs: list[str] | None = field("for job triggers", default=None)
    job_name_regexes: list[str] | None = field("for job triggers", default=None)
    commands: list[str] | None = field("of run_commands", default=None)
    scheduler: str | None = field("of schedule_nodes", default=None)
    scheduler_type: str | None = field("of schedule_nodes", default=None)
    num_allocations: int | None = field("of schedule_nodes, 1 unless given", default=None, check=at_least(0))
    start_one_worker_per_node: bool | None = field("of schedule_nodes", default=None)
    max_parallel_jobs: int | None = field("of schedule_nodes", default=None, check=at_least(1))
    persistent: bool = False


class JobMonitorSpec(Value):
    """What is kept about jobs."""

    enabled: bool = False
    granularity: Granularity = Granularity.SUMMARY


class NodeMonitorSpec(Value):
    """What is kept about whole nodes."""

    enabled: bool = False
    granularity: Granularity = Granularity.SUMMARY
    cpu: bool = True
    memory: bool = True


class ResourceMonitorSpec(Value):
    """Sampling of resources. Unknown keys are ignored, with a warning."""

    enabled: bool | None = field("for jobs, while there is no jobs section", default=None)
    granularity: Granularity | None = field("for jobs, while there is no jobs section", default=None)
    sample_interval_seconds: int | None = field("10 unless given", default=None, check=at_least(1))
    flush_interval_seconds: int | None = field("300 unless given", default=None, check=at_least(1))
    generate_plots: bool | None = None
    jobs: JobMonitorSpec | None = None
    compute_node: NodeMonitorSpec | None = None


class ExecutionConfigSpec(Value, closed=True):
    """How jobs are started and ended."""

    mode: ExecutionMode | None = field("direct unless given", default=None)
    sigkill_headroom_seconds: int | None = field("60 unless given", default=None, check=at_least(0))
    timeout_exit_code: int | None = field("152 unless given", default=None, check=check_int32)
    staggered_start: bool | None = field("true unless given", default=None)
    stdio: StdioSpec | None = None
    limit_resources: bool | None = field("direct; true unless given", default=None)
    termination_signal: str | None = field("direct; SIGTERM unless given", default=None, check=check_signal)
    sigterm_lead_seconds: int | None = field("direct; 30 unless given", default=None, check=at_least(0))
    oom_exit_code: int | None = field("direct; 137 unless given", default=None, check=check_int32)
    srun_termination_signal: str | None = field("slurm", default=None)
    enable_cpu_bind: bool | None = field("slurm; false unless given", default=None)
    srun_mpi: str | None = field("direct, with one worker on each node", default=None, check=check_mpi)


EXECUTION_DEFAULTS = {
    "mode": "direct",
    "sigkill_headroom_seconds": 60,
    "timeout_exit_code": 152,
    "staggered_start": True,
    "limit_resources": True,
    "termination_signal": "SIGTERM",
    "sigterm_lead_seconds": 30,
    "oom_exit_code": 137,
    "enable_cpu_bind": False,
}
"""What holds for the fields of an execution_config that are not given."""


class DynamicJobsSpec(Value, closed=True):
    """How far running jobs may add jobs."""

    max_iterations: int | None = field("1000 unless given", default=None, check=at_least(1))


class WorkflowSpec(Value, closed=True):
    """A whole spec."""

    name: str = field()
    jobs: list[JobSpec] = field()
    user: str | None = field("ignored: the owner is who creates the workflow", default=None)
    description: str | None = None
    project: str | None = None
    metadata: Json = field("an object, or JSON text of one", default=None)
    variables: dict[str, str] | None = field("constants, replaced everywhere before anything else", default=None)
    parameters: dict[str, Json] | None = field("for items that name them in use_parameters", default=None)
    parameters_file: str | None = field("for items with use_parameters_file", default=None)
    files: list[FileSpec] | None = None
    user_data: list[UserDataSpec] | None = None
    resource_requirements: list[ResourceRequirementsSpec] | None = None
    failure_handlers: list[FailureHandlerSpec] | None = None
    slurm_schedulers: list[SlurmSchedulerSpec] | None = None
    slurm_defaults: dict[str, Json] | None = field("sbatch options by long name", default=None)
    resource_monitor: ResourceMonitorSpec | None = None
    execution_config: ExecutionConfigSpec | None = None
    actions: list[ActionSpec] | None = None
    env: dict[str, str] | None = field("exported to every job", default=None)
    access_groups: list[str] | None = None
    dynamic_jobs: DynamicJobsSpec | None = None
    enable_ro_crate: bool | None = None
    use_pending_failed: bool | None = None
    jobs_sort_method: SortMethod | None = field("without effect: give jobs a priority", default=None)
    compute_node_expiration_buffer_seconds: int | None = None
    compute_node_wait_for_new_jobs_seconds: int | None = None
    compute_node_ignore_workflow_completion: bool | None = None
    compute_node_wait_for_healthy_database_minutes: int | None = None


def plain(value: Json) -> Json:
    """Return a section as plain data without the fields that are null."""
    if isinstance(value, Value):
        return {name: plain(member) for name, member in vars(value).items() if member is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, enum.Enum) else value
