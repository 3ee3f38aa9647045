"""A whole life of workflows through an official Python client; runs inside that client's own virtual environment.

``python official_life.py URL RELEASE`` carries out every check whose release fits and prints one JSON object: the name
of each check with "ok" or what went wrong. Nothing here knows anything of our code.
"""

import json
import sys
import time
import traceback

import torc.openapi_client as c
from torc.api import make_api
from torc.openapi_client.rest import ApiException

URL, RELEASE = sys.argv[1], sys.argv[2]
OLDEST, OLD, NEW = RELEASE == "0.12", RELEASE == "0.22", RELEASE == "0.35"
CHECKS = {}
api = make_api(URL)
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


# the service


@check()
def ping_and_version():
    found = api.ping()
    same(found["status"] if isinstance(found, dict) else found.status, "ok")
    version = api.get_version()
    assert version["version"] if OLDEST else version.version, version


@check()
def unknown_records_are_404():
    for call in (api.get_workflow, api.get_job, api.get_file, api.get_result, api.get_event, api.get_compute_node):
        same(status_of(call, 999_999), 404)
    same(status_of(new_job, 999_999, "a"), 404)


# workflows


@check()
def workflow_defaults():
    workflow_id = new_workflow("defaults", description="what it is")
    found = api.get_workflow(workflow_id)
    same((found.name, found.user, found.description), ("defaults", "ann", "what it is"))
    same(found.compute_node_wait_for_new_jobs_seconds, 90)
    same(found.compute_node_wait_for_healthy_database_minutes, 20)
    same(found.compute_node_min_time_for_new_jobs_seconds, 300)
    same(found.compute_node_ignore_workflow_completion, False)
    assert found.timestamp.endswith("Z")
    assert len(found.timestamp) == len("2026-01-31T08:00:00.000Z"), found.timestamp
    [needs] = api.list_resource_requirements(workflow_id).items
    same((needs.name, needs.num_cpus, needs.num_gpus, needs.num_nodes, needs.memory), ("default", 1, 0, 1, "1m"))


@check()
def workflow_get_change_put():
    workflow_id = new_workflow("before", description="kept", project="p")
    found = api.get_workflow(workflow_id)
    found.name = "after"
    api.update_workflow(workflow_id, found)
    found = api.get_workflow(workflow_id)
    same((found.name, found.description, found.project, found.user), ("after", "kept", "p", "ann"))


@check()
def workflow_lists():
    mark = f"list{time.time_ns()}"
    ids = [new_workflow(mark, description=f"number {n} of {mark}") for n in range(3)]
    page = api.list_workflows(name=mark)
    same([w.id for w in page.items], ids)
    same((page.count, page.total_count, page.offset, page.has_more), (3, 3, 0, False))
    page = api.list_workflows(name=mark, offset=1, limit=1)
    same(([w.id for w in page.items], page.count, page.total_count, page.has_more), ([ids[1]], 1, 3, True))
    same([w.id for w in api.list_workflows(name=mark, reverse_sort=True).items], ids[::-1])
    same([w.id for w in api.list_workflows(name=mark, sort_by="id", reverse_sort=True).items], ids[::-1])
    same([w.id for w in api.list_workflows(description=f"2 of {mark}").items], [ids[2]])
    same(api.list_workflows(name=mark, user="nobody").items, [])
    page = api.list_workflows(name=mark, limit=0)
    same((page.items, page.has_more, page.total_count), ([], True, 3))
    page = api.list_workflows(name=mark, offset=7)
    same((page.items, page.has_more, page.total_count), ([], False, 3))


@check()
def empty_sort_by_is_no_error():
    mark = f"sort{time.time_ns()}"
    workflow_id = new_workflow(mark)
    same([w.id for w in api.list_workflows(name=mark, sort_by="").items], [workflow_id])


@check()
def a_page_that_is_too_large_is_an_error():
    same(status_of(api.list_workflows, limit=100_001), 422)


@check("0.12", "0.22")
def json_is_text_as_it_was_sent():
    texts = {
        "resource_monitor_config": '{"enabled": true,  "granularity": "summary"}', "slurm_defaults": '{"account":"a"}',
    }  # fmt: skip
    workflow_id = new_workflow("text", metadata='{ "b": 1, "a": [1.0, "x"] }', **texts)
    found = api.get_workflow(workflow_id)
    same(found.metadata, '{ "b": 1, "a": [1.0, "x"] }')
    same({name: getattr(found, name) for name in texts}, texts)
    api.update_workflow(workflow_id, found)
    same(api.get_workflow(workflow_id).metadata, '{ "b": 1, "a": [1.0, "x"] }')
    other = new_workflow("not json", metadata="just words")
    same(api.get_workflow(other).metadata, "just words")
    listed = {w.id: w.metadata for w in api.list_workflows(sort_by="id", reverse_sort=True, limit=2).items}
    same(listed, {workflow_id: '{ "b": 1, "a": [1.0, "x"] }', other: "just words"})


@check("0.35")
def json_is_an_object():
    workflow_id = new_workflow("object", metadata={"b": 1, "a": [1.0, "x"]}, env={"A": "1"})
    found = api.get_workflow(workflow_id)
    same((found.metadata, found.env), ({"b": 1, "a": [1.0, "x"]}, {"A": "1"}))
    same((found.run_id, found.is_canceled, found.is_archived), (0, False, False))
    same(status_of(new_workflow, "bad env", env={"1A": "x"}), 422)


