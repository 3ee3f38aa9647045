"""Two workflows of two people with a record of every kind, and arguments for every operation, from the declarations."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from torc_core.contracts.storage import Storage
from torc_core.operations import Operation
from torc_core.records.access import AccessGroup, UserGroupMembership, WorkflowAccessGroup
from torc_core.records.answers.access import TokenRequest
from torc_core.records.record import RECORDS, Record, WorkflowPart
from torc_core.records.resources import Job, Workflow
from torc_core.records.tasks import TaskStatus
from torc_core.records.values import REQUIRED, Json, Value, bare
from torc_core.service.access import Access
from torc_core.service.api import OPERATIONS
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller, Turn
from torc_core.status import JobStatus
from torc_plugins.storage.memory_storage import MemoryStorage

MOMENT = "2026-01-31T08:00:00.000Z"
TEXTS = {
    "start_time": MOMENT, "completion_time": MOMENT, "created_at": MOMENT, "runtime": "PT1M", "memory": "1m",
    "trigger_type": "on_workflow_start", "action_type": "schedule_nodes", "walltime": "01:00:00", "role": "member",
    "level": "info", "time_limit": "PT1H", "depends_on": "plain-job", "input_files": "plain-file",
    "output_files": "new-name", "input_user_data": "plain-user_data", "output_user_data": "new-name",
    "failure_handler": "plain-failure_handler", "resource_requirements": "plain-resource_requirements",
}  # fmt: skip
"""Texts that are not free."""
NUMBERS = {"run_id": 0, "attempt_id": 1, "limit": 5, "offset": 0, "max_retries": 3, "version": 0, "num_cpus": 1}
JSONS: dict[str, Any] = {
    "action_config": {"scheduler_type": "local", "num_allocations": 1}, "body": {"num_allocations": 2}, "rules": [],
    "metadata": {}, "data": {"a": 1}, "workflow": {"name": "w", "user": "x"},
}  # fmt: skip
JSONS_WITH_IDS = {
    "schedule_compute_nodes": "slurm_schedulers", "action_config": "slurm_schedulers",
    "scheduler": "scheduled_compute_nodes",
}  # fmt: skip
"""JSON fields with a ``scheduler_id``, and what it is the id of."""
ID_NAMES = {
    "workflow_id": "workflows", "group_id": "access_groups", "job_id": "jobs", "job_ids": "jobs",
    "depends_on_job_ids": "jobs", "input_file_ids": "files", "output_file_ids": "files", "file_id": "files",
    "input_user_data_ids": "user_data", "output_user_data_ids": "user_data", "needs_file_id": "files",
    "resource_requirements_id": "resource_requirements", "failure_handler_id": "failure_handlers",
    "scheduler_id": "slurm_schedulers", "scheduler_config_id": "slurm_schedulers", "compute_node_id": "compute_nodes",
    "compute_node_ids": "compute_nodes", "active_compute_node_id": "compute_nodes", "upstream_job_id": "jobs",
    "produced_by_job_id": "jobs", "consumer_job_id": "jobs", "producer_job_id": "jobs", "executed_by": "compute_nodes",
    "action_id": "workflow_actions", "scheduled_compute_node_id": "scheduled_compute_nodes", "released": "jobs",
    "action_run_id": "action_runs",
}  # fmt: skip
"""Kinds of records by the names that ids of them have in paths, queries and bodies."""
NOT_IDS = {"run_id", "attempt_id", "entity_id", "slurm_job_id", "requirements_id", "pid", "task_id", "origin_id"}
"""Names that look like one and are not."""
SECRET = "hidden"
"""Is in every text of the other person's records, so that an answer shows whether it shows any."""


