"""Where the wire departs from what is derived from records: one entry each, and nowhere else."""

from torc_core.operations import BENDS, PAGE, SORT, Bend
from torc_core.records.allocations import RemoteWorker
from torc_core.records.answers import DeletedEntities, Message
from torc_core.records.resources import WorkflowAction

_OF_WORKFLOW = "/workflows/{workflow_id}/"
_ACCESS = "access_control"

BENDS |= {
    # names
    ("user_data", "delete_all"): Bend(name="delete_all_user_data"),
    ("resource_requirements", "delete"): Bend(name="delete_resource_requirement"),
    ("user_data", "create"): Bend(extra={"consumer_job_id": int, "producer_job_id": int}),
    # lists below the workflow, and lists that cannot be sorted
    ("failure_handlers", "find"): Bend(path=_OF_WORKFLOW + "failure_handlers", without=SORT),
    ("ro_crate_entities", "find"): Bend(path=_OF_WORKFLOW + "ro_crate_entities"),
    ("slurm_stats", "find"): Bend(without=SORT),
    ("access_groups", "find"): Bend(without=SORT, tag=_ACCESS),
    # filters that newer clients mean by another name
    ("files", "find"): Bend(without={"path_contains": str}),
    ("compute_nodes", "find"): Bend(without={"hostname_contains": str}),
    # plain arrays instead of pages
    ("workflow_actions", "find"): Bend(
        name="get_workflow_actions", path=_OF_WORKFLOW + "actions", without=PAGE | SORT, answer=list[WorkflowAction]
    ),
    ("workflow_actions", "create"): Bend(path=_OF_WORKFLOW + "actions"),
    ("remote_workers", "find"): Bend(
        path=_OF_WORKFLOW + "remote_workers", without=PAGE | SORT, answer=list[RemoteWorker]
    ),
    # bodies and answers of another kind
    ("events", "update"): Bend(wrap="data"),
    ("ro_crate_entities", "delete"): Bend(
        answer=Message, reply=lambda gone: {**gone.wire(), "message": f"deleted entity {gone.entity_id}"}
    ),
    ("ro_crate_entities", "delete_all"): Bend(
        path=_OF_WORKFLOW + "ro_crate_entities", answer=DeletedEntities,
        reply=lambda gone: {**gone.wire(), "deleted_count": gone.count, "message": f"deleted {gone.count} entities"},
    ),
    ("failure_handlers", "delete"): Bend(
        reply=lambda gone: {**gone.wire(), "message": f"deleted failure handler {gone.name}"}
    ),
    # tags
    **{("access_groups", verb): Bend(tag=_ACCESS) for verb in ("create", "get", "delete")},
}  # fmt: skip
