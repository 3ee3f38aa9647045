import pytest

from tests.unit.planning.small_plans import Sketch
from torc_core.errors import Invalid
from torc_core.planning.groups import common_name, group_names
from torc_core.planning.links import Links


def waits(sketch):
    """Return for each job what it waits for, by name."""
    links, jobs = Links(sketch.plan.jobs), sketch.plan.jobs
    return {
        job.name: [jobs[other].name for other in links.waits_for[links.group_of[place]]]
        for place, job in enumerate(jobs)
    }


def test_names_files_and_user_data_are_one_set_of_dependencies():
    sketch = Sketch().job("w", outputs=(0,)).job("v", outputs=(0,)).job("d", data_outputs=(0,)).job("x")
    sketch.job("r", after=["x"], inputs=(0,), data_inputs=(0,)).job("s", inputs=(7,)).job("t", data_inputs=(0,))
    assert waits(sketch) == {
        "w": [], "v": [], "d": [], "x": [], "r": ["w", "v", "d", "x"], "s": [], "t": ["d"],
    }  # fmt: skip


def test_jobs_with_equal_dependencies_are_one_group_however_they_say_it():
    sketch = Sketch().job("w", outputs=(0,)).job("by_name", after=["w"]).job("by_file", inputs=(0,)).job("z")
    links = Links(sketch.plan.jobs)
    assert links.members == [[0, 3], [1, 2]]
    assert links.waits_for == [(), (0,)]
    assert links.levels == [0, 1]


def test_a_job_does_not_wait_for_what_it_writes_itself():
    shared = (0,)
    sketch = Sketch().job("b", inputs=shared).job("a", inputs=shared, outputs=(0,)).job("c", inputs=shared)
    assert waits(sketch) == {"b": ["a"], "a": [], "c": ["a"]}


def test_groups_are_ordered_although_readers_stand_before_writers():
    sketch = Sketch().job("last", inputs=(1,)).job("middle", inputs=(0,), outputs=(1,)).job("first", outputs=(0,))
    links = Links(sketch.plan.jobs)
    assert [links.members[group] for group in range(3)] == [[2], [1], [0]]
    assert links.levels == [0, 1, 2]


def test_a_cycle_is_refused_with_a_name():
    sketch = Sketch().job("free").job("a", inputs=(0,), outputs=(1,)).job("b", inputs=(1,), outputs=(0,))
    with pytest.raises(Invalid, match='"a"'):
        Links(sketch.plan.jobs)


def test_the_longest_chain_is_the_heaviest_not_the_one_with_most_jobs():
    sketch = Sketch().job("a", 1).job("b", 1, after="a").job("c", 1, after="b").job("heavy", 5).job("d", 1)
    sketch.job("end", 1, after=["heavy", "d"])
    chain = Links(sketch.plan.jobs).longest_chain([60, 60, 60, 300, 60, 60])
    assert [sketch.plan.jobs[place].name for place in chain] == ["heavy", "end"]
    assert Links([]).longest_chain([]) == []


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["work_1", "work_2"], "work"),
        (["work_10", "work_11", "work_19"], "work"),
        (["l0_1", "l0_2"], "l0"),
        (["a-1-x", "a-2-x"], "a"),
        (["only_7"], "only_7"),
        (["ab", "cd"], ""),
    ],
)
def test_the_common_name_ends_before_what_varies(names, common):
    assert common_name(names) == common


def test_jobs_of_a_template_are_a_group_and_templates_are_told_apart():
    sketch = Sketch().job("fit_1_a", template=0).job("fit_2_a", template=0).job("fit_1_b", template=1)
    sketch.job("fit_2_b", template=1).job("report", template=2)
    assert group_names(sketch.plan.jobs) == ["fit*a", "fit*a", "fit*b", "fit*b", "report"]


def test_without_templates_numbers_at_the_end_do_not_tell_groups_apart():
    sketch = Sketch().job("prep_1").job("prep_22").job("train").job("7")
    assert group_names(sketch.plan.jobs) == ["prep", "prep", "train", "7"]
