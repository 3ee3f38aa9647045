"""JSON and JSON5: the grammar, what goes beyond it, and the places of errors; the json5 package is the witness."""

import json
import math

import json5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat

BOTH = [JsonFormat(), Json5Format()]


@pytest.fixture(params=BOTH, ids=lambda made: made.name)
def either(request):
    return request.param


def problem(spec_format, text):
    with pytest.raises(FormatError) as caught:
        spec_format.loads(text)
    return caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        *(
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12",
            "-1.5",
            "1e3",
            "1E-2",
            '""',
            '"a"',
            "[]",
            "{}",
            " [ ] ",
            "\t{\r\n}\n",
        ),
        *(
            '{"a": {"b": [1, "c", null, {}]}, "": 0}',
            '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00"',
            '"\x7f\u2028é😀"',
        ),
        *("123456789012345678901234567890", '["a:b", "//", "/* */", "{}"]'),
    ],
)
def test_json_is_read(either, text):
    found, expected = either.loads(text).data, json.loads(text)
    assert repr(found) == repr(expected)


def test_numbers_keep_their_kind(either):
    assert [type(value) for value in either.loads("[1, 1.0, 1e0, true]").data] == [int, float, float, bool]


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ('{"a": 1,\n "b" 2}', 2, 6, '":"'),
        ('{"a": 1\n "b": 2}', 2, 2, 'found "b"'),
        ('{"a": 1', 1, 8, "line 1"),
        ("[1, 2", 1, 6, "ends here"),
        ("[1 2]", 1, 4, '","'),
        ("[1,, 2]", 1, 4, "value"),
        ("[,]", 1, 2, "value"),
        ('{"a":}', 1, 6, "value"),
        ("{,}", 1, 2, "key"),
        ("{1.5: 2}", 1, 2, "key"),
        ("[1}", 1, 3, '"]"'),
        ('{"a": 1]', 1, 8, '"}"'),
        ("]", 1, 1, "value"),
        ("1 2", 1, 3, "ended"),
        ("{} x", 1, 4, "ended"),
        ("1,", 1, 2, "ended"),
        ('{"a": "b', 1, 7, "closing quote"),
        ('{"a": "b\n"}', 1, 7, "closing quote"),
        ('{"a', 1, 2, "closing quote"),
        ('["\\u12"]', 1, 3, "escape"),
        ('["\\ud800"]', 1, 3, "surrogate"),
        ('["\\ud800\\u0041"]', 1, 3, "surrogate"),
        ('["\\udc00"]', 1, 3, "surrogate"),
        ("[01]", 1, 2, "number"),
        ("[1e]", 1, 2, "number"),
        ("[-]", 1, 2, "number"),
        ("[1a]", 1, 2, "number"),
        ("[True]", 1, 2, "Write true"),
        ("[None]", 1, 2, "Write null"),
        ("[hello]", 1, 2, "quotes"),
        ('{"a": yes}', 1, 7, "quotes"),
        ("[1] # x", 1, 5, "ended"),
        ("[1, # x\n2]", 1, 5, "//"),
    ],
)
def test_syntax_errors_say_where_and_what_to_do(either, text, line, column, part):
    found = problem(either, text)
    assert (found.code, found.line, found.column) == (f"{either.name}-syntax", line, column)
    assert part in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[1,]", 1, 4),
        ('{"a": 1,}', 1, 9),
        ("{a: 1}", 1, 2),
        ("{'a': 1}", 1, 2),
        ("['a']", 1, 2),
        ("// x\n[]", 1, 1),
        ("[1, /* x */ 2]", 1, 5),
        ("[NaN]", 1, 2),
        ("[Infinity]", 1, 2),
        ("[-Infinity]", 1, 2),
        ("[+1]", 1, 2),
        ("[.5]", 1, 2),
        ("[5.]", 1, 2),
        ("[0x1F]", 1, 2),
    ],
)
def test_json_refuses_what_only_json5_allows_and_says_so(text, line, column):
    found = problem(JsonFormat(), text)
    assert (found.code, found.line, found.column) == ("json-syntax", line, column)
    assert "JSON" in f"{found.message} {found.hint}"
    Json5Format().loads(text)


