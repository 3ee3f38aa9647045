"""Where results come from, for RO-Crate export."""

from torc_core.records.record import WorkflowPart
from torc_core.records.values import Json, field


class RoCrateEntity(
    WorkflowPart, plural="ro_crate_entities", singular="ro_crate_entity", unique=("workflow_id", "entity_id")
):
    """One entity of a workflow's RO-Crate."""

    entity_id: str = field("its @id, unique in its workflow", filter=True)
    entity_type: str = field("its @type")
    file_id: int | None = field("the file it describes", default=None, refers="files", filter=True)
    metadata: Json = field("the entity's properties")
    json_texts: Json = field("as in Workflow", default=None, beside=True)