@check("0.35")
def workflows_of_every_client_can_be_read():
    api.list_workflows()  # strict models: one record of the wrong form would spoil the page


@check("0.12", "0.22")
def workflows_of_every_client_can_be_read_by_old_ones():
    api.list_workflows()


@check()
def deletion_takes_everything_along():
    workflow_id = new_workflow("gone")
    job = new_job(workflow_id, "a")
    file = api.create_file(c.FileModel(workflow_id=workflow_id, name="f", path="f"))
    same(api.delete_workflow(workflow_id).id, workflow_id)
    for call, id in ((api.get_workflow, workflow_id), (api.get_job, job.id), (api.get_file, file.id)):
        same(status_of(call, id), 404)


# parts


@check()
def files():
    workflow_id = new_workflow()
    one = api.create_file(c.FileModel(workflow_id=workflow_id, name="one", path="data/one.txt", st_mtime=5.5))
    two = api.create_file(c.FileModel(workflow_id=workflow_id, name="two", path="data/two.txt"))
    same((api.get_file(one.id).st_mtime, two.st_mtime), (5.5, None))
    writer = new_job(workflow_id, "writer", output_file_ids=[two.id])
    new_job(workflow_id, "reader", input_file_ids=[one.id, two.id])
    same([f.id for f in api.list_files(workflow_id, name="two").items], [two.id])
    same([f.id for f in api.list_files(workflow_id, path="data/one.txt").items], [one.id])
    same([f.id for f in api.list_files(workflow_id, produced_by_job_id=writer.id).items], [two.id])
    same([f.id for f in api.list_files(workflow_id, is_output=False).items], [one.id])
    same([f.id for f in api.list_files(workflow_id, is_output=True).items], [two.id])
    one.st_mtime = None
    same(api.update_file(one.id, one).st_mtime, None)
    same(api.get_file(one.id).st_mtime, None)
    rows = api.list_job_file_relationships(workflow_id).items
    same(
        [(r.file_id, r.producer_job_name, r.consumer_job_name) for r in rows],
        [(one.id, None, "reader"), (two.id, "writer", "reader")],
    )
    api.delete_file(one.id)
    gone = api.delete_files(workflow_id)
    if not OLDEST:
        same(gone.count, 1)


@check()
def user_data():
    workflow_id = new_workflow()
    job = new_job(workflow_id, "a")
    made = {}
    for name, data in (("object", {"a": 1}), ("none", None)):
        made[name] = api.create_user_data(c.UserDataModel(workflow_id=workflow_id, name=name, data=data))
        same(api.get_user_data(made[name].id).data, data)
    used = api.create_user_data(
        c.UserDataModel(workflow_id=workflow_id, name="used", is_ephemeral=True), consumer_job_id=job.id
    )
    same(api.get_job(job.id).input_user_data_ids, [used.id])
    same([d.id for d in api.list_user_data(workflow_id, consumer_job_id=job.id).items], [used.id])
    same([d.id for d in api.list_user_data(workflow_id, is_ephemeral=True).items], [used.id])
    same([d.name for d in api.list_user_data(workflow_id, name="obj").items], ["object"])
    same(api.list_missing_user_data(workflow_id).user_data, [used.id])
    used.data = {"now": True}
    api.update_user_data(used.id, used)
    used.data = None
    api.update_user_data(used.id, used)  # null: unchanged
    same(api.get_user_data(used.id).data, {"now": True})
    api.create_user_data(c.UserDataModel(workflow_id=workflow_id, name="used"))  # names may repeat
    [row] = api.list_job_user_data_relationships(workflow_id).items
    same((row.user_data_name, row.consumer_job_name), ("used", "a"))
    api.delete_user_data(made["none"].id)
    api.delete_all_user_data(workflow_id)
    same(api.list_user_data(workflow_id).items, [])


@check("0.22", "0.35")
def user_data_of_any_kind():
    workflow_id = new_workflow()
    for data in (7, 1.5, "text", [1, "a", None], True, {"deep": [{"er": {}}]}):
        made = api.create_user_data(c.UserDataModel(workflow_id=workflow_id, name=repr(data), data=data))
        same(api.get_user_data(made.id).data, data)
    same(len(api.list_user_data(workflow_id).items), 6)


@check()
def requirements():
    workflow_id = new_workflow()
    fields = {"num_cpus": 4, "num_gpus": 1, "num_nodes": 1, "memory": "8g", "runtime": "PT30M"}
    made = api.create_resource_requirements(c.ResourceRequirementsModel(workflow_id=workflow_id, name="big", **fields))
    same((made.name, made.memory, made.runtime, made.num_cpus, made.num_gpus), ("big", "8g", "PT30M", 4, 1))
    job = new_job(workflow_id, "a", resource_requirements_id=made.id)
    same([r.id for r in api.list_resource_requirements(workflow_id, job_id=job.id).items], [made.id])
    same([r.id for r in api.list_resource_requirements(workflow_id, runtime=1800).items], [made.id])
    same([r.id for r in api.list_resource_requirements(workflow_id, num_gpus=1).items], [made.id])
    same([r.id for r in api.list_resource_requirements(workflow_id, memory="8g", num_cpus=4).items], [made.id])
    made.memory = "16g"
    same(api.update_resource_requirements(made.id, made).memory, "16g")
    assert any(e.data.get("action") == "update_resource_requirements" for e in api.list_events(workflow_id).items), (
        "no event"
    )
    for bad in ({"memory": "8gb"}, {"runtime": "pt5m"}, {"num_nodes": 0}):
        model = c.ResourceRequirementsModel(workflow_id=workflow_id, name="bad", **{**fields, **bad})
        same(status_of(api.create_resource_requirements, model), 422)
    same(status_of(api.delete_resource_requirement, made.id), 422)  # the job needs it
    spare = api.create_resource_requirements(
        c.ResourceRequirementsModel(workflow_id=workflow_id, name="spare", **fields)
    )
    same(api.delete_resource_requirement(spare.id).name, "spare")


