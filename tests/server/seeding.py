"""Short ways to store what tests of the wire need; each is asked for as a stranger does."""

MOMENT = "2026-01-31T08:00:00.000Z"
PYTHON = {
    "0.12": {"User-Agent": "OpenAPI-Generator/0.7.0/python"},
    "0.22": {"User-Agent": "OpenAPI-Generator/0.12.0/python"},
    "0.35": {"User-Agent": "OpenAPI-Generator/0.21.0/python"},
}
RUST = {"User-Agent": "OpenAPI-Generator/v0.7.0/rust"}
RUST_NEW = RUST | {"X-Torc-Client-User": "ada"}
CURL = {"User-Agent": "curl/8.5.0"}
OURS = {"User-Agent": "torc/1.0"}


def workflow(server, **more):
    """Store a workflow and return its id."""
    return server.post("/workflows", {"name": "w", "user": "ada", **more})["id"]


def jobs(server, workflow_id, *names, **more):
    """Store jobs in one call and return their ids."""
    made = [{"workflow_id": workflow_id, "name": name, "command": "true", **more} for name in names]
    return [job["id"] for job in server.post("/bulk_jobs", {"jobs": made})["jobs"]]


def ready(server, *names, **more):
    """Store a workflow whose jobs are ready; returns its id and theirs."""
    workflow_id = workflow(server)
    ids = jobs(server, workflow_id, *names, **more)
    server.post(f"/workflows/{workflow_id}/initialize_jobs")
    return workflow_id, ids


def node(server, workflow_id, **more):
    """Store a compute node and return its id."""
    return server.post("/compute_nodes", node_body(workflow_id, **more))["id"]


def node_body(workflow_id, **more):
    """Return a whole compute node."""
    return {
        "workflow_id": workflow_id, "hostname": "h", "pid": 1, "start_time": MOMENT, "num_cpus": 8, "memory_gb": 16.0,
        "num_gpus": 0, "num_nodes": 1, "is_active": True, "compute_node_type": "local", **more,
    }  # fmt: skip


def result(workflow_id, job_id, node_id, **more):
    """Return a whole result."""
    return {
        "workflow_id": workflow_id, "job_id": job_id, "run_id": 0, "compute_node_id": node_id, "return_code": 0,
        "status": "completed", "exec_time_minutes": 0.5, "completion_time": MOMENT, **more,
    }  # fmt: skip


def complete(server, workflow_id, job_id, node_id, **more):
    """Complete a job and return the answer: status and JSON."""
    body = result(workflow_id, job_id, node_id, **more)
    status, _, data = server.ask("POST", f"/jobs/{job_id}/complete_job/{body['status']}/{body['run_id']}", body)
    return status, data
