"""Schedules worked out by hand."""

import pytest

from tests.unit.planning.small_plans import GIB, MINUTE, Sketch, machine, minutes, never, run
from torc_core.contracts.executor import Observation, SubmitError
from torc_core.errors import Invalid
from torc_core.planning.play import launch_requests
from torc_core.planning.schedule import Peak, Step
from torc_plugins.executors.dry_run import DryRunExecutor


def diamond():
    return Sketch().job("a", 10).job("b", 20, after="a").job("c", 30, after="a").job("d", 5, after="bc")


def test_a_diamond_on_two_cpus_runs_its_middle_side_by_side():
    schedule = run(diamond(), machine(2))
    assert minutes(schedule) == {"a": (0, 10), "b": (10, 30), "c": (10, 40), "d": (40, 45)}
    assert schedule.makespan_seconds == 45 * MINUTE
    assert schedule.critical_path == [Step("a", 600), Step("c", 1800), Step("d", 300)]
    assert schedule.peaks.jobs == Peak(2, 10 * MINUTE)
    assert schedule.cpu_hours == pytest.approx(65 / 60)
    assert schedule.cpu_utilisation == pytest.approx(65 / 90)
    assert schedule.unstarted == []


def test_a_diamond_on_one_cpu_takes_the_longer_of_two_first():
    schedule = run(diamond(), machine(1))
    assert minutes(schedule) == {"a": (0, 10), "c": (10, 40), "b": (40, 60), "d": (60, 65)}
    assert schedule.critical_seconds == 45 * MINUTE


def test_a_chain_takes_the_sum_however_many_cpus_there_are():
    chain = Sketch().job("a", 3).job("b", 4, after="a").job("c", 5, after="b").job("d", 6, after="c")
    assert run(chain, machine(16)).makespan_seconds == 18 * MINUTE


def test_layers_wait_for_the_whole_layer_before():
    layers = Sketch()
    before = []
    for layer in range(3):
        names = [f"{'xyz'[layer]}{i}" for i in range(5)]
        for name in names:
            layers.job(name, 7, after=before)
        before = names
    # five jobs on two CPUs take three rounds of seven minutes, three times
    assert run(layers, machine(2)).makespan_seconds == 3 * 3 * 7 * MINUTE


def test_shared_lists_of_dependencies_mean_the_same_as_single_ones():
    sketch = Sketch()
    for i in range(10):
        sketch.job(f"a{i}", 1 + i)
    everything = tuple(range(10))
    for name in "xy":
        sketch.job(name, 1)
        sketch.plan.jobs[-1].depends_on = everything
    schedule = run(sketch, machine(64))
    assert [minutes(schedule)[name] for name in "xy"] == [(10, 11), (10, 11)]


def test_memory_limits_how_many_run_at_once():
    three = Sketch().job("a", 10, gib=3).job("b", 10, gib=3).job("c", 10, gib=3)
    schedule = run(three, machine(4, gib=8))
    assert minutes(schedule) == {"a": (0, 10), "b": (0, 10), "c": (10, 20)}
    assert schedule.peaks.memory_bytes == Peak(6 * GIB, 0)


def test_memory_that_another_job_still_holds_is_not_given_out():
    sketch = Sketch().job("a", 10, gib=3).job("b", 20, gib=4).job("c", 5, gib=5)
    assert minutes(run(sketch, machine(4, gib=8))) == {"a": (0, 10), "b": (0, 20), "c": (20, 25)}


def test_a_gpu_that_another_job_still_holds_is_not_given_out():
    sketch = Sketch().job("a", 10, gpus=1).job("b", 20, gpus=1).job("c", 5, gpus=2, after=["a"])
    assert minutes(run(sketch, machine(8, gpus=2))) == {"a": (0, 10), "b": (0, 20), "c": (20, 25)}


def test_small_jobs_fill_the_cpus_that_a_large_one_leaves():
    # on 4 CPUs: long (3) and one of the small ones start; the other small one follows on the fourth CPU
    sketch = Sketch().job("s1", 10).job("s2", 10).job("long", 30, cpus=3)
    assert minutes(run(sketch, machine(4))) == {"long": (0, 30), "s1": (0, 10), "s2": (10, 20)}


def test_gpu_jobs_go_first_and_get_different_gpus():
    sketch = Sketch().job("plain", 30).job("g1", 10, gpus=1).job("g2", 20, gpus=1).job("g3", 5, gpus=1)
    schedule = run(sketch, machine(2, gpus=2))
    # longest first among those with a GPU: g2 and g1; then g3 on the GPU and CPU that g1 frees; then plain
    assert minutes(schedule) == {"g2": (0, 20), "g1": (0, 10), "g3": (10, 15), "plain": (15, 45)}
    assert {entry.name: entry.gpu_ids for entry in schedule.entries} == {
        "g2": ("0",), "g1": ("1",), "g3": ("1",), "plain": (),
    }  # fmt: skip
    assert schedule.peaks.gpus == Peak(2, 0)


