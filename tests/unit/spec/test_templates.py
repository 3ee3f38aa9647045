"""Tokens in texts: every vector of the published behaviour, in the column "ours" where that differs."""

from __future__ import annotations

import math

import pytest

from torc_core.spec.findings import BadText
from torc_core.spec.template import format_value, left_over, render

VECTORS = [
    ("T1", "job_{i}", {"i": 5}, "job_5"),
    ("T2", "job_{i:03d}", {"i": 5}, "job_005"),
    ("T3", "job_{i:03d}", {"i": -5}, "job_-05"),
    ("T4", "job_{i:03d}", {"i": 12345}, "job_12345"),
    *[("T5", "job_{i:" + spec + "}", {"i": 5}, "job_5") for spec in ("3d", "d", "0d", "05", ">5", "")],
    ("T6", "job_{i:.2f}", {"i": 5}, "job_5"),
    ("T7", "job_{i:x}", {"i": 255}, "job_255"),
    ("T8", "job_{i:00003d}", {"i": 5}, "job_005"),
    ("T8 plus", "job_{i:0+3d}", {"i": 5}, "job_005"),
    ("T9", "job_{i:020d}", {"i": -7}, "job_-0000000000000000007"),
    ("T10", "{x:.2f}", {"x": 0.5}, "0.50"),
    ("T11", "{x:.0f}", {"x": 2.5}, "2"),
    ("T11", "{x:.0f}", {"x": 3.5}, "4"),
    ("T12", "{x:.1f}", {"x": 0.25}, "0.2"),
    ("T12", "{x:.1f}", {"x": 0.35}, "0.3"),
    ("T13", "{x:.2f}", {"x": 1.005}, "1.00"),
    ("T14", "{x:.4f}", {"x": 0.001}, "0.0010"),
    *[("T15", "{x:" + spec + "}", {"x": 0.5}, "0.5") for spec in ("f", "6.2f", ".2e", ".2", "03d")],
    ("T16", "{x}", {"x": 1e-7}, "0.0000001"),
    ("T17", "{x}", {"x": 1e21}, "1000000000000000000000"),
    ("T18", "{x}", {"x": 1.0}, "1"),
    ("T18", "{x}", {"x": 1e3}, "1000"),
    ("T18", "{x}", {"x": 100000.0}, "100000"),
    ("T19", "{s:03d}", {"s": "abc"}, "abc"),
    ("T19", "{s:>10}", {"s": "abc"}, "abc"),
    ("T20", "{i}-{i:02d}", {"i": 5}, "5-05"),
    ("T21", "{i:02d}-{i:03d}", {"i": 5}, "05-005"),
    ("T22", "{i:02d}-{i:02d}", {"i": 5}, "05-05"),
    ("T23", "{i}-{j}", {"i": 5}, "5-{j}"),
    *[("T24", text, {"i": 5}, text) for text in ("{ i }", "{I}", "{ij}")],
    ("T25", "{{i}}", {"i": 5}, "{5}"),
    ("T26", "${i}", {"i": 5}, "$5"),
    ("T27", "${i:0:3}", {"i": 5}, "$5"),
    ("T28", "{i", {"i": 5}, "{i"),
    ("T28", "{i:03d", {"i": 5}, "{i:03d"),
    ("T29", "{i:03d} x }", {"i": 5}, "005 x }"),
    ("T30", "{a}", {"a": "{b}", "b": 9}, "{b}"),
]


@pytest.mark.parametrize(("text", "values", "expected"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_tokens_become_this_text(text, values, expected):
    assert render(text, values) == expected


def test_percent_signs_and_backslashes_in_a_text_survive():
    assert render(r"100%s %d %% \1 {i}", {"i": 5}) == r"100%s %d %% \1 5"


def test_percent_signs_in_values_survive():
    assert render("{a}-{b}", {"a": "%s", "b": "%%"}) == "%s-%%"


def test_names_are_free_text_and_the_longest_one_wins():
    assert render("{learning rate} {a.b} {a}", {"a": 1, "a.b": 2, "learning rate": 3}) == "3 2 1"
    assert render("{a:b}", {"a": 1, "a:b": 2}) == "2"
    assert render("{axb}", {"a.b": 2}) == "{axb}"


@pytest.mark.parametrize(("value", "text"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "NaN")])
def test_decimals_leave_infinity_and_not_a_number_alone(value, text):
    assert format_value(value, ".2f") == text


@pytest.mark.parametrize("spec", ["0999999999d", ".1001f", "0" * 20 + "1001d", "0" + "9" * 5000 + "d"])
def test_an_absurd_width_is_refused_before_it_is_made(spec):
    with pytest.raises(BadText) as caught:
        render("{i:" + spec + "}", {"i": 1})
    assert caught.value.code == "token-format"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a{k}b", ["{k}"]),
        ("{i} {k:03d}", ["{k:03d}"]),
        ("${k} ${HOME} ${K:-x}", []),
        (r"\p{L} \x{41}", []),
        ("{} {1} { k } {a b} x{2,3}", []),
        ("{{k}}", ["{k}"]),
        ("{i}", []),
    ],
)
def test_what_looks_like_a_token_and_is_none_is_found(text, tokens):
    assert [token for token, _ in left_over(text, ("i",))] == tokens
