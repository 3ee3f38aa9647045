"""YAML: scalars by the core schema of YAML 1.2, anchors and merge keys within bounds, errors that help."""

import math

import pytest

from torc_core.contracts.formats import FormatError, Plain
from torc_plugins.formats.yaml_format import YamlFormat
from torc_plugins.formats.yaml_reader import PythonParser

FORMATS = {"libyaml": YamlFormat(), "python": YamlFormat(PythonParser)}


@pytest.fixture(params=FORMATS.values(), ids=FORMATS.keys())
def yaml_format(request):
    return request.param


def problem(yaml_format, text):
    with pytest.raises(FormatError) as caught:
        yaml_format.loads(text)
    return caught.value.problem


CORE_SCHEMA = [
    *((word, None) for word in ("null", "Null", "NULL", "~", "")),
    *((word, True) for word in ("true", "True", "TRUE")),
    *((word, False) for word in ("false", "False", "FALSE")),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("-19", -19),
    ("017", 17),
    ("0o17", 15),
    ("0x1F", 31),
    ("0xdeadBEEF", 0xDEADBEEF),
    ("123456789012345678901234567890", 123456789012345678901234567890),
    ("0.", 0.0),
    (".5", 0.5),
    ("-.5", -0.5),
    ("+12.30", 12.3),
    ("0.10", 0.1),
    ("1e3", 1000.0),
    ("-2E+05", -200000.0),
    ("12e-2", 0.12),
    ("1.e1", 10.0),
    (".inf", math.inf),
    (".Inf", math.inf),
    ("+.INF", math.inf),
    ("-.inf", -math.inf),
]
TEXT = [
    "yes", "Yes", "no", "NO", "on", "off", "y", "n", "nUll", "tRUE", "none", "None",
    "1:30", "10:30:00", "1:100", "2024-01-01", "1_000", "0b11", "-0x1F", "+0o17", "0o8", "0xG", "0X1F", "2g", "PT30M",
    ".", "+", "e3", "1e", "1e+", "..5", ".e3", "+-1", "inf", "nan", "-.nan", "+.nan", ".iNF", "=", "--flag",
    "word", "a:b", "a#b", "http://x/y?z=1", "${files.input.raw}",
    "two words", "1 2", "true false",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_unquoted_scalars_of_the_core_schema_keep_their_text_and_have_a_value(yaml_format, text, value):
    found = yaml_format.loads(f"key: {text}").data["key"]
    assert isinstance(found, Plain)
    assert found == text
    assert (type(found.value), found.value) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number_is_one_of_them(yaml_format, text):
    assert math.isnan(yaml_format.loads(f"key: {text}").data["key"].value)


@pytest.mark.parametrize("text", TEXT)
def test_everything_else_is_text(yaml_format, text):
    assert type(yaml_format.loads(f"key: {text}\nother: 1").data["key"]) is str
    assert yaml_format.loads(f"key: {text}").data == {"key": text}


@pytest.mark.parametrize("text", ["1", "true", "null", "", ".inf", "0x1F"])
def test_quoted_scalars_and_blocks_are_text(yaml_format, text):
    found = yaml_format.loads(f"a: '{text}'\nb: \"{text}\"\nc: |-\n  {text}\nd: >-\n  {text}\n").data
    assert list(found.values()) == [text] * 4
    assert {type(value) for value in found.values()} == {str}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!str", ""),
        ('!!int "5"', 5),
        ("!!int 0x10", 16),
        ("!!float 5", 5.0),
        ("!!float '1e3'", 1000.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!map {a: b}", {"a": "b"}),
        ("!!seq [a]", ["a"]),
        ("!<tag:yaml.org,2002:str> 5", "5"),
    ],
)
def test_core_tags_are_understood(yaml_format, text, expected):
    found = yaml_format.loads(f"key: {text}").data["key"]
    value = found.value if isinstance(found, Plain) else found
    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "!foo 5",
            "!!timestamp 2024-01-01",
            "!!binary YQ==",
            "!!python/none x",
            "!!set {a}",
            "!!omap [a: b]",
            "!!merge x",
        ),
        *("!!map [a]", "!!seq {a: b}", "!!str [a]", "!!int {a: b}", "!!map x", "!!int x", "!!int 1.5", "!!bool yes"),
        *("!!null x", "!!float x", "!!int true"),
    ],
)
def test_other_tags_and_values_that_do_not_fit_them_are_refused(yaml_format, text):
    found = problem(yaml_format, f"a: 1\nkey: {text}")
    assert (found.code, found.line, found.column) == ("yaml-tag", 2, 6)


def test_keys_are_the_text_of_what_is_written(yaml_format):
    text = "1: a\ntrue: b\n0x1F: c\n~: d\n'5': e\n!!str 6: f\n? explicit\n: g\n"
    assert list(yaml_format.loads(text).data) == ["1", "true", "0x1F", "~", "5", "6", "explicit"]
    assert {type(key) for key in yaml_format.loads(text).data} == {str}


