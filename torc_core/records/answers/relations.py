"""Which job waits for which, and what reads and writes what."""

from torc_core.records.values import Value, field


class RunningJob(Value, wire="RunningJobModel"):
    """A job that runs now, and where."""

    job_id: int = field()
    job_name: str = field()
    compute_node_name: str = field("empty when its runner is not known")
    scheduler_type: str = field("local or slurm, empty when its runner is not known")
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


class MissingUserData(Value, wire="ListMissingUserDataResponse"):
    """Ids of user data that should have a value and has none."""

    user_data: list[int] = field()


class RequiredFiles(Value, wire="ListRequiredExistingFilesResponse"):
    """Ids of files that must exist before a run."""

    files: list[int] = field()


class SlurmCorrelation(Value, wire="SlurmJobCorrelationModel"):
    """A job and the Slurm job that it ran in."""

    job_id: int = field()
    job_name: str = field()
    slurm_job_id: str = field()
