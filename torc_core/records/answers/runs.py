"""Runs of a workflow: begun, reset, looked at."""

from torc_core.records.values import Json, Value, field
from torc_core.status import JobStatus


class Completeness(Value, wire="IsCompleteResponse"):
    """Whether anything is left to do."""

    is_complete: bool = field("all jobs have ended, or it is canceled")
    is_canceled: bool = field("no more jobs are given out")


class Uninitialized(Value, wire="IsUninitializedResponse"):
    """Whether no job has been initialized."""

    is_uninitialized: bool = field("all jobs are uninitialized or disabled")


class Initialized(Value):
    """What an initialization led to."""

    message: str = field("what was done, in words")
    run_id: int = field("the present run")
    counts: Json = field("jobs by status")


class FileTimes(Value):
    """What the caller found on its disk."""

    st_mtimes: Json = field("modification time by file id, null for a file that is not there", default=None)


class Rerun(Value):
    """A job that runs again, and why."""

    job_id: int = field("the job that runs again")
    name: str = field("what people call it")
    status: JobStatus = field("before")
    reason: str = field("the first one, in words that do not change")
    cause: str = field("what it is about: a status, a path, a name, a job")
    reasons: list[str] = field("all of them, each a sentence")


class BegunRun(Value):
    """What a new run starts from, or (dry run) would start from."""

    workflow_id: int = field()
    run_id: int = field("the run that was begun; in a dry run the present one")
    safe: bool = field("nothing stands in the way")
    missing_input_files: list[str] = field("paths that must exist and do not")
    missing_user_data: list[str] = field("names of data that must have a value and have none")
    existing_output_files: list[str] = field("paths that jobs of this run will write and that exist already")
    changed_files: list[str] = field("paths that changed since the last run")
    rerun_jobs: list[str] = field("names of finished jobs that run again")
    reruns: list[Rerun] | None = field("why they do; only told by a dry run", default=None)
    jobs_by_status: Json = field("all eleven statuses", default=None)


class ChangedInputs(Value, wire="ProcessChangedJobInputsResponse"):
    """Names of jobs whose definition or data changed since they were initialized."""

    reinitialized_jobs: list[str] = field("made uninitialized, unless it was a dry run")


class ResetJobs(Value, wire="ResetJobStatusResponse"):
    """How many jobs were made uninitialized."""

    workflow_id: int = field()
    updated_count: int = field("jobs that were meant, without what follows them")
    status: str = field("what they are now", default="uninitialized")
    reset_type: str | None = field("failed_only, or nothing for all", default=None)


class JobReset(Value):
    """Which jobs to reset; exactly one way of choosing."""

    job_ids: list[int] | None = field("these jobs", default=None)
    statuses: list[JobStatus] | None = field("all jobs with one of these", default=None)
    return_code: int | None = field("all jobs whose latest result has this", default=None)
    dry_run: bool = field("only say which they are", default=False)


class JobsReset(Value):
    """Chosen jobs and everything downstream of them."""

    chosen: list[int] = field("ids of those that were meant")
    downstream: list[int] = field("ids of those that follow from them")


class StatusSummary(Value, wire="WorkflowStatusResponse"):
    """Where a workflow stands, in one answer."""

    workflow_id: int = field()
    workflow_name: str = field("what people call it")
    workflow_user: str = field("its owner")
    run_id: int = field("the present run")
    total_jobs: int = field("jobs of any status")
    jobs_by_status: Json = field("all eleven statuses")
    total_exec_time_minutes: float = field("of all latest results together")
    walltime_seconds: float | None = field("first start to last end of this run", default=None)
    active_compute_nodes: int = field("runners at work")
    pending_scheduled_nodes: int = field("allocations in the queue", default=0)
    active_scheduled_nodes: int = field("allocations that run", default=0)
    is_complete: bool = field("all jobs have ended, or it is canceled")
    is_canceled: bool = field("no more jobs are given out")
    is_archived: bool = field("hidden from lists", default=False)
    waiting_retries: int = field("blocked jobs whose next attempt waits for a moment", default=0)
    next_retry_at: str | None = field("the first of these moments, UTC", default=None)


class WorkflowStatus(Value, wire="WorkflowStatusModel"):
    """The run id and the flags of a workflow, as clients before 0.35 read and write them."""

    id: int | None = field("that of the workflow", default=None)
    run_id: int = field("the present run")
    is_canceled: bool = field("no more jobs are given out")
    is_archived: bool | None = field("hidden from lists", default=None)
    has_detected_need_to_run_completion_script: bool | None = field("never so", default=None)


class Archiving(Value, wire="ArchiveWorkflowRequest"):
    """Whether a workflow is to be hidden from lists."""

    is_archived: bool = field("hide it (true) or show it again")