@pytest.mark.parametrize("key", ["[a]", "{a: b}", "? [a]\n"])
def test_other_keys_are_refused(yaml_format, key):
    found = problem(yaml_format, f"a: 1\n{key}: 2")
    assert (found.code, found.line) == ("yaml-key", 2)


def test_aliases_stand_for_what_they_name(yaml_format):
    text = "a: &x [1, two]\nb: *x\nc: &y text\nd: *y\n*y : key\ne: &x 5\nf: *x\n&k g: *k\n"
    parsed = yaml_format.loads(text)
    assert parsed.data == {
        "a": ["1", "two"], "b": ["1", "two"], "c": "text", "d": "text", "text": "key", "e": "5", "f": "5", "g": "g",
    }  # fmt: skip
    assert parsed.data["f"].value == 5
    assert parsed.locate(("b",)) == (2, 4)
    assert parsed.locate(("b", 1)) == (1, 11)


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("a: 1\nb: *nothing", 2, 4, "nothing"),
        ("a: &x [1, *x]", 1, 11, "inside"),
        ("a: &x\n  b: {c: *x}", 2, 10, "inside"),
        ("&x [[*x]]", 1, 6, "inside"),
    ],
)
def test_aliases_without_an_end_are_refused(yaml_format, text, line, column, part):
    found = problem(yaml_format, text)
    assert (found.code, found.line, found.column) == ("yaml-alias", line, column)
    assert part in found.message


def test_aliases_that_multiply_are_refused(yaml_format):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = problem(yaml_format, "\n".join(lines))
    assert found.code == "yaml-alias"
    # The five lines a0 to a5 hold 11, 111, ... values; the sixth takes ten times 111,111 more.
    assert found.line == 6
    assert "1,000,000" in found.message


def test_many_aliases_of_something_small_are_fine(yaml_format):
    text = "base: &base {a: 1, b: 2}\nlist:\n" + "  - *base\n" * 2000
    assert len(yaml_format.loads(text).data["list"]) == 2000


def test_aliases_do_not_hide_depth(yaml_format):
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300))
    found = problem(yaml_format, text)
    # The mapping is the first level, a0 the second: a198 has 199 lists and is the last one that fits.
    assert (found.code, found.line) == ("nesting", 200)


def test_merge_keys_fill_in_what_is_missing(yaml_format):
    text = (
        "base: &base {cpus: 1, memory: 1g}\nmore: &more {memory: 2g, gpus: 4}\n"
        "one:\n  <<: *base\n  name: x\n  cpus: 8\n"
        "two:\n  name: y\n  <<: [*base, *more]\n"
        "three: {<<: {a: b}}\n"
        "four: {'<<': text}\n"
    )
    parsed = yaml_format.loads(text)
    assert parsed.data["one"] == {"name": "x", "cpus": "8", "memory": "1g"}
    assert parsed.data["two"] == {"name": "y", "cpus": "1", "memory": "1g", "gpus": "4"}
    assert parsed.data["three"] == {"a": "b"}
    assert parsed.data["four"] == {"<<": "text"}
    assert parsed.locate(("one", "memory")) == (1, 31)
    assert parsed.data["base"] == {"cpus": "1", "memory": "1g"}


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a:\n  <<: text", "yaml-merge", 2, 7),
        ("a:\n  <<: [x]", "yaml-merge", 2, 7),
        ("a:\n  <<:", "yaml-merge", 2, 6),
        ("a:\n  <<: {b: c}\n  <<: {d: e}", "duplicate-key", 3, 3),
    ],
)
def test_merge_keys_of_other_things_are_refused(yaml_format, text, code, line, column):
    found = problem(yaml_format, text)
    assert (found.code, found.line, found.column) == (code, line, column)


@pytest.mark.parametrize(
    ("text", "line", "column", "first"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, 1),
        ("a: {x: 1, x: 2}", 1, 11, 1),
        ("jobs:\n- name: a\n  command:\n    - b\n  name: c", 5, 3, 2),
        ("a:\n  - 1\nb: 2\n'a': 3", 4, 1, 1),
        ("1: a\n'1': b", 2, 1, 1),
        ("&x a: 1\n*x : 2", 2, 1, 1),
    ],
)
def test_repeated_keys_are_refused(yaml_format, text, line, column, first):
    found = problem(yaml_format, text)
    assert (found.code, found.line, found.column) == ("duplicate-key", line, column)
    assert f"line {first}" in found.message


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n", "\ufeff# x", "%YAML 1.2\n---\n"]
)
def test_documents_without_anything_are_empty(yaml_format, text):
    assert problem(yaml_format, text).code == "empty"


def test_a_written_null_is_not_nothing(yaml_format):
    assert yaml_format.loads("null").data.value is None
    assert yaml_format.loads("''").data == ""


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2", "--- \na: 1\n...\n---\n"])
def test_a_second_document_is_refused(yaml_format, text):
    found = problem(yaml_format, text)
    assert found.code == "yaml-documents"
    assert found.line == text[: text.rindex("---")].count("\n") + 1