@check()
def schedulers():
    workflow_id = new_workflow()
    slurm = api.create_slurm_scheduler(
        c.SlurmSchedulerModel(
            workflow_id=workflow_id, name="s", account="acc", nodes=2, walltime="04:00:00", partition="short"
        )
    )
    slurm.qos = "high"
    same(api.update_slurm_scheduler(slurm.id, slurm).qos, "high")
    same([(s.name, s.walltime, s.nodes) for s in api.list_slurm_schedulers(workflow_id).items], [("s", "04:00:00", 2)])
    local = api.create_local_scheduler(
        c.LocalSchedulerModel(workflow_id=workflow_id, name="l", memory="10g", num_cpus=4)
    )
    same(api.get_local_scheduler(local.id).memory, "10g")
    same([s.id for s in api.list_local_schedulers(workflow_id).items], [local.id])
    node = api.create_scheduled_compute_node(
        c.ScheduledComputeNodesModel(
            workflow_id=workflow_id, scheduler_id=777, scheduler_config_id=slurm.id, scheduler_type="slurm",
            status="pending",
        )
    )  # fmt: skip
    same([n.id for n in api.list_scheduled_compute_nodes(workflow_id, scheduler_id="777").items], [node.id])
    same(api.list_scheduled_compute_nodes(workflow_id, scheduler_id="word").items, [])
    same([n.id for n in api.list_scheduled_compute_nodes(workflow_id, status="pending").items], [node.id])
    node.status = "complete"
    same(api.update_scheduled_compute_node(node.id, node).status, "complete")
    same(api.get_scheduled_compute_node(node.id).scheduler_id, 777)
    api.delete_scheduled_compute_node(node.id)
    api.delete_scheduled_compute_nodes(workflow_id)
    api.delete_slurm_scheduler(slurm.id)
    gone = api.delete_slurm_schedulers(workflow_id)
    if not OLDEST:
        same(gone.count, 0)
    api.delete_local_scheduler(local.id)
    api.delete_local_schedulers(workflow_id)


@check()
def compute_nodes():
    workflow_id = new_workflow()
    node = new_node(workflow_id, scheduler={"scheduler_id": 5, "type": "slurm", "slurm_job_id": "1"})
    other = new_node(workflow_id, "n2")
    found = api.get_compute_node(node)
    same((found.hostname, found.memory_gb, found.is_active), ("n1", 16.0, True))
    same(found.scheduler, {"scheduler_id": 5, "type": "slurm", "slurm_job_id": "1"})
    same([n.id for n in api.list_compute_nodes(workflow_id, hostname="n2").items], [other])
    same([n.id for n in api.list_compute_nodes(workflow_id, scheduled_compute_node_id=5).items], [node])
    found.is_active, found.duration_seconds = False, 12.5
    same(api.update_compute_node(node, found).duration_seconds, 12.5)
    same([n.id for n in api.list_compute_nodes(workflow_id, is_active=True).items], [other])
    api.delete_compute_node(other)
    gone = api.delete_compute_nodes(workflow_id)
    if not OLDEST:
        same(gone.count, 1)


@check()
def events():
    workflow_id = new_workflow()
    before = int(time.time() * 1000) - 1
    made = api.create_event(c.EventModel(workflow_id=workflow_id, timestamp=1, data={"category": "mine", "x": 1}))
    assert made.timestamp > before, made.timestamp
    api.create_event(c.EventModel(workflow_id=workflow_id, timestamp=1, data={"category": "other"}))
    same(len(api.list_events(workflow_id, after_timestamp=before).items), 2)
    same(api.list_events(workflow_id, after_timestamp=before + 10**9).items, [])
    same([e.id for e in api.list_events(workflow_id, category="mine").items], [made.id])
    new = {"category": "mine", "x": 2}
    if OLDEST:
        made.data = new
        api.update_event(made.id, made)
    else:
        same(api.update_event(made.id, new).data, new)
        same(api.get_event(made.id).data, new)
    api.delete_event(made.id)
    api.delete_events(workflow_id)
    same(api.list_events(workflow_id).items, [])


@check()
def failure_handlers():
    workflow_id = new_workflow()
    rules = '[{"exit_codes": [1, 2],  "max_retries": 3}]'
    made = api.create_failure_handler(c.FailureHandlerModel(workflow_id=workflow_id, name="h", rules=rules))
    same((made.name, made.rules), ("h", rules))
    same(api.get_failure_handler(made.id).rules, rules)
    api.create_failure_handler(c.FailureHandlerModel(workflow_id=workflow_id, name="h", rules="[]"))  # may repeat
    same([h.rules for h in api.list_failure_handlers(workflow_id).items], [rules, "[]"])
    job = new_job(workflow_id, "a", failure_handler_id=made.id)
    same(api.delete_failure_handler(made.id).name, "h")
    same(api.get_job(job.id).failure_handler_id, None)