@pytest.mark.parametrize("text", ['["\\x41"]', '["\\\n"]', '["\\q"]', '["\\0"]', '["a\tb"]', "[\u00a01]", "[1]\u2028"])
def test_json_has_neither_other_escapes_nor_other_blanks(text):
    assert problem(JsonFormat(), text).code == "json-syntax"
    Json5Format().loads(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{a: 1, $b_1: 2, _: 3, null: 4, été: 5, \\u0061b: 6}",
            {"a": 1, "$b_1": 2, "_": 3, "null": 4, "été": 5, "ab": 6},
        ),
        ("{NaN: 1, Infinity: 2, 'x y': 3,}", {"NaN": 1, "Infinity": 2, "x y": 3}),
        ("[1, 2,]", [1, 2]),
        ("[0x1F, -0XfF, +0x0]", [31, -255, 0]),
        ("[.5, 5., +1, -.5e1, 5.e-1]", [0.5, 5.0, 1, -5.0, 0.5]),
        ("[Infinity, -Infinity, +Infinity]", [math.inf, -math.inf, math.inf]),
        ("'it\\'s \"quoted\"'", 'it\'s "quoted"'),
        ("'a\\\nb\\\r\nc\\\u2028d'", "abcd"),
        ("'\\x41\\u0042\\0\\v\\q\\'\\\"\\/'", "AB\0\vq'\"/"),
        ("// c\n/* c\n * **/ [1, // c\n2 /**/, /* ] */ 3] // end", [1, 2, 3]),
        ("\ufeff\u00a0\u3000\v\f[\u2028]", []),
        ("{a: {}, b: [[], {}]}", {"a": {}, "b": [[], {}]}),
    ],
)
def test_json5_is_read(text, expected):
    assert repr(Json5Format().loads(text).data) == repr(expected)
    assert json5.loads(text.removeprefix("\ufeff")) == expected


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[,]", 1, 2),
        ("{,}", 1, 2),
        ("{a: 1,, b: 2}", 1, 7),
        ("{a-b: 1}", 1, 3),
        ("{1a: 1}", 1, 2),
        ("'a\nb'", 1, 1),
        ("'\\x4'", 1, 2),
        ("'\\1'", 1, 2),
        ("'\\01'", 1, 2),
        ("[0x]", 1, 2),
        ("[1_000]", 1, 2),
        ("[1, /* 2", 1, 5),
        ("[infinity]", 1, 2),
        ("// only a comment\n[", 2, 2),
        ('"\u00e9\n"', 1, 1),
    ],
)
def test_json5_errors_have_their_place(text, line, column):
    found = problem(Json5Format(), text)
    assert (found.code, found.line, found.column) == ("json5-syntax", line, column)
    with pytest.raises(ValueError, match=r"."):
        json5.loads(text)


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "part"),
    [
        ('{"a": 1,\n "b": 2,\n "a": 3}', "duplicate-key", 3, 2, "line 1"),
        ('[{"x": {"y": 1, "y": 1}}]', "duplicate-key", 1, 17, '"y"'),
        ('{"a": 1, "\\u0061": 2}', "duplicate-key", 1, 10, "line 1"),
        ("[" * 201 + "]" * 201, "nesting", 1, 201, "200"),
        ('{"a":' * 201 + "1" + "}" * 201, "nesting", 1, 1001, "200"),
        ("[" * 100_000, "nesting", 1, 201, "200"),
        ("[" + "9" * 1001 + "]", "number", 1, 2, "1000"),
        ("[" + "9" * 5000 + "]", "number", 1, 2, "1000"),
        ("[0." + "9" * 1001 + "]", "number", 1, 2, "1000"),
        ("[1e999]", "number", 1, 2, "large"),
        ("[-1e999]", "number", 1, 2, "large"),
        ('["a\x07"]', "control-character", 1, 4, "U+0007"),
        ('["\ud800"]', "control-character", 1, 3, "U+D800"),
        ("", "empty", 1, 1, "empty"),
        (" \n\t ", "empty", 1, 1, "empty"),
    ],
)
def test_what_nobody_means_is_refused(either, text, code, line, column, part):
    found = problem(either, text)
    assert (found.code, found.line, found.column) == (code, line, column)
    assert part in f"{found.message} {found.hint}"