def test_one_document_may_be_marked(yaml_format):
    assert yaml_format.loads("%YAML 1.2\n---\na: b\n...\n# end\n").data == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("a:\n\t- b", 2, 1, "tab"),
        ("a:\n  b: 1\n\tc: 2", 3, 1, "tab"),
        ("a: 1\nb: c: d", 2, 5, "quotes"),
        ("command: echo time: now", 1, 19, "quotes"),
        ("a: 1\n  b: 2", 2, 4, "indentation"),
        ("a: @x", 1, 4, 'cannot begin with "@"'),
        ("a: `x`", 1, 4, "quotes"),
        ("a: %x", 1, 4, "quotes"),
        ("pattern: *.csv", 1, 10, "quotes"),
        ("name: {i}_x", 1, 10, "quotes"),
        ('a: "b" c', 1, 8, "quotes"),
        ("a: [1, 2\nb: 3", 2, 2, "[ ]"),
        ('a: 1\nb: "c\nd: e\n', 2, 4, "never closed"),
        ("a: 'b", 1, 4, "never closed"),
        ('a: "\\d"', 1, 5, "backslash"),
        ("key: - x", 1, 6, "new line"),
        ("a: ]", 1, 4, "bracket"),
        ("a: [1, 2\n", 1, 4, "never closed"),
        ("a: 1\nb: {c: 1\n", 2, 4, "never closed"),
        ("jobs: [\n\n", 1, 7, "never closed"),
        ("a: [1,\n", 1, 6, "never closed"),
        ("- a\nb", 2, 1, ""),
        ("a:\n  - b\n - c", 3, 2, "does not fit"),
        ("a: !x!y z", 1, 4, "tag"),
    ],
)
def test_syntax_errors_say_where_and_what_to_do(text, line, column, part):
    found = problem(YamlFormat(), text)
    assert (found.code, found.line, found.column) == ("yaml-syntax", line, column)
    assert part in f"{found.message} {found.hint}"
    assert problem(FORMATS["python"], text).code == "yaml-syntax"


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: b\nc: d\x07", "control-character", 2, 5),
        ("a: \x7f", "control-character", 1, 4),
        ("a: \ud800", "control-character", 1, 4),
        ("é: ü\x00", "control-character", 1, 5),
        ("[" * 201, "nesting", 1, 201),
        ("- " * 201 + "x", "nesting", 1, 401),
        ("a: " + "9" * 1001, "number", 1, 4),
        ("a: " + "9" * 5000, "number", 1, 4),
        ("a: 1e" + "9" * 5000, "number", 1, 4),
        ("a: 0x" + "f" * 5000, "number", 1, 4),
        ("a: !!int '" + "9" * 5000 + "'", "number", 1, 4),
    ],
)
def test_what_nobody_means_is_refused(yaml_format, text, code, line, column):
    found = problem(yaml_format, text)
    assert (found.code, found.line, found.column) == (code, line, column)


def test_two_hundred_levels_can_be_read(yaml_format):
    assert yaml_format.loads("[" * 200 + "]" * 200).data


def test_long_text_that_merely_looks_like_a_number_is_text(yaml_format):
    assert len(yaml_format.loads("a: 1" + "0" * 5000 + "x").data["a"]) == 5002


def test_places_count_characters_and_all_kinds_of_line_ends(yaml_format):
    locate = yaml_format.loads("é: ü\r\nb:\r- [x, ß, y]\n- 'z'\n").locate
    assert locate(("é",)) == (1, 4)
    assert locate(("b",)) == (3, 1)
    assert locate(("b", 0)) == (3, 3)
    assert locate(("b", 0, 2)) == (3, 10)
    assert locate(("b", 1)) == (4, 3)
    assert locate(()) == (1, 1)


def test_the_writer_is_sparing_with_quotes_and_keeps_lines():
    spec = {
        "name": "demo",
        "command": "set -e\n\nmake all\n",
        "last": "no\nend",
        "more": "two ends\n\n",
        "regex": "^clean_\\d+$",
        "version": "1.0",
        "flag": "--index {i}",
        "template": "{i}_x",
        "note": "a: b",
        "yes": "yes",
        "empty": {"list": [], "map": {}, "text": "", "none": None},
        "nested": [[1, 2.5], [{"a": True, "b": [False]}]],
    }
    assert YamlFormat().dumps(spec) == (
        "name: demo\n"
        "command: |\n  set -e\n\n  make all\n"
        "last: |-\n  no\n  end\n"
        "more: |+\n  two ends\n\n"
        "regex: ^clean_\\d+$\n"
        'version: "1.0"\n'
        "flag: --index {i}\n"
        'template: "{i}_x"\n'
        'note: "a: b"\n'
        "yes: yes\n"
        'empty:\n  list: []\n  map: {}\n  text: ""\n  none: null\n'
        "nested:\n  - - 1\n    - 2.5\n  - - a: true\n      b:\n        - false\n"
    )