@check()
def remote_workers():
    workflow_id = new_workflow()
    names = ["ann@host1:22", "host 2/a"]
    made = api.create_remote_workers(workflow_id, [*names, names[0]])
    same([w.worker for w in made], names)
    same([w.worker for w in api.create_remote_workers(workflow_id, [names[1], "third"])], [names[1], "third"])
    same([w.worker for w in api.list_remote_workers(workflow_id)], [*names, "third"])
    same(api.delete_remote_worker(workflow_id, "host 2/a").worker, "host 2/a")
    same(status_of(api.delete_remote_worker, workflow_id, "host 2/a"), 404)
    same(api.create_remote_workers(workflow_id, []), [])


@check("0.22", "0.35")
def ro_crate_entities():
    workflow_id = new_workflow()
    metadata = {"name": "x"} if NEW else '{"name":  "x"}'
    made = api.create_ro_crate_entity(
        c.RoCrateEntityModel(workflow_id=workflow_id, entity_id="#a", entity_type="Dataset", metadata=metadata)
    )
    same(api.get_ro_crate_entity(made.id).metadata, metadata)
    made.entity_type = "File"
    same(api.update_ro_crate_entity(made.id, made).entity_type, "File")
    same([e.entity_id for e in api.list_ro_crate_entities(workflow_id).items], ["#a"])
    assert api.delete_ro_crate_entity(made.id).message
    same(api.delete_ro_crate_entities(workflow_id).deleted_count, 0)


@check("0.22", "0.35")
def slurm_stats():
    workflow_id = new_workflow()
    job = new_job(workflow_id, "a")
    made = api.create_slurm_stats(
        c.SlurmStatsModel(workflow_id=workflow_id, job_id=job.id, run_id=1, attempt_id=1, max_rss_bytes=5)
    )
    same([s.id for s in api.list_slurm_stats(workflow_id, job_id=job.id).items], [made.id])
    same(api.list_slurm_stats(workflow_id, run_id=2).items, [])


# jobs


@check()
def jobs_single():
    workflow_id = new_workflow()
    first = new_job(workflow_id, "first", "echo 1", status="completed", cancel_on_blocking_job_failure=False)
    second = new_job(workflow_id, "second", depends_on_job_ids=[first.id], supports_termination=True)
    same((word(first.status), first.cancel_on_blocking_job_failure), ("uninitialized", False))
    found = api.get_job(second.id)
    same((found.depends_on_job_ids, found.supports_termination, found.attempt_id), ([first.id], True, 1))
    same((found.input_file_ids, found.scheduler_id, found.failure_handler_id), (None, None, None))
    assert found.resource_requirements_id
    new_job(workflow_id, "first")  # names may repeat
    same(api.list_job_ids(workflow_id).count, 3)
    for bad in ({"depends_on_job_ids": [10**6]}, {"input_file_ids": [10**6]}, {"resource_requirements_id": 10**6}):
        same(status_of(new_job, workflow_id, "bad", **bad), 422)
    same(api.list_job_ids(workflow_id).count, 3)
    listed = api.list_jobs(workflow_id).items
    same([j.depends_on_job_ids for j in listed], [None, None, None])
    listed = api.list_jobs(workflow_id, include_relationships=True).items
    same([j.depends_on_job_ids for j in listed], [None, [first.id], None])
    same([j.id for j in api.list_jobs(workflow_id, upstream_job_id=first.id).items], [second.id])
    same(len(api.list_jobs(workflow_id, status="uninitialized").items), 3)
    same([j.name for j in api.list_jobs(workflow_id, sort_by="name", limit=2).items], ["first", "first"])
    same(api.delete_job(second.id).name, "second")
    gone = api.delete_jobs(workflow_id)
    if not OLDEST:
        same(gone.count, 2)


@check()
def jobs_bulk():
    workflow_id = new_workflow()
    file = api.create_file(c.FileModel(workflow_id=workflow_id, name="f", path="f"))
    jobs = [
        c.JobModel(workflow_id=workflow_id, name=f"j{n}", command=f"echo {n}", input_file_ids=[file.id])
        for n in range(50)
    ]
    made = api.create_jobs(c.JobsModel(jobs=jobs)).jobs
    same([j.name for j in made], [f"j{n}" for n in range(50)])
    same([j.id for j in made], sorted(j.id for j in made))
    same(len(api.list_jobs(workflow_id, needs_file_id=file.id).items), 50)
    other = new_workflow()
    mixed = [c.JobModel(workflow_id=w, name="x", command="true") for w in (workflow_id, other)]
    same(status_of(api.create_jobs, c.JobsModel(jobs=mixed)), 422)
    bad = [*jobs[:2], c.JobModel(workflow_id=workflow_id, name="z", command="true", depends_on_job_ids=[10**6])]
    same(status_of(api.create_jobs, c.JobsModel(jobs=bad)), 422)
    same(api.list_job_ids(workflow_id).count, 50)  # all or nothing
    twice = c.JobsModel(jobs=[c.JobModel(workflow_id=other, name="same", command="true") for _ in range(2)])
    if NEW:
        same(status_of(api.create_jobs, twice), 422)
        same(status_of(api.create_jobs, c.JobsModel(jobs=[])), 422)
    else:
        same(len(api.create_jobs(twice).jobs), 2)
        same(api.create_jobs(c.JobsModel(jobs=[])).jobs, [])


