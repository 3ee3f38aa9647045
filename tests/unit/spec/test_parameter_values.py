"""Values of parameters: every vector of the published behaviour, then native values, files and limits."""

from __future__ import annotations

import math

import pytest

from tests.unit.spec.small_specs import problems, reader, spec
from torc_core.spec.findings import BadText
from torc_core.spec.parameters import number_text, values_of

NAN = "NaN"

VECTORS = [
    ("V1", "1:5", [1, 2, 3, 4, 5]),
    ("V2", "0:10:3", [0, 3, 6, 9]),
    ("V3", "0:100:10", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
    ("V4", "3:3", [3]),
    ("V5", "5:1", []),
    ("V6", "5:1:-1", [5, 4, 3, 2, 1]),
    ("V7", "5:1:-2", [5, 3, 1]),
    ("V8", "1:5:-1", []),
    ("V10", "-3:3:2", [-3, -1, 1, 3]),
    ("V11", "+1:3", [1, 2, 3]),
    ("V12", "1:5:", [1, 2, 3, 4, 5]),
    ("V17", "0.0:1.0:0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
    (
        "V18",
        "0.0:1.0:0.1",
        [
            0.0,
            0.1,
            0.2,
            0.30000000000000004,
            0.4,
            0.5,
            0.6,
            0.7,
            0.7999999999999999,
            0.8999999999999999,
            0.9999999999999999,
        ],
    ),
    ("V20", "1.0:2", [1.0, 2.0]),
    ("V21", "1:2.5", [1.0, 2.0]),
    ("V22", "1.0:0.0", []),
    ("V23", "1.0:0.0:-0.5", [1.0, 0.5, 0.0]),
    ("V24", "0.0001:0.01:10", [0.0001]),
    ("V25", "1e-3:1e-2:3e-3", [0.001, 0.004, 0.007, 0.01]),
    ("V28", " 1 : 3 ", [1, 2, 3]),
    ("V29", "{1:3}", [1, 2, 3]),
    ("V29 blanks", "{ 1:3 }", [1, 2, 3]),
    ("V30", "{5}", [5]),
    ("V31", "{1,2}", ["{1,2}"]),
    ("V32", "[1,5,10]", [1, 5, 10]),
    ("V33", "[1, 2.5, x]", [1, 2.5, "x"]),
    ("V34", "[1.0,2]", [1.0, 2]),
    ("V35", "[]", []),
    ("V35 blank", "[ ]", []),
    ("V36", "[1,,3]", [1, "", 3]),
    ("V37", "[1,]", [1, ""]),
    ("V38", "['a','b']", ["a", "b"]),
    ("V38 double", '["a","b"]', ["a", "b"]),
    ("V39", "[a b,c]", ["a b", "c"]),
    ("V40", "['a,b','c']", ["a", "b", "c"]),
    ("V41", "['1','2']", ["1", "2"]),
    ("V42", "['it''s']", ["it''s"]),
    ("V43", "[[1,2],[3]]", [1, "2]", "[3"]),
    ("V44", "[true,false]", ["true", "false"]),
    ("V45", "[1e3,1E-3]", [1000.0, 0.001]),
    ("V46", "[007,08]", [7, 8]),
    ("V47", "[+5,-5]", [5, -5]),
    ("V48", "[1_000]", ["1_000"]),
    ("V48 hex", "[0x10]", ["0x10"]),
    ("V50 integer", "7", [7]),
    ("V50 float", "3.14", [3.14]),
    ("V50 text", "hello", ["hello"]),
    ("V51", "", [""]),
    ("V51 blanks", "   ", [""]),
    ("V52", "'quoted'", ["'quoted'"]),
    ("V53", "a,b", ["a,b"]),
    ("V56", "[1:3]", ["1:3"]),
    ("V57", "['a:b']", ["a:b"]),
    ("V59", "[9223372036854775808]", [9223372036854775808.0]),
]

ERRORS = [
    ("V9", "1:5:0", "zero"),
    ("V13", ":5", "not a number"),
    ("V14", "1:2:3:4", "three parts"),
    ("V15", "1:5:0.5", "not a whole number"),
    ("V16", "0:1:0.25", "not a whole number"),
    ("V26", "0.0:1.0:0", "zero"),
    ("V27", "a:c", "not a number"),
    ("V54", "http://x", "not a number"),
    ("V55", "12:30:00", "zero"),
    ("V58", "1:3,5", "not a number"),
]


@pytest.mark.parametrize(("text", "expected"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_a_value_string_stands_for_these_values(text, expected):
    found = list(values_of(text))
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(("text", "reason"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
def test_a_value_string_that_cannot_be_read_says_why(text, reason):
    with pytest.raises(BadText, match=reason) as caught:
        values_of(text)
    assert text in str(caught.value)
    assert caught.value.code == "param-value"


def test_a_float_range_that_starts_off_the_grid_keeps_its_rounding_errors():  # V19
    values = values_of("0.1:1.0:0.1")
    assert len(values) == 10
    assert values[-1] == 0.9999999999999999


def test_infinity_and_not_a_number_are_floats():  # V49
    infinity, nan = values_of("[inf,nan]")
    assert infinity == math.inf
    assert isinstance(nan, float)
    assert math.isnan(nan)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"), (0.001, "0.001"), (1e-7, "0.0000001"), (1e21, "1000000000000000000000"),
        (0.1 + 0.1 + 0.1, "0.30000000000000004"), (-0.0, "-0"), (math.inf, "inf"), (-math.inf, "-inf"),
        (math.nan, "NaN"), (9223372036854775808.0, "9223372036854776000"), (100000.0, "100000"), (1e16, "1" + "0" * 16),
        (-2.5e-10, "-0.00000000025"),
    ],
)  # fmt: skip
def test_floats_are_written_without_exponent_and_without_a_forced_fraction(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, [5]),
        (0.5, [0.5]),
        (True, ["true"]),
        (None, ["null"]),
        ([1, 0.5, "x"], [1, 0.5, "x"]),
        (["a,b", "c:d", " e "], ["a,b", "c:d", " e "]),
        ([], []),
        (["1", "007"], ["1", "007"]),
        ([True, None, [1, 2]], ["true", "null", "[1,2]"]),
        (2**63, [9223372036854775808.0]),
    ],
)
def test_native_values_are_taken_as_they_are(value, expected):
    found = list(values_of(value))
    assert found == expected
    assert [type(item) for item in found] == [type(item) for item in expected]


def test_a_file_gives_one_value_for_each_line_that_counts():  # V60
    files = reader({"list.txt": "# sizes\n\n 8 \n0.5\nname with blank\n#16\n007\n"})
    assert values_of("@list.txt", files) == [8, 0.5, "name with blank", 7]
    assert values_of(" @ list.txt ", files) == [8, 0.5, "name with blank", 7]


@pytest.mark.parametrize(("text", "reason"), [("@", "without the name"), ("@no.txt", "No such file")])
def test_a_value_file_that_is_not_there_is_an_error(text, reason):
    with pytest.raises(BadText, match=reason) as caught:
        values_of(text, reader({}))
    assert caught.value.code == "param-file"


def test_files_need_somebody_who_reads_them():
    with pytest.raises(BadText, match="not available"):
        values_of("@list.txt", None)


@pytest.mark.parametrize(
    "text",
    ["0:1000000000000", "0:9223372036854775807", "0:inf", "0.0:1e300:1e-300", "-inf:0.5", "10:-inf:-0.5", "0.5:1e9"],
)
def test_a_range_that_is_too_long_or_never_ends_is_refused(text):
    with pytest.raises(BadText, match="1,000,000 values") as caught:
        values_of(text)
    assert caught.value.code == "expansion-too-large"


def test_the_limit_counts_values_exactly():
    assert len(values_of("1:10", limit=10)) == 10
    assert len(values_of("10:1:-1", limit=10)) == 10
    assert len(values_of("1.0:10.0", limit=10)) == 10
    for text in ("0:10", "10:0:-1", "0.0:10.0", "[0,1,2,3,4,5,6,7,8,9,10]"):
        with pytest.raises(BadText):
            values_of(text, limit=10)


def test_very_long_numbers_are_floats_or_infinite_and_no_accident():
    assert values_of("9" * 5000) == [math.inf]
    assert values_of("0" * 5000 + "7") == [7]
    assert values_of("-" + "0" * 30) == [0]
    assert values_of("9223372036854775807") == [2**63 - 1]
    assert values_of("-9223372036854775808") == [-(2**63)]


@pytest.mark.parametrize(("text", "hint"), [("1:5:0.5", "Write 1.0"), ("-2:4:0.5", "Write -2.0"), ("1:5:x", "[1:5:x]")])
def test_a_step_that_is_no_whole_number_gets_the_start_to_write(text, hint):
    with pytest.raises(BadText, match="not a whole number") as caught:
        values_of(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(("text", "warnings"), [("[1,2", 1), ("1,2]", 1), ("[1,2]", 0), ("1,2", 0), ("@[x", 0)])
def test_a_list_without_one_of_its_brackets_is_warned_of(text, warnings):
    found = problems(spec([{"name": "j{a}", "parameters": {"a": text}}]), {"[x": "1"})
    assert [(p.code, p.severity) for p in found] == [("param-value", "warning")] * warnings
