"""Requirements that are corrected after jobs have shown what they need."""

from torc_core.records.values import Value, field


class RequirementsChange(Value):
    """What a requirements record should say, for all its jobs or for some."""

    resource_requirements_id: int = field("the record that the jobs have now")
    num_cpus: int = field("CPUs from now on")
    memory: str = field("like 512m or 4g, binary units")
    runtime: str = field("ISO 8601")
    job_ids: list[int] | None = field("these jobs get a record of their own; null: the record is changed", default=None)


class RequirementsChanges(Value):
    """Changes that are made together."""

    changes: list[RequirementsChange] = field("all are made or none")


class CorrectedRequirements(Value):
    """The records that hold what was asked for, in the order of the changes."""

    resource_requirements_ids: list[int] = field("old ones that were changed, new ones that were made")
