"""The values that operations take and give, beside the resources."""

from torc_core.records.resources import Job, NodeResources, Result
from torc_core.records.values import Json, Value, field
from torc_core.status import JobStatus


class Ping(Value, wire="PingResponse"):
    """A sign of life."""

    status: str = field()


class Version(Value, wire="VersionResponse"):
    """Which release answers."""

    version: str = field()
    api_version: str = field()
    git_hash: str | None = None


class Deleted(Value, wire="DeleteCountResponse"):
    """How many records are gone."""

    count: int = field()


class NewWorkflow(Value):
    """A whole workflow to create in one transaction; ids in it are positions, from 0, in its own lists.

    ``jobs`` holds one list per field of Job, all equally long; a field that is left out has its default in every job.
    ``resource_requirements_id`` -1 stands for the workflow's ``default`` record. Actions may carry ``scheduler`` in
    their ``action_config``: the position of a Slurm scheduler.
    """

    workflow: Json = field("fields of Workflow")
    files: Json = field("list of fields of File", default=None)
    user_data: Json = field("list of fields of UserData", default=None)
    resource_requirements: Json = field("list of fields of ResourceRequirements", default=None)
    slurm_schedulers: Json = field("list of fields of SlurmScheduler", default=None)
    failure_handlers: Json = field("list of fields of FailureHandler", default=None)
    workflow_actions: Json = field("list of fields of WorkflowAction", default=None)
    jobs: Json = field("columns of Job", default=None)


class CreatedWorkflow(Value):
    """What was created; ids of one kind are consecutive from the first, in the order given."""

    workflow_id: int = field()
    first_job_id: int = field()
    first_file_id: int = field()
    first_user_data_id: int = field()
    job_count: int = field()


class JobList(Value, wire="JobsModel"):
    """Jobs of one workflow."""

    jobs: list[Job] = field()


class CreatedJobs(Value, wire="CreateJobsResponse"):
    """Jobs with their ids."""

    jobs: list[Job] | None = None


class ClaimedJobs(Value, wire="ClaimNextJobsResponse"):
    """Jobs that now belong to the caller."""

    jobs: list[Job] | None = None


class FittingJobs(Value, wire="ClaimJobsBasedOnResources"):
    """Jobs that now belong to the caller and fit together."""

    jobs: list[Job] | None = None
    reason: str | None = field("why there are none", default=None)


class JobLaunch(Value):
    """All a runner needs to start a claimed job."""

    id: int = field()
    name: str = field()
    command: str = field()
    attempt_id: int = field()
    invocation_script: str | None = None
    env: dict[str, str] | None = field("workflow's and job's own together", default=None)
    supports_termination: bool = False
    requirements_name: str = "default"
    num_cpus: int = 1
    num_gpus: int = 0
    num_nodes: int = 1
    memory_bytes: int = 0
    runtime_seconds: int = 0
    stdio: Json = field("the job's own; else the workflow's counts", default=None)
    output_files: list[str] | None = field("paths that must exist after code 0", default=None)
    output_file_ids: list[int] | None = None


class FinishedJob(Value):
    """How one attempt ended, as its runner saw it."""

    job_id: int = field()
    attempt_id: int = field()
    status: JobStatus = field()
    return_code: int = field()
    exec_time_minutes: float = field()
    completion_time: str = field("UTC")
    peak_memory_bytes: int | None = None
    avg_memory_bytes: int | None = None
    peak_cpu_percent: float | None = None
    avg_cpu_percent: float | None = None
    reason: str | None = None
    file_mtimes: Json = field("mtime by id of the files it wrote", default=None)
    again: bool = field("its runner had to end it: the result is kept and the job made ready again", default=False)


class StartedJob(Value):
    """A claimed job that runs now."""

    job_id: int = field()
    start_time: str = field("UTC")


class Tick(Value):
    """One turn of a runner: what happened since the last one, and room for more."""

    compute_node_id: int = field()
    run_id: int = field()
    started: list[StartedJob] | None = None
    finished: list[FinishedJob] | None = None
    released: list[int] | None = field("claimed but never started; they become ready again", default=None)
    limit: int = field("give at most so many jobs", default=0)
    room: NodeResources | None = field("give only what fits together; null: any job without labels", default=None)
    strict_scheduler_match: bool = False
    resend: bool = field("give again what is pending for the caller: an answer may have been lost", default=False)


class TickAnswer(Value):
    """What a runner should do next."""

    jobs: list[JobLaunch] = field("claimed for the caller")
    refused: list[Json] = field("finished jobs not taken: job_id, attempt_id, message")
    lost: list[int] = field("jobs the caller reported or holds that are no longer its own: end them")
    is_complete: bool = False
    is_canceled: bool = False
    ready_count: int = field("jobs still ready after this claim", default=0)
    unfinished_count: int = field("jobs that have not ended", default=0)
    version: int = field("of the workflow's state; see wait_for_change", default=0)


class Change(Value):
    """The state of a workflow has moved on, or the wait is over."""

    version: int = field("raised by every change of the workflow")


