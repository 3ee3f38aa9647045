"""Whole workflows and many records at once."""

from torc_core.records.resources import Job
from torc_core.records.values import Json, Value, field


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