@check()
def job_updates():
    workflow_id = new_workflow()
    job = new_job(workflow_id, "a")
    other = new_job(workflow_id, "b")
    job.command, job.depends_on_job_ids = "echo changed", [other.id]
    api.update_job(job.id, job)
    found = api.get_job(job.id)
    same((found.command, found.depends_on_job_ids, found.name), ("echo changed", [other.id], "a"))
    found.depends_on_job_ids = []
    api.update_job(job.id, found)
    same(api.get_job(job.id).depends_on_job_ids, None)
    begin(workflow_id)
    found = api.get_job(job.id)
    api.update_job(job.id, found)  # unchanged values are fine
    found.command = "echo too late"
    same(status_of(api.update_job, job.id, found), 422)
    found = api.get_job(job.id)
    found.status = "completed"
    same(status_of(api.update_job, job.id, found), 422)
    third = new_job(workflow_id, "c")
    third.status = "disabled"
    same(word(api.update_job(third.id, third).status), "disabled")


# runs


def diamond():
    """Top writes a file that left and right read; bottom waits for both."""
    workflow_id = new_workflow("diamond")
    file = api.create_file(c.FileModel(workflow_id=workflow_id, name="f", path="f.txt"))
    top = new_job(workflow_id, "top", output_file_ids=[file.id])
    left = new_job(workflow_id, "left", input_file_ids=[file.id])
    right = new_job(workflow_id, "right", input_file_ids=[file.id])
    new_job(workflow_id, "bottom", depends_on_job_ids=[left.id, right.id])
    return workflow_id, {"file": file.id, "top": top.id, "left": left.id, "right": right.id}


@check()
def a_whole_run():
    workflow_id, ids = diamond()
    assert api.is_workflow_uninitialized(workflow_id).is_uninitialized
    node = new_node(workflow_id)
    same(begin(workflow_id), 1)
    same(statuses(workflow_id), {"top": "ready", "left": "blocked", "right": "blocked", "bottom": "blocked"})
    assert not api.is_workflow_uninitialized(workflow_id).is_uninitialized
    edges = [(e.job_name, e.depends_on_job_name) for e in api.list_job_dependencies(workflow_id).items]
    same(sorted(edges), [("bottom", "left"), ("bottom", "right"), ("left", "top"), ("right", "top")])
    same(list(start_all(workflow_id, node)), ["top"])
    same(word(api.get_job(ids["top"]).status), "running")
    same([j.id for j in api.list_jobs(workflow_id, active_compute_node_id=node).items], [ids["top"]])
    same(api.claim_next_jobs(workflow_id).jobs, [])
    same(word(complete(workflow_id, ids["top"], node).status), "completed")
    same(statuses(workflow_id)["left"], "ready")  # at once
    assert api.list_required_existing_files.__name__
    if not OLDEST:
        same(api.list_required_existing_files(workflow_id).files, [ids["file"]])
    for id in start_all(workflow_id, node).values():
        complete(workflow_id, id, node)
    for id in start_all(workflow_id, node).values():
        complete(workflow_id, id, node)
    found = api.is_workflow_complete(workflow_id)
    same((found.is_complete, found.is_canceled), (True, False))
    results = api.list_results(workflow_id).items
    same(
        sorted((r.job_id, r.return_code, r.run_id, word(r.status)) for r in results)[0], (ids["top"], 0, 1, "completed")
    )
    same(len(results), 4)
    same(api.get_result(results[0].id).exec_time_minutes, 0.5)
    same(len(api.list_results(workflow_id, return_code=0, status="completed", compute_node_id=node).items), 4)
    same([r.job_id for r in api.list_results(workflow_id, job_id=ids["left"], run_id=1).items], [ids["left"]])


@check()
def a_failure_cancels_what_follows():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    begin(workflow_id)
    start_all(workflow_id, node)
    complete(workflow_id, ids["top"], node)
    start_all(workflow_id, node)
    complete(workflow_id, ids["left"], node, code=3)
    complete(workflow_id, ids["right"], node)
    same(statuses(workflow_id)["bottom"], "canceled")
    assert api.is_workflow_complete(workflow_id).is_complete


@check()
def completions_that_are_refused():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    run = begin(workflow_id)
    start_all(workflow_id, node)
    good = result_of(workflow_id, ids["top"], node)
    same(status_of(api.complete_job, ids["top"], "completed", run + 5, good), 422)
    same(status_of(api.complete_job, ids["top"], "ready", run, good), 422)
    same(status_of(api.complete_job, ids["top"], "completed", run, result_of(workflow_id, ids["left"], node)), 422)
    same(status_of(api.complete_job, ids["top"], "completed", run, result_of(workflow_id, ids["top"], 10**6)), 422)
    same(api.list_results(workflow_id).items, [])
    same(word(api.get_job(ids["top"]).status), "running")
    api.complete_job(ids["top"], "completed", run, good)
    same(status_of(api.complete_job, ids["top"], "completed", run, good), 422)
    same(status_of(api.start_job, ids["left"], run, node), 422)  # not pending
    same(status_of(api.complete_job, 10**6, "completed", run, result_of(workflow_id, 10**6, node)), 404)


