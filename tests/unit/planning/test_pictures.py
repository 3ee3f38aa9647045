"""Graphs as text: which boxes and lines, and text that the programs which draw it understand."""

import re

import pytest

from tests.unit.planning.small_plans import Sketch
from torc_core.planning.pictures import dot, mermaid, picture_of


def drawn(sketch, **how):
    """Return the lines of a picture with the labels of their ends; points are called p0, p1."""
    picture = picture_of(sketch.plan, **how)
    ends = [*picture.labels, *(f"p{number}" for number in range(picture.points))]
    return sorted((ends[before], ends[after]) for before, after in picture.lines)


DIAMOND = Sketch().job("top", outputs=(0,)).job("left", inputs=(0,)).job("right", after=["top"])
DIAMOND.job("bottom", after=["left", "right"])


def test_a_line_leads_from_each_job_to_those_that_wait_for_it():
    assert drawn(DIAMOND) == [("left", "bottom"), ("right", "bottom"), ("top", "left"), ("top", "right")]


def test_dot():
    assert dot(picture_of(DIAMOND.plan)) == (
        'digraph "sketch" {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n'
        '  n0 [label="top"];\n  n1 [label="left"];\n  n2 [label="right"];\n  n3 [label="bottom"];\n'
        "  n0 -> n1;\n  n0 -> n2;\n  n1 -> n3;\n  n2 -> n3;\n}\n"
    )


def test_mermaid():
    assert mermaid(picture_of(DIAMOND.plan)) == (
        'flowchart LR\n  n0["top"]\n  n1["left"]\n  n2["right"]\n  n3["bottom"]\n'
        "  n0 --> n1\n  n0 --> n2\n  n1 --> n3\n  n2 --> n3\n"
    )


def layers(before, after):
    sketch = Sketch()
    first = [f"a{i}" for i in range(before)]
    for name in first:
        sketch.job(name, template=0)
    for i in range(after):
        sketch.job(f"b{i}", after=first, template=1)
    return sketch


def test_a_point_stands_between_many_and_many():
    assert drawn(layers(3, 3)) == [*((f"a{i}", "p0") for i in range(3)), *(("p0", f"b{i}") for i in range(3))]
    assert "  n6 [shape=point];\n" in dot(picture_of(layers(3, 3).plan))
    assert '  n6((" "))\n' in mermaid(picture_of(layers(3, 3).plan))


def test_no_point_where_it_would_spare_nothing():
    assert drawn(layers(2, 2)) == [("a0", "b0"), ("a0", "b1"), ("a1", "b0"), ("a1", "b1")]


def test_a_layer_of_many_thousand_takes_a_line_for_each_job():
    assert len(picture_of(layers(2000, 2000).plan).lines) == 4000


def test_collapsed_there_is_one_box_for_each_template():
    sketch = layers(3, 2)
    sketch.job("end", after=["b0", "b1"], template=2)
    assert picture_of(sketch.plan, collapsed=True).labels == ["a\n3 jobs", "b\n2 jobs", "end"]
    assert drawn(sketch, collapsed=True) == [("a\n3 jobs", "b\n2 jobs"), ("b\n2 jobs", "end")]


def test_a_template_whose_jobs_wait_for_each_other_points_at_itself():
    sketch = Sketch().job("s_1", template=0).job("s_2", after=["s_1"], template=0)
    assert drawn(sketch, collapsed=True) == [("s\n2 jobs", "s\n2 jobs")]


@pytest.mark.parametrize(
    ("name", "in_dot", "in_mermaid"),
    [
        ('say "hi"', r'"say \"hi\""', '"say #34;hi#34;"'),
        ("back\\slash", r'"back\\slash"', '"back#92;slash"'),
        ("a<b>&c", '"a<b>&c"', '"a#60;b#62;#38;c"'),
        ("100#; `x`", '"100#; `x`"', '"100#35;#59; #96;x#96;"'),
        ("日本", '"日本"', '"日本"'),
    ],
)
def test_labels_say_what_names_are(name, in_dot, in_mermaid):
    picture = picture_of(Sketch().job(name).plan)
    assert f"n0 [label={in_dot}];" in dot(picture)
    assert f"n0[{in_mermaid}]" in mermaid(picture)


def test_a_workflow_without_jobs_is_an_empty_picture():
    picture = picture_of(Sketch().plan)
    assert re.findall("->|label", dot(picture)) == []
    assert mermaid(picture) == "flowchart LR\n"
