"""The dialect of regular expressions in specs, and searching names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torc_core.spec.findings import BadText
from torc_core.spec.name_index import NameIndex
from torc_core.spec.patterns import compile_pattern, literal_start


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("b", "abc", True),  # not anchored
        ("^b", "abc", False),
        ("c$", "abc", True),
        ("c$", "abc\n", False),  # the very end only
        (r"a\$", "a$", True),
        ("[$]", "a$", True),
        (r"c\z", "abc", True),
        (r"^gen_\d{2,3}$", "gen_007", True),
        (r"^gen_\d{2,3}$", "gen_7", False),
        ("a{2}b{1,}", "aab", True),
        (r"a\{k\}", "a{k}", True),
        ("[{}]", "{", True),
        ("(?i)ABC", "abc", True),
        ("(?i:A)bc", "abc", True),
        ("(?:a|x)b", "xb", True),
        ("(?<year>a)b", "ab", True),
        ("(?P<year>a)b", "ab", True),
        ("[[:digit:]x]+$", "a7x", True),
        (r"\x{41}", "A", True),
        ("0.5", "0x5", True),  # values are not escaped
        ("}", "a}", True),
        ("[]a]", "]", True),
        (r"[\]a]", "]", True),
        (r"\[", "[", True),
    ],
)
def test_a_pattern_finds_what_the_original_dialect_finds(pattern, name, found):
    assert bool(compile_pattern(pattern).search(name)) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=x)",
        "(?!x)",
        "(?<=x)",
        "(?<!x)",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "a{param}",
        "{",
        "a{",
        "a{,",
        "(",
        "a)",
        "[a",
        "*a",
        "a**?*",
        r"\p{L}",
        r"\pL",
        "(?#x)a",
        "(?>a)",
        "(?(1)a)",
        "[a[b]]",
        "[a&&b]",
        "[[:nope:]]",
        "\\",
        r"\x{ffffffff}",
        r"\N{DASH}",
        "a{99999999999}",
    ],
)
def test_what_the_original_dialect_does_not_know_is_refused(pattern):
    with pytest.raises(BadText):
        compile_pattern(pattern)


@pytest.mark.filterwarnings("error")
@given(st.text(alphabet=r"ab01^$.|()[]{}*+?\-:,<>=!PpxdwZz_&#", max_size=12))
def test_any_text_is_a_pattern_or_is_refused(text):
    try:
        compile_pattern(text).search("ab_01")
    except BadText:
        assert text


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("^gen_1_", "gen_1_"),
        (r"^gen_\d+", "gen_"),
        ("^ab*", "a"),
        ("^ab?c", "a"),
        ("^ab+", "ab"),
        ("^ab{0}", "a"),
        (r"^a\.b", "a.b"),
        (r"^a\.*", "a"),
        ("gen", ""),
        ("^a|b", ""),
        ("^(a)", ""),
        ("^", ""),
        (r"^a\d", "a"),
    ],
)
def test_the_literal_start_holds_for_every_match(pattern, start):
    assert literal_start(pattern) == start


@given(
    st.lists(st.text(alphabet="ab.1_", max_size=5), max_size=30),
    st.text(alphabet=r"ab1_.*?+", max_size=5).map("^".__add__),
)
def test_the_index_finds_the_same_as_trying_every_name(names, pattern):
    try:
        search = re.compile(pattern).search
    except re.error:
        return
    expected = tuple(i for i, name in enumerate(names) if search(name))
    assert NameIndex(names).matching(pattern) == expected


def test_a_pattern_is_searched_once():
    index = NameIndex(["a1", "a2", "b"])
    assert index.matching("^a") is index.matching("^a")


def test_likely_names_of_many_are_those_that_sort_near():
    index = NameIndex([f"job_{i:05d}" for i in range(10_000)])
    near = index.near("job_0500x")
    assert len(near) <= 500
    assert "job_05001" in near
