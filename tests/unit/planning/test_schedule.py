import json

from tests.unit.planning.small_plans import GIB, Sketch, machine, run
from torc_core.planning.schedule import JOB_COLUMNS


def example():
    sketch = Sketch().job("a", 60, cpus=2, gib=1).job("b", 30, gpus=1, after="a").job("big", cpus=9)
    return run(sketch, machine(4, gib=8, gpus=1))


def test_json_has_all_that_is_known():
    body = example().as_json()
    assert json.loads(json.dumps(body)) == body == {
        "total_jobs": 3,
        "started_jobs": 2,
        "unstarted_jobs": 1,
        "makespan_seconds": 5400.0,
        "cpu_hours": 2.5,
        "cpu_utilisation": round(2.5 / 6, 6),
        "capacity": {"cpus": 4, "memory_bytes": 8 * GIB, "gpus": ["0"], "max_parallel_jobs": None, "labels": []},
        "peaks": {
            "cpus": {"amount": 2, "at_seconds": 0.0},
            "memory_bytes": {"amount": GIB, "at_seconds": 0.0},
            "gpus": {"amount": 1, "at_seconds": 3600.0},
            "jobs": {"amount": 1, "at_seconds": 0.0},
        },
        "critical_path": {
            "seconds": 5400.0, "jobs": [{"name": "a", "seconds": 3600.0}, {"name": "b", "seconds": 1800.0}],
        },
        "unstarted": [{"reason": "needs 9 CPUs, this machine has 4", "count": 1, "jobs": ["big"]}],
        "jobs": [
            {
                "name": "a", "start_seconds": 0.0, "end_seconds": 3600.0, "slot": 1, "gpus": [], "num_cpus": 2,
                "memory_bytes": GIB, "num_nodes": 1,
            },
            {
                "name": "b", "start_seconds": 3600.0, "end_seconds": 5400.0, "slot": 1, "gpus": ["0"], "num_cpus": 1,
                "memory_bytes": 0, "num_nodes": 1,
            },
        ],
    }  # fmt: skip


def test_rows_say_the_same_for_people():
    rows = [dict(zip(JOB_COLUMNS, row, strict=True)) for row in example().rows()]
    assert rows == [
        {
            "Job": "a", "Start": "0.0s", "End": "1h 0m 0s", "Duration": "1h 0m 0s", "CPUs": 2, "Memory": "1.0 GiB",
            "GPUs": None, "Slot": 1,
        },
        {
            "Job": "b", "Start": "1h 0m 0s", "End": "1h 30m 0s", "Duration": "30m 0s", "CPUs": 1, "Memory": "0 B",
            "GPUs": "0", "Slot": 1,
        },
    ]  # fmt: skip


def test_the_summary_has_the_figures_that_matter():
    assert example().summary() == [
        ("Jobs", "2 of 3 run"),
        ("Makespan", "1h 30m 0s"),
        ("Critical path", "1h 30m 0s: a -> b"),
        ("CPU time", "2.50 CPU hours"),
        ("CPU utilisation", "41.7% of 4 CPUs"),
        ("Most jobs at once", "1 after 0.0s"),
        ("Most CPUs at once", "2 after 0.0s"),
        ("Most memory at once", "1.0 GiB after 0.0s"),
        ("Most GPUs at once", "1 after 1h 0m 0s"),
    ]


def test_a_long_critical_path_is_shortened_in_the_summary():
    sketch = Sketch().job("j0")
    for i in range(1, 1200):
        sketch.job(f"j{i}", after=[f"j{i - 1}"])
    text = dict(run(sketch, machine(1)).summary())["Critical path"]
    assert text == "20h 0m 0s: j0 -> j1 -> (1,196 more) -> j1198 -> j1199"