def test_an_escape_cannot_smuggle_other_signs_into_a_bare_key():
    found = problem(Json5Format(), "{a\\u002db: 1}")
    assert (found.code, found.line, found.column) == ("json5-syntax", 1, 2)


def test_only_comments_are_an_empty_document():
    assert problem(Json5Format(), "// nothing\n/* at all */").code == "empty"


@pytest.mark.parametrize("depth", [199, 200])
def test_two_hundred_levels_can_be_read(either, depth):
    assert either.loads("[" * depth + "]" * depth).data is not None


def test_places_count_characters_and_all_kinds_of_line_ends(either):
    locate = either.loads('{"é": "ü",\r\n"b":\r[1, {"c": null}],\n"d": {}}').locate
    assert locate(()) == (1, 1)
    assert locate(("é",)) == (1, 7)
    assert locate(("b",)) == (3, 1)
    assert locate(("b", 1)) == (3, 5)
    assert locate(("b", 1, "c")) == (3, 11)
    assert locate(("d",)) == (4, 6)
    assert locate(("b", 7)) == (3, 1)


def test_places_do_not_depend_on_what_is_done_to_the_data(either):
    parsed = either.loads('{"a": [1,\n2,\n3]}')
    parsed.data["a"].clear()
    assert parsed.locate(("a", 2)) == (3, 1)


def test_the_json5_writer_is_readable():
    spec = {
        "name": "demo",
        "jobs": [{"name": "a", "depends_on": ["b", "c"], "x-y": None}],
        "none": {},
        "big": ["w" * 100],
    }
    assert Json5Format().dumps(spec) == (
        "{\n"
        '  name: "demo",\n'
        "  jobs: [\n"
        "    {\n"
        '      name: "a",\n'
        '      depends_on: ["b", "c"],\n'
        '      "x-y": null,\n'
        "    },\n"
        "  ],\n"
        "  none: {},\n"
        "  big: [\n"
        f'    "{"w" * 100}",\n'
        "  ],\n"
        "}\n"
    )


GAP = st.sampled_from(["", "", " ", "\n", "/* c */", "// c\n", "\u00a0", "\t"])
SCALARS = st.one_of(
    st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        ["'a'", "'it\\'s'", "'\\x41\\\n'", "null", "true", "false", "NaN", "-Infinity", "+1", ".5", "5.", "-0x1f"]
    ),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
NAMES = st.sampled_from(["a", "$", "_b", "'c d'", '"e"', "été", "null", "\\u0066"])


def _list(items):
    return st.tuples(st.lists(st.tuples(GAP, items, GAP), max_size=4), st.sampled_from(["", ","])).map(
        lambda made: "[" + ",".join(map("".join, made[0])) + (made[1] if made[0] else "") + "]"
    )


def _mapping(items):
    pairs = st.lists(st.tuples(NAMES, GAP, st.just(":"), GAP, items, GAP), max_size=4, unique_by=lambda pair: pair[0])
    return pairs.map(lambda made: "{" + ",".join(map("".join, made)) + "}")


@settings(max_examples=100, deadline=None)
@given(
    text=st.tuples(GAP, st.recursive(SCALARS, lambda inner: _list(inner) | _mapping(inner), max_leaves=12), GAP).map(
        "".join
    )
)
def test_random_documents_mean_the_same_to_the_json5_package(text):
    assert repr(Json5Format().loads(text).data) == repr(json5.loads(text))