class World:
    """The storage, the people, and the ids of their records by plural name."""

    def __init__(
        self, job_status: JobStatus = JobStatus.UNINITIALIZED, storage: Storage | None = None, **rules: Any
    ) -> None:
        """``rules`` are those of Access; they are enforced once the records are there."""
        self.job_status = job_status
        self.storage = storage or MemoryStorage("")
        self.open = LocalService(self.storage, access=Access(administrators=["root"]))
        self.open.create(AccessGroup(name="strangers"))
        self.group_id = self.open.create(AccessGroup(name="team")).id
        for name, role in (("bob", "member"), ("ann", "admin")):
            self.open.add_user_to_group(self.group_id, UserGroupMembership(user_name=name, role=role))
        self.mine = self.populate("amy", "plain")
        self.theirs = self.populate("eve", SECRET)
        self.open.add_workflow_to_group(self.mine["workflows"], self.group_id)
        request = TokenRequest()
        self.token = self.open.for_caller(Caller("amy")).create_worker_token(self.mine["workflows"], request).token
        enforced = {"is_enforced": True, "administrators": ["root"], **rules}
        self.service = LocalService(self.storage, access=Access(**enforced))

    def populate(self, user: str, word: str) -> dict[str, int]:
        """Store a record of every kind in a new workflow; returns their ids."""
        ids: dict[str, int] = {"access_groups": self.group_id}

        def fill(turn: Turn) -> None:
            left = [kind for kind in RECORDS.values() if kind is Workflow or issubclass(kind, WorkflowPart)]
            left.remove(WorkflowAccessGroup)
            while left:  # what others refer to comes first
                kind = next(k for k in left if all(f.refers in ids for f in k.FIELDS.values() if f.refers))
                left.remove(kind)
                record = kind(**values_of(kind, ids, word))
                if isinstance(record, Workflow):
                    record.user = user
                if isinstance(record, Job):
                    record.status = self.job_status
                ids[kind.PLURAL] = turn.insert(record).id

        self.open._owner.write(fill, Caller(user))
        return ids

    def as_user(self, name: str) -> LocalService:
        """Return the service as somebody sees it: a name, ``token`` for the worker token, or ``anonymous``."""
        if name == "token":
            return self.service.for_caller(self.service.caller_of_token(self.token))
        return self.service.for_caller(Caller(name, is_login=name != "anonymous"))

    def snapshot(self, workflow_id: int) -> dict[str, list[Any]]:
        """Return every row of a workflow."""
        found = {}
        for plural, kind in RECORDS.items():
            where = "id" if kind is Workflow else "workflow_id"
            if where in kind.FIELDS and (kind is Workflow or issubclass(kind, WorkflowPart)):
                rows = self.storage.rows(kind, list(kind.FIELDS), [])
                place = list(kind.FIELDS).index(where)
                found[plural] = [row for row in rows if row[place] == workflow_id]
        return found


def values_of(kind: type[Value], ids: dict[str, int], word: str, everything: bool = False) -> dict[str, Any]:
    """Return values for the fields that must be given (or for all of them), with ids of ``ids``."""
    values = {}
    for f in kind.FIELDS.values():
        is_id = f.name in ID_NAMES and f.name != "released"
        if f.name == "id" or (f.internal and f.default is not REQUIRED):
            continue
        if f.default is REQUIRED or everything or (is_id and f.refers and ID_NAMES[f.name] in ids):
            values[f.name] = value_of(f.name, f.type, ids, word, everything)
    if issubclass(kind, Record) and "name" in kind.FIELDS:
        values["name"] = f"{word}-{kind.SINGULAR}"
    return values


def value_of(name: str, kind: Any, ids: dict[str, int], word: str, everything: bool = False) -> Any:
    """Return a value of a type for an argument or field of that name."""
    kind = bare(kind)
    if get_origin(kind) is list:
        return [value_of(name, get_args(kind)[0], ids, word, everything)]
    if get_origin(kind) is dict:
        return {}
    if name in ID_NAMES:
        return ids.get(ID_NAMES[name], 0)
    if kind is Json and everything and name in JSONS_WITH_IDS:
        return {**JSONS.get(name, {}), "scheduler_id": ids[JSONS_WITH_IDS[name]]}
    if kind is Json:
        return JSONS.get(name)
    if isinstance(kind, type) and issubclass(kind, Value):
        return kind(**values_of(kind, ids, word, everything))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {JobStatus: JobStatus.COMPLETED, TaskStatus: TaskStatus.SUCCEEDED}.get(kind) or next(iter(kind))
    if name == "attempt_id" and word == "new":
        return 2  # of the first there is a result already
    plain = {int: NUMBERS.get(name, 1), float: 0.0, bool: False, str: TEXTS.get(name, f"{word}-{name}")}
    return plain[kind]


def arguments_of(op: Operation, ids: dict[str, int], word: str = "new") -> dict[str, Any]:
    """Return arguments with which an operation is about the workflow of ``ids``."""
    arguments: dict[str, Any] = {}
    for parameter in op.parameters:
        if parameter.name == "id":
            arguments["id"] = ids[subject(op)]
        elif parameter.name == "body" and op.record is not None:
            values = values_of(op.record, ids, word)
            arguments["body"] = changes_of(op.record, values) if op.verb == "update" else op.record(**values)
        elif parameter.default is REQUIRED:
            arguments[parameter.name] = value_of(parameter.name, parameter.type, ids, word)
    if "user_name" in arguments:
        arguments["user_name"] = "bob"
    if "worker" in arguments:
        arguments["worker"] = "plain-worker"
    return arguments


def changes_of(kind: type[Record], values: dict[str, Any]) -> dict[str, Any]:
    """Return what an update may change."""
    return {n: v for n, v in values.items() if n not in ("user", "status")}


def subject(op: Operation) -> str:
    """Return the kind of record that the ``id`` of an operation is of."""
    if op.record is not None:
        return op.record.PLURAL
    return op.path.split("/")[1]


def call(service: LocalService, op: Operation, arguments: dict[str, Any]) -> Any:
    """Carry out an operation; a stream is closed again."""
    answer = op.call(service, arguments)
    if op.is_stream:
        answer.close()
    return answer


def operations() -> Iterator[Operation]:
    """Yield every operation, in a stable order."""
    yield from (OPERATIONS[name] for name in sorted(OPERATIONS))
