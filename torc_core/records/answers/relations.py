"""Which job waits for which, and what reads and writes what."""

from torc_core.records.values import Value, field


class RunningJob(Value, wire="RunningJobModel"):
    """A job that runs now, and where."""

    job_id: int = field("the job that runs")
    job_name: str = field("its name")
    compute_node_name: str = field("empty when its runner is not known")
    scheduler_type: str = field("local or slurm, empty when its runner is not known")
    scheduler_job_id: str | None = field("the allocation that it runs in, Slurm's id", default=None)
    start_time: str | None = field("UTC", default=None)


class JobDependency(Value, wire="JobDependencyModel"):
    """One job waits for another."""

    workflow_id: int = field()
    job_id: int = field("the job that waits")
    job_name: str = field("its name")
    depends_on_job_id: int = field("the job that it waits for")
    depends_on_job_name: str = field("the name of that")


class JobFileRelationship(Value, wire="JobFileRelationshipModel"):
    """A producer or a consumer of a file."""

    workflow_id: int = field()
    file_id: int = field("the file")
    file_name: str = field("its name")
    file_path: str = field("where it is")
    producer_job_id: int | None = field("the job that writes it", default=None)
    producer_job_name: str | None = field("the name of that", default=None)
    consumer_job_id: int | None = field("the job that reads it", default=None)
    consumer_job_name: str | None = field("the name of that", default=None)


class JobUserDataRelationship(Value, wire="JobUserDataRelationshipModel"):
    """A producer or a consumer of user data."""

    workflow_id: int = field()
    user_data_id: int = field("the user data")
    user_data_name: str = field("their name")
    producer_job_id: int | None = field("the job that stores them", default=None)
    producer_job_name: str | None = field("the name of that", default=None)
    consumer_job_id: int | None = field("the job that reads them", default=None)
    consumer_job_name: str | None = field("the name of that", default=None)


class MissingUserData(Value, wire="ListMissingUserDataResponse"):
    """Ids of user data that should have a value and has none."""

    user_data: list[int] = field("their ids")


class RequiredFiles(Value, wire="ListRequiredExistingFilesResponse"):
    """Ids of files that must exist before a run."""

    files: list[int] = field("their ids")


class SlurmCorrelation(Value, wire="SlurmJobCorrelationModel"):
    """A job and the Slurm job that it ran in."""

    job_id: int = field("our job")
    job_name: str = field("its name")
    slurm_job_id: str = field("the allocation that it ran in")