def test_priority_beats_everything_else():
    sketch = Sketch().job("low", 60, priority=1).job("high", 1, priority=3).job("middle", 30, priority=2)
    assert minutes(run(sketch, machine(1))) == {"high": (0, 1), "middle": (1, 31), "low": (31, 91)}


def test_equal_jobs_go_in_the_order_of_the_plan():
    sketch = Sketch().job("c", 1).job("a", 1).job("b", 1)
    assert [entry.name for entry in run(sketch, machine(1)).entries] == ["c", "a", "b"]


def test_slots_ignore_what_jobs_need():
    sketch = Sketch()
    for i in range(5):
        sketch.job(f"j{i}", 10, cpus=100, gib=5000, gpus=8, nodes=3)
    schedule = run(sketch, machine(1, gib=1, max_parallel_jobs=2))
    assert schedule.makespan_seconds == 30 * MINUTE
    assert schedule.peaks.jobs == Peak(2, 0)
    assert schedule.unstarted == []
    assert {entry.row for entry in schedule.entries} == {0, 1}


def test_a_job_without_requirements_needs_one_cpu_for_a_minute():
    schedule = run(Sketch().bare("a").bare("b"), machine(1))
    assert minutes(schedule) == {"a": (0, 1), "b": (1, 2)}
    assert str(schedule.entries[0].needs) == "1 CPU, 1.0 MiB, 1m 0s"


def test_files_and_user_data_make_jobs_wait():
    sketch = Sketch().files(2).data(1)
    sketch.job("reader", 1, inputs=(0, 1)).job("w1", 5, outputs=(0,)).job("w2", 7, outputs=(1,), data_outputs=(0,))
    sketch.job("last", 1, data_inputs=(0,)).job("outside", 1, inputs=())
    assert minutes(run(sketch, machine(8))) == {
        "w2": (0, 7), "w1": (0, 5), "outside": (0, 1), "reader": (7, 8), "last": (7, 8),
    }  # fmt: skip


def test_rows_are_taken_from_the_lowest_free_one():
    sketch = Sketch().job("a", 30, priority=3).job("b", 10, priority=2).job("c", 20, priority=1).job("d", after="bc")
    schedule = run(sketch, machine(3))
    assert {entry.name: entry.row for entry in schedule.entries} == {"a": 0, "b": 1, "c": 2, "d": 1}


def test_jobs_that_need_no_cpu_start_together():
    sketch = Sketch().job("a", 10, cpus=0).job("b", 10, cpus=0).job("c", 10, cpus=0)
    assert run(sketch, machine(1)).makespan_seconds == 10 * MINUTE


# what never starts


def test_each_need_that_does_not_fit_is_named():
    sketch = Sketch().job("fits").job("cpus", cpus=8).job("memory", gib=100).job("gpus", gpus=2).job("nodes", nodes=2)
    assert never(run(sketch, machine(4, gib=16))) == {
        "needs 8 CPUs, this machine has 4": ["cpus"],
        "needs 100.0 GiB of memory, this machine has 16.0 GiB": ["memory"],
        "needs 2 GPUs, there are none": ["gpus"],
        "needs 2 nodes, this machine is one": ["nodes"],
    }


def test_two_needs_that_do_not_fit_are_one_reason():
    [group] = run(Sketch().job("a", cpus=9, gpus=2), machine(4, gpus=1)).unstarted
    assert group.reason == "needs 9 CPUs, this machine has 4; needs 2 GPUs, this machine has 1"


def test_jobs_with_the_same_reason_are_told_together_and_the_rest_goes_on():
    sketch = Sketch().job("big1", cpus=8).job("ok", 5).job("big2", cpus=8).job("after", after=["big2"])
    sketch.job("later", after=["after"]).job("end", after=["ok"])
    schedule = run(sketch, machine(4))
    assert minutes(schedule) == {"ok": (0, 5), "end": (5, 6)}
    assert never(schedule) == {
        "needs 8 CPUs, this machine has 4": ["big1", "big2"],
        "waits for a job that needs 8 CPUs, this machine has 4": ["after", "later"],
    }
    assert schedule.unstarted_count == 4
    assert schedule.critical_path == [Step("ok", 300), Step("end", 60)]


