"""What checks of an official Python client have in common; see ``life``."""

import json
import sys

import torc.openapi_client as c
from torc.api import make_api
from torc.openapi_client.rest import ApiException

URL, RELEASE = sys.argv[1], sys.argv[2]
OLDEST, OLD, NEW = RELEASE == "0.12", RELEASE == "0.22", RELEASE == "0.35"
CHECKS = {}
api, tasks = make_api(URL), None
if NEW:
    from torc.openapi_client.api.tasks_api import TasksApi

    tasks = TasksApi(api.api_client)


def check(*releases):
    """Register a check, for all releases unless some are named."""

    def register(function):
        if not releases or RELEASE in releases:
            CHECKS[function.__name__] = function
        return function

    return register


def same(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def status_of(call, *args, **kwargs):
    """Return the code of the error that a call ends in."""
    try:
        answer = call(*args, **kwargs)
    except ApiException as exc:
        body = json.loads(exc.body)
        assert isinstance(body["error"]["message"], str), body
        assert exc.headers["Content-Type"] == "application/json", exc.headers
        return exc.status
    raise AssertionError(f"no error, but {answer!r}")


def word(status):
    return getattr(status, "value", status)


def new_workflow(name="w", **more):
    return api.create_workflow(c.WorkflowModel(name=name, user="ann", **more)).id


def new_job(workflow_id, name, command="true", **more):
    return api.create_job(c.JobModel(workflow_id=workflow_id, name=name, command=command, **more))


def new_node(workflow_id, hostname="n1", **more):
    fields = {
        "workflow_id": workflow_id, "hostname": hostname, "pid": 42, "start_time": "2026-01-31T08:00:00.000Z",
        "num_cpus": 8, "memory_gb": 16.0, "num_gpus": 0, "num_nodes": 1, "compute_node_type": "local",
        "is_active": True, **more,
    }  # fmt: skip
    return api.create_compute_node(c.ComputeNodeModel(**fields)).id


def run_of(workflow_id):
    return api.get_workflow(workflow_id).run_id if NEW else api.get_workflow_status(workflow_id).run_id


def begin(workflow_id):
    """Begin a run as the clients of each release do."""
    api.reset_workflow_status(workflow_id)
    if not NEW:
        status = api.get_workflow_status(workflow_id)
        status.run_id += 1
        api.update_workflow_status(workflow_id, status)
    api.initialize_jobs(workflow_id)
    return run_of(workflow_id)


def result_of(workflow_id, job_id, node, code=0, status=None, attempt=1, run=None):
    return c.ResultModel(
        job_id=job_id, workflow_id=workflow_id, run_id=run_of(workflow_id) if run is None else run,
        attempt_id=attempt, compute_node_id=node, return_code=code, exec_time_minutes=0.5,
        completion_time="2026-01-31T08:00:30.000Z", status=status or ("failed" if code else "completed"),
    )  # fmt: skip


def complete(workflow_id, job_id, node, code=0, status=None, attempt=1):
    result = result_of(workflow_id, job_id, node, code, status, attempt)
    return api.complete_job(job_id, word(result.status), result.run_id, result)


def statuses(workflow_id):
    return {job.name: word(job.status) for job in api.list_jobs(workflow_id).items}


def start_all(workflow_id, node, limit=10):
    """Claim and start what is ready; returns ids by name."""
    claimed = api.claim_next_jobs(workflow_id, limit=limit).jobs or []
    for job in claimed:
        same(word(job.status), "pending")
        api.start_job(job.id, run_of(workflow_id), node)
    return {job.name: job.id for job in claimed}
