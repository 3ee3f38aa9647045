"""Runs from their beginning to the next one, through the official client."""

import torc.openapi_client as c
from kit import (
    NEW,
    OLDEST,
    api,
    begin,
    check,
    complete,
    new_job,
    new_node,
    new_workflow,
    result_of,
    run_of,
    same,
    start_all,
    status_of,
    statuses,
    word,
)


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
