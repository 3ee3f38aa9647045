"""What only the newest official client has."""

import time

import torc.openapi_client as c
from kit import (
    api,
    begin,
    check,
    complete,
    new_job,
    new_node,
    new_workflow,
    result_of,
    same,
    start_all,
    status_of,
    statuses,
    tasks,
    word,
)
from runs import diamond


@check("0.35")
def bulk_files_and_data():
    workflow_id = new_workflow()
    files = [c.FileModel(workflow_id=workflow_id, name=f"f{n}", path=f"p{n}") for n in range(3)]
    same([f.name for f in api.create_files(c.FilesModel(files=files)).files], ["f0", "f1", "f2"])
    same(api.create_files(c.FilesModel(files=[])).files, [])
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
