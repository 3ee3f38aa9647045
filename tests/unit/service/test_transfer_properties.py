"""Any workflow survives being moved."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.service.documents import MOMENT, bring_in, by_position, document
from torc_core.records import answers as a
from torc_core.records.resources import Workflow
from torc_core.service.local import LocalService
from torc_plugins.storage.memory_storage import MemoryStorage

NAMES = st.text("abcäß_-. ", min_size=1, max_size=6)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**53) | NAMES, lambda inner: st.lists(inner, max_size=2), max_leaves=4
)


@st.composite
def workflows(draw):
    """A request that makes a workflow, with finished, failed and open jobs."""

    def named(kind, most, **fields):
        names = draw(st.lists(NAMES, max_size=most, unique=True))
        return [{"name": name, **{field: draw(values) for field, values in fields.items()}} for name in names]

    files = named("files", 4, path=NAMES, st_mtime=st.none() | st.floats(0, 1e9))
    data = named("user_data", 3, data=JSON, is_ephemeral=st.booleans())
    needs = named("needs", 2, num_cpus=st.integers(0, 4), memory=st.sampled_from(["1m", "2g"]))
    names = draw(st.lists(NAMES, max_size=6, unique=True))

    def some(count, below=None):
        bound = count if below is None else min(count, below)
        return sorted(draw(st.sets(st.integers(0, bound - 1), max_size=3))) if bound else []

    places = range(len(names))
    ends = draw(
        st.lists(
            st.sampled_from(["completed", "failed", "ready", "disabled"]), min_size=len(names), max_size=len(names)
        )
    )
    jobs = {
        "name": names, "command": [draw(NAMES) for _ in places], "depends_on_job_ids": [some(99, at) for at in places],
        "input_file_ids": [some(len(files)) for _ in places], "input_user_data_ids": [some(len(data)) for _ in places],
        "priority": [draw(st.integers(0, 3)) for _ in places], "status": ends,
        "attempt_id": [draw(st.integers(1, 3)) for _ in places],
        "resource_requirements_id": [draw(st.integers(-1, len(needs) - 1)) for _ in places],
        "env": [draw(st.none() | st.just({"A": "b c"})) for _ in places],
    }  # fmt: skip
    over = [at for at in places if ends[at] in ("completed", "failed")]
    results = [
        {"job_id": at, "run_id": run, "attempt_id": 1, "return_code": int(ends[at] == "failed"), "status": ends[at],
         "exec_time_minutes": 0.5, "completion_time": MOMENT, "is_latest": run == 2}
        for at in over for run in (1, 2)
    ]  # fmt: skip
    return {
        "workflow": {"name": draw(NAMES), "user": "eve", "metadata": draw(JSON), "run_id": 2}, "files": files,
        "user_data": data, "resource_requirements": needs, "jobs": jobs if names else None, "results": results,
        "events": [{"timestamp": draw(st.integers(0, 9**12)), "data": draw(JSON.filter(lambda v: v is not None))}],
    }  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(workflows())
def test_any_workflow_survives_two_moves(parts_of_one):
    first, second = LocalService(MemoryStorage("")), LocalService(MemoryStorage(""))
    id = first.create_whole_workflow(a.NewWorkflow(**parts_of_one, as_is=True)).workflow_id
    exported = document(first, id)
    if parts_of_one["jobs"]:
        assert [job["status"] for job in exported["jobs"]] == parts_of_one["jobs"]["status"]
        assert [job.get("attempt_id", 1) for job in exported["jobs"]] == parts_of_one["jobs"]["attempt_id"]
    second.create(Workflow(name="there already", user="ada"))
    new_id, _ = bring_in(second, exported, as_is=True)
    assert by_position(document(second, new_id)) == by_position(exported)
