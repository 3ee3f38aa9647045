"""Jobs on their way to runners and back."""

from torc_core.records.answers.actions import ActionLaunch, ActionReport
from torc_core.records.resources import Job, NodeResources, Result
from torc_core.records.values import Json, Value, field
from torc_core.status import JobStatus


class ClaimedJobs(Value, wire="ClaimNextJobsResponse"):
    """Jobs that now belong to the caller."""

    jobs: list[Job] | None = field("pending from now on", default=None)


class FittingJobs(Value, wire="ClaimJobsBasedOnResources"):
    """Jobs that now belong to the caller and fit together."""

    jobs: list[Job] | None = field("pending from now on", default=None)
    reason: str | None = field("why there are none", default=None)


class JobLaunch(Value):
    """All a runner needs to start a claimed job."""

    id: int = field()
    name: str = field("what people call it")
    command: str = field("what bash runs")
    attempt_id: int = field("counts from 1 in each run")
    invocation_script: str | None = field("what the command is given to, in front of it", default=None)
    env: dict[str, str] | None = field("workflow's and job's own together", default=None)
    supports_termination: bool = field("gets a signal and time before it is killed", default=False)
    requirements_name: str = field("of its resource requirements", default="default")
    num_cpus: int = field("CPUs that it takes", default=1)
    num_gpus: int = field("GPUs that it takes", default=0)
    num_nodes: int = field("machines that it takes", default=1)
    memory_bytes: int = field("memory that it takes", default=0)
    runtime_seconds: int = field("how long it may run", default=0)
    stdio: Json = field("the job's own; else the workflow's counts", default=None)
    output_files: list[str] | None = field("paths that must exist after code 0", default=None)
    output_file_ids: list[int] | None = field("ids of the files it writes", default=None)
    failure_rules: Json = field("of its failure handler; null when it has none", default=None)
    asks_on_failure: bool = field("without a rule somebody is asked: use_pending_failed", default=False)


class FinishedJob(Value):
    """How one attempt ended, as its runner saw it."""

    job_id: int = field("the job that ended")
    attempt_id: int = field("which attempt of it")
    status: JobStatus = field("how it ended")
    return_code: int = field("of its command, or what stands for its end")
    exec_time_minutes: float = field("from start to end")
    completion_time: str = field("UTC")
    peak_memory_bytes: int | None = field("most memory at a time", default=None)
    avg_memory_bytes: int | None = field("memory on average", default=None)
    peak_cpu_percent: float | None = field("most CPU at a time; 100 is one core", default=None)
    avg_cpu_percent: float | None = field("CPU on average; 100 is one core", default=None)
    read_bytes: int | None = field("by system calls", default=None)
    write_bytes: int | None = field("by system calls", default=None)
    reason: str | None = field("why it ended so, where the code does not say it", default=None)
    file_mtimes: Json = field("mtime by id of the files it wrote", default=None)
    again: bool = field("the result is kept, and the job made ready for its next attempt", default=False)
    retry_delay_seconds: float = field("with again: it is blocked for so long first", default=0.0)
    decided: str | None = field("with again: why, for people", default=None)
    recovery: Json = field("with again: how its recovery script ended: return_code, reason, log", default=None)


class HeldJob(Value):
    """An attempt that a runner has in its hands."""

    job_id: int = field("the job in hand")
    attempt_id: int = field("which attempt of it")


class StartedJob(Value):
    """A claimed job that runs now."""

    job_id: int = field("the job that runs")
    start_time: str = field("UTC")


class Tick(Value):
    """One turn of a runner: what happened since the last one, and room for more."""

    compute_node_id: int = field("the runner")
    run_id: int = field("the run it takes part in")
    started: list[StartedJob] | None = field("jobs that run since the last turn", default=None)
    finished: list[FinishedJob] | None = field("attempts that ended since the last turn", default=None)
    released: list[int] | None = field("claimed but never started; they become ready again", default=None)
    limit: int = field("give at most so many jobs", default=0)
    room: NodeResources | None = field("give only what fits together; null: any job without labels", default=None)
    strict_scheduler_match: bool = field("no jobs of other schedulers, though there are no others", default=False)
    held: list[HeldJob] | None = field("all it has, now and then; the answer names what is lost", default=None)
    wait_seconds: float = field("answer later when there is nothing to tell yet", default=0.0)
    resend: bool = field("give again what is pending for the caller: an answer may have been lost", default=False)
    can_run: list[str] | None = field(
        "kinds of actions the caller carries out: run_commands, schedule_nodes:TYPE", default=None
    )
    actions: list[ActionReport] | None = field("how the actions go that it was given", default=None)
    is_leaving: bool = field("it ends after this: what is due then is due now", default=False)


class TickAnswer(Value):
    """What a runner should do next."""

    jobs: list[JobLaunch] = field("claimed for the caller")
    refused: list[Json] = field("finished jobs not taken: job_id, attempt_id, message")
    lost: list[int] = field("jobs the caller reported or holds that are no longer its own: end them")
    is_complete: bool = field("no job is left", default=False)
    is_canceled: bool = field("running jobs are to be ended", default=False)
    ready_count: int = field("jobs still ready after this claim", default=0)
    unfinished_count: int = field("jobs that have not ended", default=0)
    ready_in_seconds: float | None = field("until the next job is ready that waits for a moment", default=None)
    actions: list[ActionLaunch] | None = field("given to the caller, to carry out", default=None)
    is_held: bool = field("no jobs are given while commands run that come before them", default=False)
    undone_kinds: list[str] | None = field("kinds of actions that are due and not done by the caller", default=None)
    has_last_actions: bool = field("actions are due for the caller when it leaves", default=False)
    version: int = field("of the workflow's state; see wait_for_change", default=0)


class JobCompletion(Value, wire="JobCompletionEntry"):
    """One of many jobs that ended."""

    job_id: int = field("the job that ended")
    status: JobStatus = field("how it ended")
    run_id: int = field("the run it ended in")
    result: Result = field("what is kept of the attempt")


class Completions(Value, wire="BatchCompleteJobsRequest"):
    """Jobs that ended."""

    completions: list[JobCompletion] = field("each is taken or refused by itself")


class CompletionError(Value, wire="JobCompletionError"):
    """Why the end of a job was not taken."""

    job_id: int = field("the job that it is about")
    message: str = field("why, for people")


class CompletionAnswers(Value, wire="BatchCompleteJobsResponse"):
    """Which of them were taken."""

    completed: list[int] = field("ids of the jobs whose ends were taken")
    errors: list[CompletionError] = field("of the others")


class ReadyRequirements(Value, wire="GetReadyJobRequirementsResponse"):
    """Totals over the ready jobs."""

    num_jobs: int = field("jobs that are ready")
    num_cpus: int = field("CPUs of all of them")
    num_gpus: int = field("GPUs of all of them")
    memory_gb: float = field("GiB of all of them")
    max_num_nodes: int = field("machines of the largest")
    max_runtime: str = field("of the longest, ISO 8601")