def test_a_job_that_does_not_fit_is_what_its_dependents_wait_for():
    sketch = Sketch().job("gpus", gpus=1).job("cpus", cpus=8, after=["gpus"]).job("end", after=["cpus"])
    assert never(run(sketch, machine(4))) == {
        "needs 1 GPU, there are none": ["gpus"],
        "needs 8 CPUs, this machine has 4": ["cpus"],
        "waits for a job that needs 8 CPUs, this machine has 4": ["end"],
    }


def test_the_critical_path_ends_with_what_starts():
    sketch = Sketch().job("big", cpus=8, inputs=(0,)).job("writer", 5, outputs=(0,))
    assert run(sketch, machine(4)).critical_path == [Step("writer", 300)]


@pytest.mark.parametrize(
    ("wanted", "offered", "reason"),
    [
        (("fast",), (), "needs a runner with the label fast, this runner offers none"),
        (("fast", "gpu"), ("slow",), "needs a runner with the labels fast, gpu, this runner offers slow"),
        ((), ("fast",), "has no label, this runner takes jobs with its labels only"),
    ],
)
@pytest.mark.parametrize("slots", [None, 3])
def test_labels_decide_in_both_modes(wanted, offered, reason, slots):
    sketch = Sketch().job("a", labels=wanted).job("b", labels=offered)
    schedule = run(sketch, machine(4, labels=frozenset(offered), max_parallel_jobs=slots))
    assert never(schedule) == {reason: ["a"]}
    assert [entry.name for entry in schedule.entries] == ["b"]


def test_a_job_of_another_scheduler_runs_when_nothing_else_is_left():
    sketch = Sketch().job("elsewhere", 10, priority=9, scheduler=0).job("here", 10)
    assert minutes(run(sketch, machine(1))) == {"here": (0, 10), "elsewhere": (10, 20)}


@pytest.mark.parametrize("capacity", [machine(0), machine(4, max_parallel_jobs=0)])
def test_a_runner_without_room_is_refused(capacity):
    with pytest.raises(Invalid, match="at least one"):
        run(Sketch().job("a"), capacity)


def test_nothing_to_do_takes_no_time():
    schedule = run(Sketch(), machine(1))
    assert (schedule.entries, schedule.makespan_seconds, schedule.critical_path) == ([], 0, [])
    assert schedule.cpu_utilisation is None


# executors that do not play along


class Refusing(DryRunExecutor):
    def submit(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        if request.name == "bad":
            return SubmitError(request.key, "no such queue")
        return super().submit([request])[0]


class Failing(DryRunExecutor):
    def ended(self):
        # the clock's first command fails
        return [(h, Observation("done", exit_code=3) if h.id == "1" else seen) for h, seen in super().ended()]


def test_what_cannot_be_started_frees_its_room_and_cancels_what_waits():
    sketch = Sketch().job("bad", 60).job("good", 5).job("waits", after=["bad"])
    sketch.job("regardless", after=["bad"], cancel_on_failure=False)
    schedule = run(sketch, machine(1), Refusing())
    assert minutes(schedule) == {"good": (0, 5), "regardless": (5, 6)}
    assert never(schedule) == {
        "cannot be started: no such queue": ["bad"],
        "waits for a job that cannot be started: no such queue": ["waits"],
    }


def test_a_failure_cancels_what_waits_for_it():
    sketch = Sketch().job("first", 60).job("waits", after=["first"]).job("free", 5)
    schedule = run(sketch, machine(1), Failing())
    assert minutes(schedule) == {"first": (0, 60), "free": (60, 65)}
    assert never(schedule) == {"waits for a job that fails with exit code 3": ["waits"]}


# requests


def test_requests_carry_what_a_job_is_given():
    sketch = Sketch().job("a", 90, cpus=4, gib=2, nodes=2, supports_termination=True)
    sketch.plan.workflow["env"] = {"SHARED": "1", "BOTH": "workflow"}
    sketch.plan.jobs[0].env = {"OWN": "2", "BOTH": "job"}
    sketch.plan.jobs[0].invocation_script = "bash prepare.sh"
    [request] = launch_requests(sketch.plan)
    assert (request.name, request.command) == ("a", "bash prepare.sh run a")
    assert request.env == {"SHARED": "1", "BOTH": "job", "OWN": "2"}
    assert (request.cpus, request.memory_bytes, request.nodes) == (4, 2 * GIB, 2)
    assert (request.walltime_seconds, request.supports_termination) == (5400.0, True)


def test_a_script_of_several_lines_stands_above_the_command():
    sketch = Sketch().job("a", invocation_script="module load x\nexport Y=1\n")
    [request] = launch_requests(sketch.plan)
    assert request.command == "module load x\nexport Y=1\nrun a"