@check()
def claims_by_resources():
    workflow_id = new_workflow()
    needs = {
        name: api.create_resource_requirements(
            c.ResourceRequirementsModel(
                workflow_id=workflow_id, name=name, num_cpus=cpus, memory=memory, runtime=runtime, num_gpus=0,
                num_nodes=1,
            )
        ).id
        for name, cpus, memory, runtime in (
            ("small", 1, "1g", "PT5M"),
            ("wide", 4, "2g", "PT5M"),
            ("long", 1, "1g", "PT5H"),
        )
    }  # fmt: skip
    ids = {
        name: new_job(workflow_id, name, resource_requirements_id=needs[name.rstrip("0123456789")]).id
        for name in ("small1", "small2", "wide1", "wide2", "long1")
    }
    begin(workflow_id)
    totals = api.get_ready_job_requirements(workflow_id)
    same((totals.num_jobs, totals.num_cpus, totals.memory_gb, totals.max_runtime), (5, 11, 7.0, "PT5H"))
    resources = {"num_cpus": 5, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1, "time_limit": "PT1H"}

    def claim(limit=10, **more):
        arguments = (workflow_id, limit, c.ComputeNodesResources(**{**resources, **more}))
        if OLDEST:
            found = api.claim_jobs_based_on_resources(*arguments, sort_method="gpus_runtime_memory")
        else:
            found = api.claim_jobs_based_on_resources(*arguments)
        return sorted(job.name for job in found.jobs)

    same(status_of(claim, time_limit="soon"), 422)
    first = claim()
    assert "long1" not in first, first
    cpus = sum(4 if name.startswith("wide") else 1 for name in first)
    assert cpus <= 5, first
    assert cpus == 5, first  # a wide one and a small one fit
    second = claim(time_limit="PT6H", num_cpus=2)
    same(len(second), 2)
    assert not set(first) & set(second)
    same(word(api.get_job(ids[first[0]]).status), "pending")


@check()
def retries_and_status_changes():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    run = begin(workflow_id)
    start_all(workflow_id, node)
    if not OLDEST:  # which cannot say how many attempts there are
        found = api.retry_job(ids["top"], run, 3)
        same((word(found.status), found.attempt_id), ("ready", 2))
        same(status_of(api.retry_job, ids["top"], run, 3), 422)  # it is ready
        start_all(workflow_id, node)
        complete(workflow_id, ids["top"], node, code=1, attempt=2)
        same(status_of(api.retry_job, ids["top"], run, 2), 422)  # no attempts left
        same(status_of(api.retry_job, ids["top"], run + 1, 5), 422)
        same(api.retry_job(ids["top"], run, 5).attempt_id, 3)
        assert any(e.data.get("event_type") == "job_retried" for e in api.list_events(workflow_id).items)
    found = api.manage_status_change(ids["top"], "blocked", run)
    same(word(found.status), "blocked")
    same(word(api.manage_status_change(ids["top"], "blocked", run + 9).status), "blocked")  # nothing to do
    same(status_of(api.manage_status_change, ids["top"], "ready", run + 9), 422)
    same(status_of(api.manage_status_change, ids["top"], "completed", run), 422)


@check()
def cancel_reset_and_run_again():
    workflow_id, _ = diamond()
    node = new_node(workflow_id)
    begin(workflow_id)
    start_all(workflow_id, node)
    api.cancel_workflow(workflow_id)
    api.cancel_workflow(workflow_id)
    same(statuses(workflow_id)["top"], "canceled")
    found = api.is_workflow_complete(workflow_id)
    same((found.is_complete, found.is_canceled), (True, True))
    same(api.claim_next_jobs(workflow_id).jobs, [])
    assert any(e.data.get("category") == "workflow_canceled" for e in api.list_events(workflow_id).items)
    found = api.reset_job_status(workflow_id)
    same((found.updated_count, found.status, found.reset_type), (4, "uninitialized", None))
    before = run_of(workflow_id)
    run = begin(workflow_id)
    assert run > before
    same(statuses(workflow_id)["top"], "ready")
    start_all(workflow_id, node)
    same(status_of(api.reset_workflow_status, workflow_id), 422)  # something runs
    api.reset_workflow_status(workflow_id, force=True)


@check()
def failed_jobs_are_reset_with_what_follows():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    begin(workflow_id)
    start_all(workflow_id, node)
    complete(workflow_id, ids["top"], node, code=1)
    same(statuses(workflow_id), {"top": "failed", "left": "canceled", "right": "canceled", "bottom": "canceled"})
    found = api.reset_job_status(workflow_id, failed_only=True)
    same((found.updated_count, found.reset_type), (4, "failed_only"))
    same(set(statuses(workflow_id).values()), {"uninitialized"})


@check()
def changed_inputs_run_again():
    workflow_id = new_workflow()
    data = api.create_user_data(c.UserDataModel(workflow_id=workflow_id, name="d", data={"v": 1}))
    job = new_job(workflow_id, "a", input_user_data_ids=[data.id])
    after = new_job(workflow_id, "b", depends_on_job_ids=[job.id])
    node = new_node(workflow_id)
    begin(workflow_id)
    for _ in range(2):
        for id in start_all(workflow_id, node).values():
            complete(workflow_id, id, node)
    same(api.process_changed_job_inputs(workflow_id).reinitialized_jobs, [])
    data.data = {"v": 2}
    api.update_user_data(data.id, data)
    same(api.process_changed_job_inputs(workflow_id, dry_run=True).reinitialized_jobs, ["a"])
    same(statuses(workflow_id)["a"], "completed")
    same(api.process_changed_job_inputs(workflow_id).reinitialized_jobs, ["a"])
    if not NEW:
        status = api.get_workflow_status(workflow_id)
        status.run_id += 1
        api.update_workflow_status(workflow_id, status)
    api.reset_workflow_status(workflow_id)
    api.initialize_jobs(workflow_id, only_uninitialized=True)
    same(statuses(workflow_id), {"a": "ready", "b": "blocked"})
    for _ in range(2):
        for id in start_all(workflow_id, node).values():
            complete(workflow_id, id, node)
    same(len(api.list_results(workflow_id).items), 2)
    same(len(api.list_results(workflow_id, all_runs=True).items), 4)
    same({r.job_id for r in api.list_results(workflow_id).items}, {job.id, after.id})


