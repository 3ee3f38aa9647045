"""Whole workflows and many records at once."""

from torc_core.records.resources import File, Job, UserData
from torc_core.records.values import Json, Value, field


class NewWorkflow(Value):
    """A whole workflow to create in one transaction; ids in it are positions, from 0, in its own lists.

    ``jobs`` holds one list per field of Job, all equally long; a field that is left out has its default in every job.
    ``resource_requirements_id`` -1 stands for the workflow's ``default`` record; requirements of that name say what it
    holds. Actions may carry ``scheduler`` (``local_scheduler``) in their ``action_config``, jobs in their
    ``schedule_compute_nodes``: the position of a Slurm (local) scheduler. Fields that may name either kind hold the
    position of a Slurm one, or ``{local_scheduler: N}``. ``#job-@N`` in entities names the job at N.

    ``as_is`` takes over what a service decides otherwise: statuses, attempts, the run id, what actions have done.
    """

    workflow: Json = field("fields of Workflow")
    files: Json = field("list of fields of File", default=None)
    user_data: Json = field("list of fields of UserData", default=None)
    resource_requirements: Json = field("list of fields of ResourceRequirements", default=None)
    slurm_schedulers: Json = field("list of fields of SlurmScheduler", default=None)
    failure_handlers: Json = field("list of fields of FailureHandler", default=None)
    workflow_actions: Json = field("list of fields of WorkflowAction", default=None)
    jobs: Json = field("columns of Job", default=None)
    local_schedulers: Json = field("list of fields of LocalScheduler", default=None)
    action_runs: Json = field("list of fields of ActionRun", default=None)
    ro_crate_entities: Json = field("list of fields of RoCrateEntity", default=None)
    compute_nodes: Json = field("list of fields of ComputeNode; none of them is active", default=None)
    scheduled_compute_nodes: Json = field("list of fields of ScheduledComputeNode", default=None)
    remote_workers: Json = field("list of fields of RemoteWorker", default=None)
    results: Json = field("list of fields of Result, and is_latest", default=None)
    slurm_stats: Json = field("list of fields of SlurmStats", default=None)
    events: Json = field("list of fields of Event", default=None)
    as_is: bool = field("keep statuses, attempts, run and owner", default=False)


class CreatedWorkflow(Value):
    """What was created; ids of one kind are consecutive from the first, in the order given."""

    workflow_id: int = field()
    first_job_id: int = field("of the first job given")
    first_file_id: int = field("of the first file given")
    first_user_data_id: int = field("of the first user data given")
    job_count: int = field("jobs that were made")


class JobList(Value, wire="JobsModel"):
    """Jobs of one workflow."""

    jobs: list[Job] = field("all are stored or none")


class CreatedJobs(Value, wire="CreateJobsResponse"):
    """Jobs with their ids."""

    jobs: list[Job] | None = field("in the order given", default=None)


class FileList(Value, wire="FilesModel"):
    """Files of one workflow."""

    files: list[File] = field("all are stored or none")


class CreatedFiles(Value, wire="CreateFilesResponse"):
    """Files with their ids."""

    files: list[File] | None = field("in the order given", default=None)


class UserDataList(Value, wire="UserDataListModel"):
    """User data of one workflow."""

    user_data: list[UserData] = field("all are stored or none")


class CreatedUserData(Value, wire="CreateUserDataListResponse"):
    """User data with its ids."""

    user_data: list[UserData] | None = field("in the order given", default=None)
