"""Requests as people write them by hand after older documents, which no client sends: read as what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torc_core.errors import Malformed
from torc_core.operations import Operation
from torc_core.records.resources import Job
from torc_core.service.clock import utc_now
from torc_core.units import UnitError, parse_memory

if TYPE_CHECKING:
    from torc_core.service.local import LocalService

Asked = tuple[dict[str, str], Any]
"""Values of the path, and the body."""


def completed(op: Operation, body: Any) -> Any:
    """Return a body with what people leave out or call by another name."""
    if op.name == "create_compute_node" and isinstance(body, dict):
        return _node(body)
    if op.name == "create_result" and isinstance(body, dict):
        return _result(body)
    return body


def _node(body: dict[str, Any]) -> dict[str, Any]:
    memory = body.get("memory")
    if "memory_gb" in body or not isinstance(memory, str):
        return body
    try:
        found = parse_memory(memory) / 2**30
    except UnitError:
        return body
    usual = {"pid": 1, "start_time": utc_now(), "num_gpus": 0, "num_nodes": 1, "compute_node_type": "local"}
    return {**usual, **body, "memory_gb": found}


def _result(body: dict[str, Any]) -> dict[str, Any]:
    if "exit_code" not in body:
        return body
    code = body["exit_code"]
    usual = {
        "return_code": code, "status": "completed" if code == 0 else "failed", "exec_time_minutes": 0.0,
        "completion_time": utc_now(),
    }  # fmt: skip
    return {**usual, **body}


def completion(service: LocalService, variables: dict[str, str], body: Any) -> Asked:
    """Read the end of a job: status and run may be in the path or the body, and the rest may be left out."""
    job = service.get(Job, _whole(variables["id"]))
    said = dict(body) if isinstance(body, dict) else {}
    run_id = variables.get("run_id", said.get("run_id"))
    if run_id is None:
        run_id = service.get_workflow_status(job.workflow_id).run_id
    status = variables.get("status", said.get("status"))
    if status is None:
        status = "completed" if said.get("return_code", said.get("exit_code", 0)) == 0 else "failed"
    path = {"id": variables["id"], "status": str(status), "run_id": str(run_id)}
    node = variables.get("compute_node_id", said.get("compute_node_id", job.compute_node_id or 0))
    code = said.get("exit_code", 0 if _word(str(status)) == "completed" else 1)
    usual = {
        "job_id": job.id, "workflow_id": job.workflow_id, "run_id": _whole(str(run_id)), "attempt_id": job.attempt_id,
        "compute_node_id": _whole(str(node)), "status": _word(str(status)), "exec_time_minutes": 0.0,
        "completion_time": utc_now(), "return_code": code,
    }  # fmt: skip
    given = {name: value for name, value in said.items() if value is not None}
    if "status" in given:
        given["status"] = _word(str(given["status"]))
    return path, usual | given


def status_change(service: LocalService, variables: dict[str, str], body: Any) -> Asked:
    """Read a change of status whose target is in the body; the run is the present one."""
    said = body if isinstance(body, dict) else {}
    status = said.get("target_status", said.get("status"))
    if status is None:
        raise Malformed("target_status is required", field="target_status")
    job = service.get(Job, _whole(variables["id"]))
    run_id = said.get("run_id", service.get_workflow_status(job.workflow_id).run_id)
    return {"id": variables["id"], "status": str(status), "run_id": str(run_id)}, None


def _word(status: str) -> str:
    """Return the word of a status that may be a number."""
    from torc_core.status import BY_NUMBER

    return BY_NUMBER[int(status)].value if status.isdecimal() and int(status) < len(BY_NUMBER) else status


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Malformed(f"cannot read {text[:60]!r}: expected a whole number") from None


Read = Callable[["LocalService", dict[str, str], Any], Asked]
BY_STRANGERS: dict[str, Read] = {"complete_job": completion}
"""What reads published calls of unknown clients, which may leave out what everybody can tell."""
ROUTES: tuple[tuple[str, str, str, Read], ...] = (
    ("PUT", "/jobs/{id}/complete_job/{status}/{run_id}", "complete_job", completion),
    ("PUT", "/jobs/{id}/complete_job/{status}/{run_id}/{compute_node_id}", "complete_job", completion),
    ("POST", "/jobs/{id}/complete_job/{status}/{run_id}/{compute_node_id}", "complete_job", completion),
    ("PUT", "/jobs/{id}/complete_job", "complete_job", completion),
    ("POST", "/jobs/{id}/complete_job", "complete_job", completion),
    ("PUT", "/jobs/{id}/manage_status_change", "manage_status_change", status_change),
    ("POST", "/jobs/{id}/manage_status_change", "manage_status_change", status_change),
)
"""Method, path, the operation that is meant, and what reads the request for it."""
