"""Recovery of a workflow: failed jobs run again, with other requirements where these were the cause."""

from torc_core.records.answers.corrections import RequirementsChange
from torc_core.records.values import Json, Value, field


class Recovery(Value):
    """What to change and which jobs run again."""

    job_ids: list[int] = field("jobs that did not succeed; what follows from them runs again too")
    changes: list[RequirementsChange] | None = field("made before the jobs are reset", default=None)
    report: Json = field("what was found; kept with the event", default=None)


class Recovered(Value):
    """What the next run begins with."""

    workflow_id: int = field()
    run_id: int = field("the run that was begun")
    job_ids: list[int] = field("that were chosen")
    downstream_job_ids: list[int] = field("that follow from them and run again too")
    resource_requirements_ids: list[int] = field("records that hold the changes, in their order")
    jobs_by_status: Json = field("all eleven statuses")
