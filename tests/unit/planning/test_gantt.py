import builtins
import os
import re
import socket
import xml.etree.ElementTree as ET

import pytest

from tests.unit.planning.small_plans import Sketch, machine, run
from torc_core.planning.chart_scale import highest_per_column, stair_points, time_label, time_ticks
from torc_core.planning.gantt import html, svg
from torc_core.planning.stages import Stages

SVG = "{http://www.w3.org/2000/svg}"


def drawn(schedule, title="t"):
    return ET.fromstring(svg(schedule, title))


def bars(root):
    """Return the bars of the jobs as (tooltip, x, y, width)."""
    return [
        (rect.findtext(f"{SVG}title"), *(float(rect.get(name)) for name in ("x", "y", "width")))
        for rect in root.iter(f"{SVG}rect")
        if rect.find(f"{SVG}title") is not None
    ]


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def test_bars_lie_where_time_and_row_put_them():
    schedule = run(Sketch().job("a", 10).job("b", 30, after="a").job("c", 20, after="a"), machine(2))
    (_, ax, ay, aw), (_, bx, by, bw), (_, cx, cy, cw) = sorted(bars(drawn(schedule)))
    assert bw == pytest.approx(3 * aw, abs=0.1)
    assert cw == pytest.approx(2 * aw, abs=0.1)
    assert bx == pytest.approx(ax + aw, abs=0.1) == cx
    assert ay == by < cy


def test_a_tooltip_has_name_times_needs_and_gpus():
    schedule = run(
        Sketch().job("first", 5).job("train", 90, cpus=4, gib=2, gpus=1, after=["first"]), machine(4, gpus=1)
    )
    assert bars(drawn(schedule))[1][0] == (
        "train\nstart 5m, end 1h 35m, lasts 1h 30m\nneeds 4 CPUs, 2.0 GiB, 1 GPU, 1h 30m 0s\nGPU 0"
    )


def test_each_group_has_one_colour_and_a_place_in_the_legend():
    sketch = Sketch().job("prep_1", template=0).job("prep_2", template=0).job("fit", template=1)
    root = drawn(run(sketch, machine(3)))
    by_name = {
        rect.findtext(f"{SVG}title").split("\n")[0]: rect.get("class").split()[-1]
        for rect in root.iter(f"{SVG}rect")
        if rect.find(f"{SVG}title") is not None
    }
    assert by_name["prep_1"] == by_name["prep_2"] != by_name["fit"]
    assert {"prep", "fit", "critical path"} <= set(texts(root))


def test_too_many_groups_share_the_last_place_in_the_legend():
    sketch = Sketch()
    for i in range(20):
        sketch.job(f"{'abcdefghijklmnopqrst'[i]}", 20 - i, template=i)
    shown = texts(drawn(run(sketch, machine(1))))
    assert "8 other groups" in shown


def test_the_critical_path_is_framed():
    root = drawn(run(Sketch().job("a", 10).job("b", 30, after="a").job("c", 20, after="a"), machine(2)))
    framed = {
        rect.findtext(f"{SVG}title").split("\n")[0]
        for rect in root.iter(f"{SVG}rect")
        if rect.find(f"{SVG}title") is not None and "p" in rect.get("class").split()
    }
    assert framed == {"a", "b"}


def test_bars_narrower_than_a_pixel_become_one():
    sketch = Sketch()
    for i in range(4000):
        sketch.bare(f"j_{i}", template=0)
    [(text, _, _, width)] = bars(drawn(run(sketch, machine(1))))
    assert text.startswith("4,000 jobs, j_0 to j_3999\n")
    assert width > 1000


def test_a_gap_that_can_be_seen_is_not_drawn_over():
    sketch = Sketch()
    names = [f"early_{i}" for i in range(50)]
    for name in names:
        sketch.bare(name, template=0)
    sketch.job("block", 5000, cpus=2, after=names, template=1)
    for i in range(50):
        sketch.bare(f"late_{i}", after=["block"], template=0)
    # on two CPUs the second row is empty while "block" runs
    second = [bar for bar in bars(drawn(run(sketch, machine(2)))) if "early_1 " in bar[0] or "late_1 " in bar[0]]
    assert len(second) == 2
    assert all(width < 100 for *_, width in second)


def test_many_slots_share_lines():
    sketch = Sketch()
    for i in range(1000):
        sketch.job(f"j_{i}", 1 + i % 3, template=0)
    found = bars(drawn(run(sketch, machine(1, max_parallel_jobs=1000))))
    assert len({y for _, _, y, _ in found}) == 200  # five slots each
    assert found[0][0].startswith("5 slots, about 100% in use")


def test_lines_of_several_slots_say_how_much_of_them_is_in_use():
    sketch = Sketch().job("long", 1000, priority=1)
    for i in range(399):
        sketch.job(f"short_{i}", 1)
    found = bars(drawn(run(sketch, machine(1, max_parallel_jobs=400))))
    # a minute is 1.1 px of a cell of 3 px, which is nearest to a quarter
    assert {text for text, *_ in found[2:]} == {"2 slots, about 25% in use"}
    assert found[1][0] == "2 slots, about 50% in use"


def test_a_hundred_thousand_jobs_stay_drawable():
    sketch = Sketch()
    for i in range(100_000):
        sketch.bare(f"j_{i}", template=i % 5, requirements=-1)
    root = drawn(run(sketch, machine(64)))
    assert len(bars(root)) <= 64 * 1100 / 3


