"""Memory sizes and durations: the published grammar, and the accidents of it that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torc_core.units import (
    UnitError,
    format_duration,
    format_memory,
    human_duration,
    human_memory,
    parse_duration,
    parse_memory,
)

KIB, MIB, GIB, TIB = 1024, 1024**2, 1024**3, 1024**4


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("0", 0),
        ("512k", 512 * KIB),
        ("512K", 512 * KIB),
        ("1m", MIB),
        ("2g", 2 * GIB),
        ("2G", 2 * GIB),
        ("1t", TIB),
        (" 4g ", 4 * GIB),
        ("+5", 5),
        ("+5m", 5 * MIB),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_memory_is_binary_and_case_blind(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.5g",
        "2GB",
        "2 g",
        "1x",
        "-1",
        "-1g",
        "g",
        "0x10",
        "1_000",
        "9223372036854775808",
        "8388608t",
        "9" * 400,
        "1gg",
        "1e3",
    ],
)
def test_what_is_no_memory_size_is_refused_with_the_text(text):
    with pytest.raises(UnitError) as caught:
        parse_memory(text)
    assert caught.value.text == text
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT30M", 1800),
        ("P1DT12H", 129_600),
        ("PT48H", 172_800),
        ("PT90M", 5400),
        ("P2W", 1_209_600),
        ("PT1H30S", 3630),
        ("PT0S", 0),
        ("P0DT1M", 60),
        ("PT1H", 3600),
        ("P1Y", 31_557_600),
        ("P1M", 2_629_800),
        ("P1D", 86_400),
        ("PT1.9S", 1),
        ("PT1,5S", 1),
        ("P1Y2M3DT4H5M6S", 31_557_600 + 2 * 2_629_800 + 3 * 86_400 + 4 * 3600 + 5 * 60 + 6),
    ],
)
def test_durations_are_whole_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "30M",
        "1h",
        "PT1.5H",
        "PT2h",
        "PT30Mxyz",
        "pt30m",
        "P1H",
        "PT1M1H",
        "PT-1M",
        "PT 1M",
        "P1DT",
        "01:00:00",
    ],
)
def test_what_is_no_duration_or_only_by_accident_is_refused(text):
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert "PT30M" in str(caught.value)


def test_an_absurd_duration_is_refused():
    with pytest.raises(UnitError):
        parse_duration("P" + "9" * 30 + "Y")


@pytest.mark.parametrize("text", ["9223372036854775808", "8388608t", "9" * 5000, "9" * 5000 + "t"])
def test_too_much_memory_is_not_taken_for_bad_spelling(text):
    with pytest.raises(UnitError, match="expected fewer bytes than 64 bits count"):
        parse_memory(text)


def test_zeros_in_front_do_not_count():
    assert parse_memory("0" * 5000 + "7k") == 7 * KIB
    assert parse_duration("PT" + "0" * 5000 + "7M") == 7 * 60


@pytest.mark.parametrize("text", ["P" + "9" * 5000 + "D", "PT9223372036854775808S", "P292471208678Y"])
def test_too_long_a_time_is_not_taken_for_bad_spelling(text):
    with pytest.raises(UnitError, match="fits 64 bits of seconds"):
        parse_duration(text)


@given(st.integers(0, 2**62))
def test_memory_reads_back_from_its_shortest_form(size):
    assert parse_memory(format_memory(size)) == size


@given(st.integers(0, 2**40))
def test_durations_read_back_from_their_text(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1k"), (1536, "1536"), (2 * GIB, "2g"), (TIB, "1t"), (MIB + KIB, "1025k")],
)
def test_memory_is_written_with_the_largest_unit_that_divides_it(size, text):
    assert format_memory(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "PT0S"), (59, "PT59S"), (60, "PT1M"), (3661, "PT1H1M1S"), (86_400, "P1D"), (90_000, "P1DT1H")],
)
def test_durations_are_written_without_empty_parts(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (3 * GIB, "3.0 GiB"), (2048 * TIB, "2048.0 TiB")]
)
def test_memory_for_people(size, text):
    assert human_memory(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "0.2s"), (1.5, "1.5s"), (121, "2m 1s"), (10_921, "3h 2m 1s")])
def test_durations_for_people(seconds, text):
    assert human_duration(seconds) == text
