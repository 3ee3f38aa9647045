"""Jobs one by one and many at once, through the official client."""

import torc.openapi_client as c
from kit import NEW, OLDEST, api, begin, check, new_job, new_workflow, same, status_of, word


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
