from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planning.small_plans import Sketch
from torc_core.planning.schedule import Step
from torc_core.planning.stages import EVENT_COLUMNS, Stages


def fan():
    """One job, three that wait for it, one that waits for those."""
    sketch = Sketch().job("get", 10)
    for i in (1, 2, 3):
        sketch.job(f"work_{i}", 20, cpus=2, after=["get"], template=1)
    return sketch.job("report", 5, after=["work_1", "work_2", "work_3"])


def test_events_say_what_becomes_ready_when_which_jobs_end():
    assert Stages(fan().plan).as_json()["events"] == [
        {
            "id": "start",
            "trigger": {"type": "WorkflowStart"},
            "trigger_description": "the workflow starts",
            "level": 0,
            "scheduler_allocations": [],
            "commands": [],
            "jobs_becoming_ready": ["get"],
            "depends_on_events": [],
            "unlocks_events": ["after_get"],
        },
        {
            "id": "after_get",
            "trigger": {"type": "JobsComplete", "data": {"jobs": ["get"]}},
            "trigger_description": "get completes",
            "level": 1,
            "scheduler_allocations": [],
            "commands": [],
            "jobs_becoming_ready": ["work_1", "work_2", "work_3"],
            "depends_on_events": ["start"],
            "unlocks_events": ["after_work_jobs"],
        },
        {
            "id": "after_work_jobs",
            "trigger": {"type": "JobsComplete", "data": {"jobs": ["work_1", "work_2", "work_3"]}},
            "trigger_description": "work_1, work_2, work_3 complete",
            "level": 2,
            "scheduler_allocations": [],
            "commands": [],
            "jobs_becoming_ready": ["report"],
            "depends_on_events": ["after_get"],
            "unlocks_events": [],
        },
    ]


def test_the_whole_has_counts_figures_and_the_longest_chain():
    stages = Stages(fan().plan)
    body = stages.as_json("database", 7)
    assert {name: body[name] for name in list(body)[:8]} == {
        "status": "success", "source": "database", "workflow_id": 7, "workflow_name": "sketch", "total_events": 3,
        "total_jobs": 5, "root_events": ["start"], "leaf_events": ["after_work_jobs"],
    }  # fmt: skip
    assert body["level_widths"] == [1, 3, 1]
    assert body["cpu_hours"] == (10 + 3 * 2 * 20 + 5) / 60
    assert body["longest_chain"]["seconds"] == 35 * 60
    assert stages.longest_chain == [Step("get", 600), Step("work_1", 1200), Step("report", 300)]


def test_a_plan_from_a_spec_has_no_workflow_id():
    body = Stages(fan().plan).as_json()
    assert body["source"] == "spec_file"
    assert "workflow_id" not in body


def test_event_names_follow_what_they_wait_for_and_never_repeat():
    sketch = Sketch()
    for name in ("run_1", "run_2", "run_3", "alpha", "beta"):
        sketch.job(name)
    sketch.job("x", after=["run_1", "run_2"]).job("y", after=["run_2", "run_3"]).job(
        "z", after=["alpha", "beta", "run_1"]
    )
    sketch.job("w", after=["alpha"])
    ids = [event.id for event in Stages(sketch.plan).events]
    assert ids == ["start", "after_run_jobs", "after_run_jobs_2", "after_run_1_and_2_more", "after_alpha"]


def test_a_name_that_looks_like_a_numbered_one_is_not_taken_twice():
    sketch = Sketch().job("a_2").job("run_1").job("run_2").job("run_3").job("run_jobs_2")
    sketch.job("x", after=["run_jobs_2"]).job("y", after=["run_1", "run_2"]).job("z", after=["run_2", "run_3"])
    ids = [event.id for event in Stages(sketch.plan).events]
    assert len(set(ids)) == len(ids) == 4


def test_parts_that_have_nothing_to_do_with_each_other_are_counted():
    sketch = Sketch().job("a").job("b", after="a").job("c").job("d", inputs=(0,)).job("e", outputs=(0,))
    assert Stages(sketch.plan).independent_parts == 3  # a-b, c, e-d
    assert ("Independent parts", "3") in Stages(sketch.plan).summary()
    assert "Independent parts" not in dict(Stages(fan().plan).summary())


def action(trigger, **more):
    return {"trigger_type": trigger, "action_type": "schedule_nodes", "scheduler_type": "slurm", **more}