@check()
def the_status_record():
    workflow_id, _ = diamond()
    if NEW:
        found = api.get_workflow_status(workflow_id)
        same((found.workflow_id, found.total_jobs, found.is_canceled), (workflow_id, 4, False))
        same((found.jobs_by_status.uninitialized, found.jobs_by_status.ready), (4, 0))
        same((found.workflow_name, found.workflow_user), ("diamond", "ann"))
    else:
        found = api.get_workflow_status(workflow_id)
        same((found.run_id, found.is_canceled, found.is_archived), (0, False, False))
        found.run_id = 7
        same(api.update_workflow_status(workflow_id, found).run_id, 7)
        same(api.get_workflow_status(workflow_id).run_id, 7)


@check()
def results_made_by_hand():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    made = api.create_result(result_of(workflow_id, ids["top"], node, code=9, run=1))
    same([r.id for r in api.list_results(workflow_id).items], [made.id])
    assert status_of(api.create_result, result_of(workflow_id, ids["top"], node, run=1)) in (409, 422)
    made.return_code = 8
    same(api.update_result(made.id, made).return_code, 8)
    api.delete_result(made.id)
    api.delete_results(workflow_id)


# actions


@check()
def actions():
    workflow_id, ids = diamond()
    made = api.create_workflow_action(
        workflow_id,
        c.WorkflowActionModel(
            workflow_id=workflow_id, trigger_type="on_jobs_complete", action_type="run_commands",
            action_config={"commands": ["echo done"]}, job_ids=[ids["top"]],
        ),
    )  # fmt: skip
    same([a.id for a in api.get_workflow_actions(workflow_id)], [made.id])
    start = api.create_workflow_action(
        workflow_id,
        c.WorkflowActionModel(
            workflow_id=workflow_id, trigger_type="on_workflow_start", action_type="run_commands",
            action_config={"commands": ["echo begun"]},
        ),
    )  # fmt: skip
    bad = c.WorkflowActionModel(
        workflow_id=workflow_id, trigger_type="on_workflow_start", action_type="run_commands", action_config={}
    )
    same(status_of(api.create_workflow_action, workflow_id, bad), 422)
    node = new_node(workflow_id)
    begin(workflow_id)
    same([a.id for a in api.get_pending_actions(workflow_id, trigger_type=["on_workflow_start"])], [start.id])
    same(api.get_pending_actions(workflow_id, trigger_type=["on_jobs_complete", "nonsense"]), [])
    found = api.claim_action(workflow_id, start.id, c.ClaimActionRequest(compute_node_id=node))
    assert found.success, found
    same(status_of(api.claim_action, workflow_id, start.id, c.ClaimActionRequest(compute_node_id=node)), 409)
    same(status_of(api.claim_action, workflow_id, 10**6, c.ClaimActionRequest(compute_node_id=node)), 404)
    start_all(workflow_id, node)
    complete(workflow_id, ids["top"], node)
    same([a.id for a in api.get_pending_actions(workflow_id)], [made.id])


# groups


@check()
def access_groups():
    name = f"group{time.time_ns()}"
    group = api.create_access_group(c.AccessGroupModel(name=name, description="who"))
    same(status_of(api.create_access_group, c.AccessGroupModel(name=name)), 409)
    assert name in [g.name for g in api.list_access_groups(limit=100_000).items]
    same(api.get_access_group(group.id).description, "who")
    member = c.UserGroupMembershipModel(group_id=group.id, user_name="bob", role="member")
    same(api.add_user_to_group(group.id, member).user_name, "bob")
    same(status_of(api.add_user_to_group, group.id, member), 409)
    page = api.list_group_members(group.id)
    same(([m.user_name for m in page.items], page.total_count, page.has_more), (["bob"], 1, False))
    assert page.limit, page
    same([g.id for g in api.list_user_groups("bob").items if g.name == name], [group.id])
    workflow_id = new_workflow()
    if not OLDEST:  # which posts to a path that never was
        same(api.add_workflow_to_group(workflow_id, group.id).group_id, group.id)
        same(status_of(api.add_workflow_to_group, workflow_id, group.id), 409)
        same([g.id for g in api.list_workflow_groups(workflow_id).items], [group.id])
        same(api.check_workflow_access(workflow_id, "bob").has_access, True)
        same(api.check_workflow_access(workflow_id, "eve").has_access, False)
        api.remove_workflow_from_group(workflow_id, group.id)
        same(api.check_workflow_access(workflow_id, "bob").has_access, False)
    api.remove_user_from_group(group.id, "bob")
    same(status_of(api.remove_user_from_group, group.id, "bob"), 404)
    same(api.delete_access_group(group.id).name, name)


# what only 0.35 has


