"""Stored workflows as specs: a spec that was written makes the same workflow again."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.service.documents import by_position, document
from tests.unit.spec.small_specs import plan
from torc_core.records import answers as a
from torc_core.records.resources import FailureHandler, Job, ResourceRequirements, SlurmScheduler, UserData, Workflow
from torc_core.service.local import LocalService
from torc_core.service.planned import creation_of
from torc_core.service.stored_spec import stored_spec
from torc_core.service.whole import parts
from torc_plugins.storage.memory_storage import MemoryStorage

RULES = [{"exit_codes": [3], "match_all_exit_codes": False, "max_retries": 2}]
NAMES = st.text("abcäß_-. }$", min_size=1, max_size=6).filter(str.strip)


def again(service, workflow_id):
    """Store a workflow a second time by way of its spec; returns the id and the data of the spec."""
    found = stored_spec(service, workflow_id)
    data = json.loads(json.dumps(found.data))
    made = service.create_whole_workflow(creation_of(plan(data, skip_checks=True), "ada", "/there"))
    return made.workflow_id, data


def comparable(service, workflow_id):
    """Return a workflow in all that is not about when and where it was made."""
    exported = document(service, workflow_id, with_results=False, with_events=False)
    for item in exported["files"]:
        item.pop("st_mtime", None)
    bare = by_position({plural: [] for plural in parts()} | exported)
    for name in ("timestamp", "submission_directory", "user"):
        bare["workflow"].pop(name, None)
    return bare


@pytest.fixture
def memory():
    made = LocalService(MemoryStorage(""))
    yield made
    made.close()


def test_a_workflow_that_was_made_without_a_spec_becomes_one(memory):
    id = memory.create(Workflow(name="w", user="ada", env={"A": "1"}, compute_node_wait_for_new_jobs_seconds=7)).id
    handler = memory.create(FailureHandler(workflow_id=id, name="h", rules=RULES))
    slurm = memory.create(SlurmScheduler(workflow_id=id, account="acme"))
    memory.create(SlurmScheduler(workflow_id=id, account="other", name="scheduler_1"))
    needs = memory.create(ResourceRequirements(workflow_id=id, name="n", num_cpus=2, memory="3g", runtime="PT2H"))
    one = memory.create(Job(workflow_id=id, name="one", command="true", scheduler_id=slurm.id))
    memory.create(
        Job(workflow_id=id, name="two", command="true", depends_on_job_ids=[one.id], failure_handler_id=handler.id,
            resource_requirements_id=needs.id)
    )  # fmt: skip
    new_id, data = again(memory, id)
    assert data["jobs"] == [
        {"name": "one", "command": "true", "scheduler": "scheduler_1_2"},
        {"name": "two", "command": "true", "resource_requirements": "n", "failure_handler": "h", "depends_on": ["one"]},
    ]
    assert data["compute_node_wait_for_new_jobs_seconds"] == 7
    assert "compute_node_wait_for_healthy_database_minutes" not in data  # as it is anyway
    memory.update(SlurmScheduler, slurm.id, {"name": "scheduler_1_2"})
    assert comparable(memory, new_id) == comparable(memory, id)


def test_what_no_spec_can_say_is_told(memory):
    workflow = Workflow(name="w", user="ada", compute_node_min_time_for_new_jobs_seconds=5)
    id = memory.create(workflow).id
    assert stored_spec(memory, id).unsaid == ["compute_node_min_time_for_new_jobs_seconds: 5"]


def test_data_that_a_job_makes_is_left_to_it(memory):
    id = memory.create_whole_workflow(
        a.NewWorkflow(
            workflow={"name": "w"},
            user_data=[{"name": "made", "data": 5}, {"name": "given", "data": 6}],
            jobs={
                "name": ["j"],
                "command": ["true"],
                "output_user_data_ids": [(0,)],
                "input_user_data_ids": [(1,)],
            },
        )
    ).workflow_id
    assert stored_spec(memory, id).data["user_data"] == [{"name": "made"}, {"name": "given", "data": 6}]
    assert next(iter(memory.each(UserData, id))).data == 5  # in the workflow it stays


@st.composite
def workflows(draw):
    """A request that makes a workflow in which every name is used once."""

    def named(most, **fields):
        names = draw(st.lists(NAMES, max_size=most, unique=True))
        return [{"name": name, **{field: draw(values) for field, values in fields.items()}} for name in names]

    files, data = named(4, path=NAMES), named(3, data=st.none() | st.integers(0, 9), is_ephemeral=st.booleans())
    needs = named(2, num_cpus=st.integers(1, 4), memory=st.sampled_from(["1m", "2g"]))
    names = draw(st.lists(NAMES, max_size=5, unique=True))
    places = range(len(names))

    def some(count):
        return sorted(draw(st.sets(st.integers(0, count - 1), max_size=3))) if count else []

    jobs = {
        "name": names, "command": [draw(NAMES) for _ in places], "depends_on_job_ids": [some(at) for at in places],
        "input_file_ids": [some(len(files)) for _ in places], "input_user_data_ids": [some(len(data)) for _ in places],
        "priority": [draw(st.integers(0, 3)) for _ in places],
        "resource_requirements_id": [draw(st.integers(-1, len(needs) - 1)) for _ in places],
        "env": [draw(st.none() | st.just({"A": "b {c}"})) for _ in places],
        "cancel_on_blocking_job_failure": [draw(st.booleans()) for _ in places],
    }  # fmt: skip
    return a.NewWorkflow(
        workflow={"name": draw(NAMES), "user": "ada"}, files=files, user_data=data, resource_requirements=needs,
        jobs=jobs if names else None,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(workflows())
def test_any_workflow_survives_as_a_spec(new):
    service = LocalService(MemoryStorage(""))
    id = service.create_whole_workflow(new).workflow_id
    new_id, _ = again(service, id)
    first, second = ([job.name for job in service.each(Job, i)] for i in (id, new_id))
    if first == second:  # a spec orders jobs by level, then as they are written
        assert comparable(service, new_id) == comparable(service, id)
    else:
        assert sorted(first) == sorted(second)