def test_allocations_stand_at_the_event_that_asks_for_them():
    sketch = fan()
    sketch.plan.schedulers = [{"name": "small"}, {"name": "gpu"}]
    work, get, report = sketch.positions("work_1", "work_2", "work_3"), *sketch.positions("get", "report")
    sketch.plan.jobs[report].scheduler = 0
    sketch.plan.actions = [
        action("on_workflow_start", scheduler=0, num_allocations=1),
        action("on_jobs_ready", scheduler=1, num_allocations=3, jobs=work),
        action("on_jobs_ready", scheduler=1, num_allocations=1, jobs=[get, *work]),
        action("on_workflow_complete", scheduler=0, num_allocations=1),
        {"trigger_type": "on_worker_start", "action_type": "run_commands", "commands": ["module load x"]},
    ]
    body = Stages(sketch.plan).as_json()
    first, second, _ = [event["scheduler_allocations"] for event in body["events"]]
    names = ["work_1", "work_2", "work_3"]
    assert first == [{"scheduler": "small", "scheduler_type": "slurm", "num_allocations": 1, "job_names": ["report"]}]
    assert second == [
        {"scheduler": "gpu", "scheduler_type": "slurm", "num_allocations": 3, "job_names": names},
        {"scheduler": "gpu", "scheduler_type": "slurm", "num_allocations": 1, "job_names": ["get", *names]},
    ]
    assert body["other_actions"] == [
        {
            "trigger_type": "on_workflow_complete", "action_type": "schedule_nodes", "scheduler": "small",
            "num_allocations": 1,
        },
        {"trigger_type": "on_worker_start", "action_type": "run_commands", "commands": ["module load x"]},
    ]  # fmt: skip


def test_commands_after_jobs_join_their_event_or_make_one():
    sketch = fan()
    [report] = sketch.positions("report")
    work = sketch.positions("work_1", "work_2", "work_3")
    sketch.plan.actions = [
        {"trigger_type": "on_jobs_complete", "action_type": "run_commands", "commands": ["check"], "jobs": work},
        {"trigger_type": "on_jobs_complete", "action_type": "run_commands", "commands": ["mail"], "jobs": [report]},
    ]
    events = Stages(sketch.plan).as_json()["events"]
    assert [(e["id"], e["commands"], e["jobs_becoming_ready"]) for e in events[2:]] == [
        ("after_work_jobs", ["check"], ["report"]),
        ("after_report", ["mail"], []),
    ]


def test_an_event_of_commands_alone_stands_at_its_level():
    sketch = Sketch().job("a").job("b", after="a").job("c", after="b").job("d", after="c")
    sketch.plan.actions = [
        {"trigger_type": "on_jobs_complete", "action_type": "run_commands", "commands": ["mail"], "jobs": [0, 1]},
    ]
    events = Stages(sketch.plan).events
    assert [(event.id, event.level) for event in events] == [
        ("start", 0), ("after_a", 1), ("after_b", 2), ("after_a_and_1_more", 2), ("after_c", 3),
    ]  # fmt: skip


def test_rows_fold_what_differs_by_numbers_only():
    sketch = Sketch()
    for i in range(100):
        sketch.job(f"prep_{i}", template=0)
    for i in range(100):
        sketch.job(f"train_{i}", after=[f"prep_{i}"], template=1)
    sketch.job("report", after=[f"train_{i}" for i in range(100)], template=2)
    rows = Stages(sketch.plan).rows()
    assert [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in rows] == [
        {"Level": 0, "Times": 1, "After": "(start)", "Becomes ready": "prep (100 jobs)", "Jobs": 100, "Then": None},
        {
            "Level": 1, "Times": 100, "After": "prep (1 job each)", "Becomes ready": "train (1 job each)", "Jobs": 100,
            "Then": None,
        },
        {"Level": 2, "Times": 1, "After": "train (100 jobs)", "Becomes ready": "report", "Jobs": 1, "Then": None},
    ]  # fmt: skip


def test_rows_show_allocations_and_commands():
    sketch = Sketch().job("a").job("b", after="a")
    sketch.plan.schedulers = [{"name": "big"}]
    sketch.plan.actions = [
        action("on_workflow_start", scheduler=0, num_allocations=2),
        {"trigger_type": "on_jobs_ready", "action_type": "run_commands", "commands": ["echo hi"], "jobs": [1]},
    ]
    assert [row[-1] for row in Stages(sketch.plan).rows()] == ["2 allocations of big", "run: echo hi"]


def test_nothing_has_no_events():
    body = Stages(Sketch().plan).as_json()
    assert (body["total_jobs"], body["events"], body["level_widths"]) == (0, [], [])


@given(st.lists(st.sets(st.integers(0, 29), max_size=3), max_size=30))
@settings(max_examples=100, deadline=None)
def test_events_come_in_an_order_in_which_they_can_happen(dependencies):
    sketch = Sketch()
    for place, others in enumerate(dependencies):
        sketch.job(f"j{place}", after={f"j{other % place}" for other in others} if place else ())
    seen = set()
    told = []
    for event in Stages(sketch.plan).as_json()["events"]:
        waited = set(event["trigger"].get("data", {}).get("jobs", ()))
        assert waited <= set(told)
        assert set(event["depends_on_events"]) <= seen
        for name in event["jobs_becoming_ready"]:
            job = sketch.plan.jobs[int(name[1:])]
            assert {f"j{other}" for other in job.depends_on} == waited
        seen.add(event["id"])
        told += event["jobs_becoming_ready"]
    assert sorted(told) == sorted(job.name for job in sketch.plan.jobs)
