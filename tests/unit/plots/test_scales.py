"""Scales of values, and which points are drawn."""

import pytest

from torc_core.plots.scales import BYTE_RATE, BYTES, COUNT, PERCENT, scale_for, thinned

MIB, GIB = 2**20, 2**30


@pytest.mark.parametrize(
    ("highest", "unit", "top", "step"),
    [
        (402.0, PERCENT, 500, 100),
        (400.0, PERCENT, 400, 100),
        (3.0, PERCENT, 100, 20),  # never less than one CPU
        (2986.0, PERCENT, 3000, 1000),
        (6.0, COUNT, 6, 2),
        (0.0, COUNT, 2, 1),
        (482.6 * MIB, BYTES, 512 * MIB, 128 * MIB),
        (12.7 * GIB, BYTES, 16 * GIB, 4 * GIB),
        (24 * GIB, BYTES, 24 * GIB, 8 * GIB),
        (0.0, BYTES, 1024, 256),
    ],
)
def test_a_scale_has_round_steps_and_room_for_the_highest_value(highest, unit, top, step):
    scale = scale_for(highest, unit)
    assert (scale.top, scale.step) == (top, step)
    assert len(scale.ticks()) <= 6
    assert scale.ticks()[-1] == top


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        (PERCENT, 402.3, "402%"), (PERCENT, 3.25, "3.2%"), (PERCENT, 1200, "1,200%"), (COUNT, 7, "7"),
        (BYTES, 64 * MIB, "64 MiB"), (BYTES, 1.5 * GIB, "1.5 GiB"), (BYTE_RATE, 2 * MIB, "2 MiB/s"), (BYTES, 0, "0 B"),
    ],
)  # fmt: skip
def test_values_are_written_for_people(unit, value, words):
    assert unit.write(value) == words


def test_of_points_in_one_column_the_lowest_and_the_highest_are_kept():
    points = [(0.0, 5.0), (0.2, 1.0), (0.4, 9.0), (0.9, 4.0), (1.5, 3.0), (2.0, 2.0), (2.5, 8.0)]
    assert thinned(points, 1.0) == [(0.2, 1.0), (0.4, 9.0), (1.5, 3.0), (2.0, 2.0), (2.5, 8.0)]


def test_no_peak_is_lost_among_many_points():
    points = [(n / 100, 1.0) for n in range(10_000)]
    points[4321] = (43.21, 77.0)
    kept = thinned(points, 1.0)
    assert len(kept) <= 200
    assert max(value for _, value in kept) == 77.0


def test_few_points_are_kept_as_they_are():
    assert thinned([(0.0, 1.0), (0.1, 2.0)], 5.0) == [(0.0, 1.0), (0.1, 2.0)]
    assert thinned([], 1.0) == []