@check("0.35")
def bulk_files_and_data():
    workflow_id = new_workflow()
    files = [c.FileModel(workflow_id=workflow_id, name=f"f{n}", path=f"p{n}") for n in range(3)]
    same([f.name for f in api.create_files(c.FilesModel(files=files)).files], ["f0", "f1", "f2"])
    same(status_of(api.create_files, c.FilesModel(files=[])), 422)
    same(status_of(api.create_files, c.FilesModel(files=[files[0], files[0]])), 422)
    data = [c.UserDataModel(workflow_id=workflow_id, name=f"d{n}", data=n) for n in range(3)]
    same([d.data for d in api.create_user_data_list(c.UserDataListModel(user_data=data)).user_data], [0, 1, 2])
    same([f.name for f in api.list_files(workflow_id, path="p1").items], ["f1"])


@check("0.35")
def archive():
    workflow_id = new_workflow()
    same(api.archive_workflow(workflow_id, c.ArchiveWorkflowRequest(is_archived=True)).is_archived, True)
    assert workflow_id in [w.id for w in api.list_workflows(is_archived=True).items]
    same(status_of(api.reset_workflow_status, workflow_id, force=True), 422)
    same(api.archive_workflow(workflow_id, c.ArchiveWorkflowRequest(is_archived=False)).is_archived, False)


@check("0.35")
def batches():
    workflow_id, ids = diamond()
    node = new_node(workflow_id)
    run = begin(workflow_id)
    start_all(workflow_id, node)
    [running] = api.get_running_jobs(workflow_id).items
    same((running.job_name, running.compute_node_name, running.scheduler_type), ("top", "n1", "local"))
    entries = [
        c.JobCompletionEntry(job_id=id, status="completed", run_id=run, result=result_of(workflow_id, id, node))
        for id in (ids["top"], 10**6, ids["top"])
    ]
    found = api.batch_complete_jobs(workflow_id, c.BatchCompleteJobsRequest(completions=entries))
    same(found.completed, [ids["top"]])
    same([e.job_id for e in found.errors], [10**6, ids["top"]])
    same(statuses(workflow_id)["left"], "ready")
    same([r.job_name for r in api.list_results(workflow_id).items], ["top"])
    found = api.batch_complete_jobs(workflow_id, c.BatchCompleteJobsRequest(completions=[]))
    same((found.completed, found.errors), ([], []))


@check("0.35")
def correlations():
    workflow_id, ids = diamond()
    slurm = api.create_scheduled_compute_node(
        c.ScheduledComputeNodesModel(
            workflow_id=workflow_id, scheduler_id=4711, scheduler_config_id=1, scheduler_type="slurm", status="active"
        )
    )
    node = new_node(workflow_id, scheduler={"scheduler_id": slurm.id}, compute_node_type="slurm")
    begin_forced = api.reset_workflow_status(workflow_id, force=True)
    assert begin_forced is not None
    api.initialize_jobs(workflow_id)
    start_all(workflow_id, node)
    same([j.scheduler_job_id for j in api.get_running_jobs(workflow_id).items], ["4711"])
    complete(workflow_id, ids["top"], node)
    same([(x.job_name, x.slurm_job_id) for x in api.get_slurm_job_correlations(workflow_id).items], [("top", "4711")])


@check("0.35")
def spawned_jobs():
    workflow_id = new_workflow()
    caller = new_job(workflow_id, "caller")
    node = new_node(workflow_id)
    begin(workflow_id)
    request = c.SpawnJobsRequest(
        jobs=[c.SpawnJobModel(name="s1", command="true"), c.SpawnJobModel(name="s2", command="true", depends_on=["s1"])]
    )
    same(status_of(api.spawn_jobs, caller.id, request), 422)  # it does not run
    start_all(workflow_id, node)
    found = api.spawn_jobs(caller.id, request)
    same((len(found.spawned_job_ids), found.iteration), (2, 1))
    same(api.spawn_jobs(caller.id, request).spawned_job_ids, found.spawned_job_ids)  # a replay
    same([api.get_job(id).origin for id in found.spawned_job_ids], ["spawn", "spawn"])
    same(sorted(j.name for j in api.list_jobs(workflow_id, origin_is_set=True).items), ["s1", "s2"])
    same(statuses(workflow_id), {"caller": "running", "s1": "blocked", "s2": "blocked"})
    complete(workflow_id, caller.id, node)
    same(statuses(workflow_id)["s1"], "ready")


@check("0.35")
def initialization_as_a_task():
    workflow_id, _ = diamond()
    api.reset_workflow_status(workflow_id)
    task = api.initialize_jobs(workflow_id, var_async=True)
    id = task["id"] if isinstance(task, dict) else task.id
    deadline = time.time() + 60
    while word(tasks.get_task(id).status) in ("queued", "running"):
        assert time.time() < deadline
    same(word(tasks.get_task(id).status), "succeeded")
    same(api.get_active_task_for_workflow(workflow_id).task, None)
    same(statuses(workflow_id)["top"], "ready")
    same(status_of(tasks.get_task, 10**6), 404)


@check("0.35")
def names_and_commands_are_found_by_a_part():
    workflow_id = new_workflow()
    new_job(workflow_id, "Train_A", "python train.py")
    new_job(workflow_id, "eval_a", "python eval.py")
    same([j.name for j in api.list_jobs(workflow_id, name="train").items], ["Train_A"])
    same([j.name for j in api.list_jobs(workflow_id, command="eval.py").items], ["eval_a"])
    same(len(api.list_jobs(workflow_id, name="%").items), 0)


def main():
    outcome = {}
    for name, function in CHECKS.items():
        try:
            function()
            outcome[name] = "ok"
        except Exception:
            outcome[name] = traceback.format_exc()
    print(json.dumps(outcome))


main()
