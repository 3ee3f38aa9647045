"""Workflows, files, data and everything else that is stored, through the official client."""

import time

import torc.openapi_client as c
from kit import NEW, OLDEST, api, check, new_job, new_node, new_workflow, same, status_of

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
