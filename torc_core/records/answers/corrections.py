"""Requirements that are corrected after jobs have shown what they need."""

from torc_core.records.values import Value, field


class RequirementsChange(Value):
    """What a requirements record should say, for all its jobs or for some."""

    resource_requirements_id: int = field()
    num_cpus: int = field()
    memory: str = field("like 512m or 4g, binary units")
    runtime: str = field("ISO 8601")
    job_ids: list[int] | None = field("these jobs get a record of their own; null: the record is changed", default=None)


class RequirementsChanges(Value):
    """Changes that are made together."""

    changes: list[RequirementsChange] = field()


class CorrectedRequirements(Value):
    """The records that hold what was asked for, in the order of the changes."""

    resource_requirements_ids: list[int] = field()
