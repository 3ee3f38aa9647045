"""Jobs that a running job adds to its workflow."""

from torc_core.records.values import Json, Value, at_least, field


class SpawnJob(Value, wire="SpawnJobModel", closed=True):
    """A new job; what it refers to is named, and is there already or in the same request."""

    name: str = field("unique in its workflow")
    command: str = field("run by bash")
    depends_on: list[str] | None = field("names of jobs it waits for, beside the one that adds it", default=None)
    resource_requirements: str | None = field("name of what it needs; the workflow's default", default=None)
    priority: int | None = field("higher goes first (0)", default=None, check=at_least(0))
    labels: list[str] | None = field("only runners that offer all of them take it", default=None)
    cancel_on_blocking_job_failure: bool = field("cancel it when one that it waits for does not succeed", default=True)
    invocation_script: str | None = field("put before the command", default=None)
    supports_termination: bool = field("gets SIGTERM and time before SIGKILL", default=False)
    env: dict[str, str] | None = field("its own variables", default=None)
    stdio: Json = field("how its streams are kept", default=None)
    failure_handler: str | None = field("name of what to do when it fails", default=None)
    input_files: list[str] | None = field(
        "names of files it reads: it waits for the jobs that write them", default=None
    )
    output_files: list[str] | None = field("names of files it writes: their readers wait for it", default=None)
    input_user_data: list[str] | None = field("names of user data it reads", default=None)
    output_user_data: list[str] | None = field("names of user data it writes", default=None)


class SpawnFile(Value, closed=True):
    """A new file."""

    name: str = field("unique in its workflow")
    path: str = field("relative to where runners run")


class SpawnData(Value, closed=True):
    """New user data."""

    name: str = field("unique in its workflow")
    data: Json = field("any JSON; null: there is none yet", default=None)
    is_ephemeral: bool = field("forgotten at the next run", default=False)


class SpawnRequest(Value, wire="SpawnJobsRequest", closed=True):
    """Jobs to add, and what their makers want to remember."""

    lineage: str | None = field("what counts the calls; the name of the job that adds them", default=None)
    jobs: list[SpawnJob] = field("all are added or none")
    state: Json = field("kept with the count, for the next in line", default=None)
    files: list[SpawnFile] | None = field("files that are not there yet", default=None)
    user_data: list[SpawnData] | None = field("user data that are not there yet", default=None)


class SpawnedJobs(Value, wire="SpawnJobsResponse"):
    """Jobs that are in the workflow now."""

    spawned_job_ids: list[int] = field("in the order of the request")
    iteration: int = field("how many calls have added jobs in this lineage")