@pytest.mark.parametrize("name", ["<&>\"'", "null\0bell\a", "line\nbreak", "日本 ünï 🚀", "\udc80", "]]>", "--><svg>"])
def test_odd_names_keep_the_picture_well_formed(name):
    sketch = Sketch().job(name, 10).job("big", cpus=9)
    sketch.plan.jobs[0].command = "true"
    schedule = run(sketch, machine(1))
    root = drawn(schedule, name)
    shown = re.sub("[\0\a\udc80]", "\ufffd", name)
    assert bars(root)[0][0].split("\nstart")[0] == shown
    assert root.findtext(f"{SVG}title") == shown
    page = html(schedule, name)
    page.encode("utf-8")
    ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert "<svg>" not in page.replace("<svg xmlns", "")


def test_the_picture_can_be_read_aloud():
    root = drawn(run(Sketch().job("a", 10).job("big", cpus=9), machine(2)), "My study")
    assert root.get("role") == "img"
    parts = {element.get("id"): element.text for element in root if element.get("id")}
    assert set(root.get("aria-labelledby").split()) == set(parts)
    assert parts["gantt-title"] == "My study"
    assert "Makespan: 10m 0s" in parts["gantt-desc"]
    assert "Jobs that never start: 1." in parts["gantt-desc"]


def test_what_never_starts_is_said():
    root = drawn(run(Sketch().job("big", cpus=9), machine(2)))
    assert "Never start: big: needs 9 CPUs, this machine has 2" in texts(root)


def test_the_page_and_the_picture_load_nothing_from_elsewhere():
    schedule = run(Sketch().job("a", 10), machine(1))
    for document in (svg(schedule, "t"), html(schedule, "t")):
        assert re.findall(r"https?://[^\"']*", document) == ["http://www.w3.org/2000/svg"]
        assert not re.search(r"<script|<link|<img|@import|url\(|\bsrc=|\bhref=", document)
        assert "prefers-color-scheme:dark" in document


@pytest.mark.parametrize("sketch", [Sketch(), Sketch().job("a", 0).job("b", 0), Sketch().job("big", cpus=99)])
def test_nothing_that_takes_time_is_drawn_too(sketch):
    schedule = run(sketch, machine(2))
    assert len(bars(drawn(schedule))) == len(schedule.entries)
    assert "CPUs in use" in html(schedule, "t")


def test_strips_show_what_is_in_use():
    schedule = run(Sketch().job("a", 10, cpus=3, gib=2).job("b", 10, after="a", gpus=1), machine(4, gib=8, gpus=2))
    shown = texts(drawn(schedule))
    assert "CPUs in use: at most 3 of 4" in shown
    assert "Memory in use: at most 2.0 GiB of 8.0 GiB" in shown
    assert "GPUs in use: at most 1 of 2" in shown


# scales


@pytest.mark.parametrize(
    ("seconds", "step", "count"),
    [
        (0, 1, 1),
        (10, 1, 11),
        (60, 10, 7),
        (3600, 600, 7),
        (6 * 3600, 3600, 7),
        (86_400, 3 * 3600, 9),
        (10 * 86_400, 86_400, 11),
        (400 * 86_400, 50 * 86_400, 9),
    ],
)
def test_ticks_stand_at_round_distances(seconds, step, count):
    assert time_ticks(seconds) == [step * n for n in range(count)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (45, "45s"), (90, "1m 30s"), (5400, "1h 30m"), (172_800, "2d"), (90_061, "1d 1h 1m 1s")],
)
def test_moments_are_written_without_units_that_are_zero(seconds, text):
    assert time_label(seconds) == text


def test_columns_hold_the_most_that_is_in_use_in_them():
    # 0-4: 2, 3-5: 3 more, 9 for no time at 8; ten seconds in five columns of two
    assert highest_per_column([(0, 4, 2), (3, 5, 3), (8, 8, 9)], 10, 5) == [2, 5, 3, 0, 9]
    assert highest_per_column([], 10, 2) == [0, 0]


def test_a_stair_line_draws_equal_neighbours_once():
    assert stair_points([1, 1, 3], 10, 100, 2) == "M10 100H10V99H14V97H16V100Z"


# no side effects


def test_nothing_is_written_and_nobody_is_called(monkeypatch):
    sketch = Sketch().job("a", 10).job("b", 20, after="a").job("big", cpus=99)
    run(sketch, machine(2))  # so that what is imported late is there
    plain_open, os_open = builtins.open, os.open

    def refuse(*args, **kwargs):
        raise AssertionError(f"not allowed in a dry run: {args}")

    def checked_open(file, mode="r", *args, **kwargs):
        return refuse(file, mode) if set(mode) & set("wax+") else plain_open(file, mode, *args, **kwargs)

    def checked_os_open(path, flags, *args, **kwargs):
        return (
            refuse(path, flags)
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            else os_open(path, flags, *args, **kwargs)
        )

    monkeypatch.setattr(builtins, "open", checked_open)
    monkeypatch.setattr(os, "open", checked_os_open)
    for owner, name in ((socket, "socket"), (os, "posix_spawn"), (os, "fork"), (os, "mkdir"), (os, "system")):
        monkeypatch.setattr(owner, name, refuse)
    schedule = run(sketch, machine(2))
    schedule.as_json(), schedule.rows(), schedule.summary()
    svg(schedule, "t"), html(schedule, "t")
    stages = Stages(sketch.plan)
    stages.as_json(), stages.rows()
    monkeypatch.undo()
    assert len(schedule.entries) == 2