class Completeness(Value, wire="IsCompleteResponse"):
    """Whether anything is left to do."""

    is_complete: bool = field()
    is_canceled: bool = field()


class Uninitialized(Value, wire="IsUninitializedResponse"):
    """Whether no job has been initialized."""

    is_uninitialized: bool = field()


class Initialized(Value):
    """What an initialization led to."""

    message: str = field()
    run_id: int = field()
    counts: Json = field("jobs by status")


class FileTimes(Value):
    """What the caller found on its disk."""

    st_mtimes: Json = field("modification time by file id, null for a file that is not there", default=None)


class BegunRun(Value):
    """What a new run starts from, or (dry run) would start from."""

    workflow_id: int = field()
    run_id: int = field()
    safe: bool = field("nothing stands in the way")
    missing_input_files: list[str] = field("paths that must exist and do not")
    missing_user_data: list[str] = field("names of data that must have a value and have none")
    existing_output_files: list[str] = field("paths that jobs of this run will write and that exist already")
    changed_files: list[str] = field("paths that changed since the last run")
    rerun_jobs: list[str] = field("names of finished jobs that run again")
    jobs_by_status: Json = field("all eleven statuses", default=None)


class JobIds(Value, wire="ListJobIdsResponse"):
    """The ids of all jobs."""

    job_ids: list[int] = field()
    count: int = field()


class MissingUserData(Value, wire="ListMissingUserDataResponse"):
    """Ids of user data that should have a value and has none."""

    user_data: list[int] = field()


class RequiredFiles(Value, wire="ListRequiredExistingFilesResponse"):
    """Ids of files that must exist before a run."""

    files: list[int] = field()


class ChangedInputs(Value, wire="ProcessChangedJobInputsResponse"):
    """Names of jobs whose definition or data changed since they were initialized."""

    reinitialized_jobs: list[str] = field()


class ResetJobs(Value, wire="ResetJobStatusResponse"):
    """How many jobs were made uninitialized."""

    workflow_id: int = field()
    updated_count: int = field()
    status: str = "uninitialized"
    reset_type: str | None = None


class JobReset(Value):
    """Which jobs to reset; exactly one way of choosing."""

    job_ids: list[int] | None = None
    statuses: list[JobStatus] | None = None
    return_code: int | None = None
    dry_run: bool = False


class JobsReset(Value):
    """Chosen jobs and everything downstream of them."""

    chosen: list[int] = field()
    downstream: list[int] = field()


class ReadyRequirements(Value, wire="GetReadyJobRequirementsResponse"):
    """Totals over the ready jobs."""

    num_jobs: int = field()
    num_cpus: int = field()
    num_gpus: int = field()
    memory_gb: float = field()
    max_num_nodes: int = field()
    max_runtime: str = field()


class StatusSummary(Value):
    """Where a workflow stands, in one answer."""

    workflow_id: int = field()
    workflow_name: str = field()
    workflow_user: str = field()
    run_id: int = field()
    total_jobs: int = field()
    jobs_by_status: Json = field("all eleven statuses")
    total_exec_time_minutes: float = field()
    walltime_seconds: float | None = field("first start to last end of this run", default=None)
    active_compute_nodes: int = field()
    pending_scheduled_nodes: int = 0
    active_scheduled_nodes: int = 0
    is_complete: bool = field()
    is_canceled: bool = field()
    is_archived: bool = False


class RunningJob(Value, wire="RunningJobModel"):
    """A job that runs now, and where."""

    job_id: int = field()
    job_name: str = field()
    compute_node_name: str | None = None
    scheduler_type: str | None = None
    scheduler_job_id: str | None = None
    start_time: str | None = None


class JobDependency(Value, wire="JobDependencyModel"):
    """One job waits for another."""

    workflow_id: int = field()
    job_id: int = field()
    job_name: str = field()
    depends_on_job_id: int = field()
    depends_on_job_name: str = field()


class JobFileRelationship(Value, wire="JobFileRelationshipModel"):
    """A producer or a consumer of a file."""

    workflow_id: int = field()
    file_id: int = field()
    file_name: str = field()
    file_path: str = field()
    producer_job_id: int | None = None
    producer_job_name: str | None = None
    consumer_job_id: int | None = None
    consumer_job_name: str | None = None


class JobUserDataRelationship(Value, wire="JobUserDataRelationshipModel"):
    """A producer or a consumer of user data."""

    workflow_id: int = field()
    user_data_id: int = field()
    user_data_name: str = field()
    producer_job_id: int | None = None
    producer_job_name: str | None = None
    consumer_job_id: int | None = None
    consumer_job_name: str | None = None


class JobCompletion(Value, wire="JobCompletionEntry"):
    """One of many jobs that ended."""

    job_id: int = field()
    status: JobStatus = field()
    run_id: int = field()
    result: Result = field()


class Completions(Value, wire="BatchCompleteJobsRequest"):
    """Jobs that ended."""

    completions: list[JobCompletion] = field()


class CompletionAnswers(Value, wire="BatchCompleteJobsResponse"):
    """Which of them were taken."""

    completed: list[int] = field()
    errors: list[Json] = field("job_id and message of the others")
