"""The language: small documents and what they mean by the KDL 2 specification, and an independent reader as witness."""

import math

import ckdl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugins.formats.format_strategies import ODD_TEXT
from torc_core.contracts.formats import FormatError
from torc_plugins.formats.kdl_reader import read
from torc_plugins.formats.source import Source

INF = math.inf


def node(name, *values, _children=None, **properties):
    return (name, list(values), properties, _children or [])


def ours(found):
    properties = {key: value for key, value, _ in found.entries if key is not None}
    values = [value for key, value, _ in found.entries if key is None]
    return (found.name, values, properties, [ours(child) for child in found.children or ()])


def nodes(text):
    return [ours(found) for found in read(Source(text, "kdl"))]


VALID = [
    # nodes, names and their ends
    ("", []),
    ("\n \n// only comments\n/* here */\n", []),
    ("node", [node("node")]),
    ("node\n", [node("node")]),
    ("node;", [node("node")]),
    ("a;b\nc", [node("a"), node("b"), node("c")]),
    ('"quoted name" 1', [node("quoted name", 1)]),
    ('"" 1', [node("", 1)]),
    ('#"raw\\name"#', [node("raw\\name")]),
    ("-", [node("-")]),
    ("--flag", [node("--flag")]),
    ("+.", [node("+.")]),
    ("-.a", [node("-.a")]),
    (".a .", [node(".a", ".")]),
    ("a,b<c>d?e!f@g$h%i^j&k*l|m~n`o'p", [node("a,b<c>d?e!f@g$h%i^j&k*l|m~n`o'p")]),
    ("ノード 値", [node("ノード", "値")]),
    ("\ufeffnode", [node("node")]),
    ("node\r\nnode\rnode\u0085node\u000cnode\u2028node\u2029node", [node("node")] * 7),
    # arguments and properties
    ('n 1 "a" b #true #null', [node("n", 1, "a", "b", True, None)]),
    ("n a=1 b=c", [node("n", a=1, b="c")]),
    ("n a=1 2 b=3 4", [node("n", 2, 4, a=1, b=3)]),
    ("n a = 1", [node("n", a=1)]),
    ('n "a b"=1', [("n", [], {"a b": 1}, [])]),
    ("n a=1 a=2", [node("n", a=2)]),
    ("n\u00a0a\u3000b\tc", [node("n", "a", "b", "c")]),
    # numbers
    ("n 0 -0 +5 -7 007", [node("n", 0, 0, 5, -7, 7)]),
    ("n 1.0 -1.5 1e3 1.5E-2 2e+2", [node("n", 1.0, -1.5, 1000.0, 0.015, 200.0)]),
    ("n 0x1F -0xff 0o17 0b101 +0b1", [node("n", 31, -255, 15, 5, 1)]),
    ("n 1_000 0xdead_beef 1_0.0_1 0b1_", [node("n", 1000, 0xDEADBEEF, 10.01, 1)]),
    ("n 123456789012345678901234567890", [node("n", 123456789012345678901234567890)]),
    ("n #inf #-inf", [node("n", INF, -INF)]),
    ("n - + -a +a", [node("n", "-", "+", "-a", "+a")]),
    # quoted strings
    (r'n "\n\r\t\b\f\s\\\""', [node("n", '\n\r\t\b\f \\"')]),
    (r'n "\u{41}\u{1F600}\u{00e9}"', [node("n", "A\U0001f600é")]),
    ('n "a\\   b"', [node("n", "ab")]),
    ('n "a\\\n    b"', [node("n", "ab")]),
    ('n "a\tb"', [node("n", "a\tb")]),
    ('n "// no /* comment */ {}"', [node("n", "// no /* comment */ {}")]),
    # raw strings
    (r'n #"a\n"b"#', [node("n", r'a\n"b')]),
    ('n ##"a"#b"##', [node("n", 'a"#b')]),
    ('n #""#', [node("n", "")]),
    ('n #"\\"#', [node("n", "\\")]),
    # multi-line strings
    ('n """\n  a\n   b\n  """', [node("n", "a\n b")]),
    ('n """\na\n"""', [node("n", "a")]),
    ('n """\n"""', [node("n", "")]),
    ('n """\n\n"""', [node("n", "")]),
    ('n """\n  a\n\n \t\n  b\n  """', [node("n", "a\n\n\nb")]),
    ('n """\r\n  a\r\n  b\r\n  """', [node("n", "a\nb")]),
    ('n """\n  say "hi" and ""\n  """', [node("n", 'say "hi" and ""')]),
    ('n """\n  a\\nb \\""" c\n  """', [node("n", 'a\nb """ c')]),
    ('n """\n  a\\\n  b\n  """', [node("n", "ab")]),
    ('n """\n  a \\\nb\n  c\n  \\   """', [node("n", "a b\nc")]),
    ('n """\n  a\\\\\n  b\n  """', [node("n", "a\\\nb")]),
    ('n """\n\ta\n\t"""', [node("n", "a")]),
    ('n #"""\n  a\\n\n  "b" """ c\n  """#', [node("n", 'a\\n\n"b" """ c')]),
    # blocks
    ("n {}", [node("n")]),
    ("n { a; b 1 }", [node("n", _children=[node("a"), node("b", 1)])]),
    ("n {\n  a { b }\n}\nm", [node("n", _children=[node("a", _children=[node("b")])]), node("m")]),
    ("n 1 { a; };m", [node("n", 1, _children=[node("a")]), node("m")]),
    # comments, line continuations
    ("n 1 // 2\nm", [node("n", 1), node("m")]),
    ("n /* 1 /* 2 */ \n */ 3", [node("n", 3)]),
    ("n 1/* x */2", [node("n", 1, 2)]),
    ("n 1 \\\n  2", [node("n", 1, 2)]),
    ("n 1 \\ // comment\n  2", [node("n", 1, 2)]),
    ("n 1 \\ /* c */ \n 2 \\\n", [node("n", 1, 2)]),
    # slashdash
    ("/-n 1\nm", [node("m")]),
    ("/- n { a }\nm", [node("m")]),
    ("/-\nn\nm", [node("m")]),
    ("n 1 /-2 3", [node("n", 1, 3)]),
    ("n /-a=1 b=2", [node("n", b=2)]),
    ("n /-{ a } { b } /-{ c }", [node("n", _children=[node("b")])]),
    ("n { a; /-b; c }", [node("n", _children=[node("a"), node("c")])]),
    ("n 1 /-\n2 3", [node("n", 1, 3)]),
    ("/- kdl-version 2\nn", [node("n")]),
    # annotations
    ("(type)n (u8)1 (date)a p=(f)2", [node("n", 1, "a", p=2)]),
    ('( "a b" ) n ( t ) 1', [node("n", 1)]),
    # the spellings of version 1
    ("n true false null", [node("n", True, False, None)]),
    ("n a=true", [node("n", a=True)]),
    ('n r"a\\n" r#"b"c"#', [node("n", "a\\n", 'b"c')]),
    ('n r"a\nb"', [node("n", "a\nb")]),
    ('n "a\\/b"', [node("n", "a/b")]),
    ("true1 nulls r", [node("true1", "nulls", "r")]),
]


@pytest.mark.parametrize(("text", "expected"), VALID)
def test_documents_mean_what_the_specification_says(text, expected):
    assert repr(nodes(text)) == repr(expected)


INVALID = [
    # text, line and column of the complaint
    (";", 1, 1),
    ("a\n}", 2, 1),
    ("a {\n  b\n", 1, 1),
    ("a { b", 1, 1),
    ("1", 1, 1),
    ("a 1a", 1, 3),
    ("memory 4g", 1, 8),
    ("a .5", 1, 3),
    ("a -.5", 1, 3),
    ("a 1.", 1, 3),
    ("a 1e", 1, 3),
    ("a 0x", 1, 3),
    ("a 0b2", 1, 3),
    ("a 0o8", 1, 3),
    ("a _1=2 1_x", 1, 8),
    ("a inf", 1, 3),
    ("a -inf", 1, 3),
    ("a nan", 1, 3),
    ("true 1", 1, 1),
    ('a "b"/-1', 1, 6),
    ('a "b"/-{ c }', 1, 6),
    ("a #yes", 1, 3),
    ("a #", 1, 3),
    ("#true", 1, 1),
    ('a "b', 1, 3),
    ('a "b\nc"', 1, 3),
    (r'a "x\q"', 1, 5),
    (r'a "\u{110000}"', 1, 4),
    (r'a "\u{d800}"', 1, 4),
    (r'a "\u41"', 1, 4),
    ('a #"b', 1, 3),
    ('a #"b\nc"#', 1, 3),
    ('a ##"b"#', 1, 3),
    ('a """b"""', 1, 3),
    ('a """\n  b"""', 1, 3),
    ('a """\n b\n  """', 1, 3),
    ('a """\n\tb\n  """', 1, 3),
    ('a """\n  b\\\n  """', 1, 3),
    ('a """\n b', 1, 3),
    ('a #"""\n b\n', 1, 3),
    ('a"b"', 1, 2),
    ('a "b""c"', 1, 6),
    ('a "b"c', 1, 6),
    ("a [1]", 1, 3),
    ("a, b]", 1, 5),
    ("a =1", 1, 3),
    ("a b=", 1, 5),
    ("a b=\n1", 1, 5),
    ("a 1=2", 1, 3),
    ("a #true=2", 1, 3),
    ("a b=/-1 2", 1, 5),
    ("a (t)b=1", 1, 3),
    ("a (t)", 1, 6),
    ("a ()b", 1, 4),
    ("a (t b", 1, 6),
    ("(t)", 1, 4),
    ("a {} {}", 1, 6),
    ("a {} b", 1, 6),
    ("a /-{} b", 1, 8),
    ("a /-", 1, 5),
    ("/-", 1, 3),
    ("/- /- a", 1, 4),
    ("a /* b", 1, 3),
    ("a */", 1, 4),
    ("a \\ b", 1, 3),
    ("a / b", 1, 3),
    ("a\nb \x07", 2, 3),
    ("a \u200e", 1, 3),
    ("a b\ufeff", 1, 4),
    ('a "\x00"', 1, 4),
    ("a \ud800", 1, 3),
    ("a " + "9" * 1001, 1, 3),
    ("n { " * 201, 1, 801),
]


@pytest.mark.parametrize(("text", "line", "column"), INVALID)
def test_errors_are_found_where_they_are(text, line, column):
    with pytest.raises(FormatError) as caught:
        nodes(text)
    problem = caught.value.problem
    assert (problem.line, problem.column) == (line, column), problem.message


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("memory 4g", "kdl-syntax", 'Text must be in quotes: "4g"'),
        ('a "b\nc"', "kdl-syntax", '"""'),
        ("a nan", "kdl-syntax", "#nan"),
        ("a #yes", "kdl-syntax", "#true"),
        ("a {\nb", "kdl-syntax", "never closed"),
        ('a "\\d"', "kdl-syntax", "\\\\"),
        ("a \x07", "control-character", "U+0007"),
        ("n { " * 201, "nesting", "200"),
        ("a " + "9" * 1001, "number", "1000"),
    ],
)
def test_errors_say_what_to_do(text, code, part):
    with pytest.raises(FormatError) as caught:
        nodes(text)
    problem = caught.value.problem
    assert problem.code == code
    assert part in f"{problem.message} {problem.hint}"


def test_not_a_number_is_read():
    [(_, [value], _, _)] = nodes("n #nan")
    assert math.isnan(value)


def test_every_place_is_that_of_the_value():
    [first, second] = read(Source('one 1\n  two "é" key=(t)2 { three }', "kdl"))
    assert first.offset == 0
    assert (second.offset, [offset for _, _, offset in second.entries]) == (8, [12, 20])
    assert second.children[0].offset == 27


def theirs(found):
    def plain(value):
        return value.value if isinstance(value, ckdl.Value) else value

    properties = {key: plain(value) for key, value in found.properties.items()}
    return (found.name, [plain(value) for value in found.args], properties, [theirs(child) for child in found.children])


def agree(text):
    """Compare with the other reader, if both can read the text."""
    try:
        expected = [theirs(found) for found in ckdl.parse(text, version=2)]
    except ckdl.ParseError:
        expected = None
    try:
        found = nodes(text)
    except FormatError:
        found = None
    if expected is not None and found is not None:
        assert repr(found) == repr(expected)
    return expected is not None, found is not None


QUOTED = st.text(max_size=6).map(lambda text: '"' + "".join(f"\\u{{{ord(sign):x}}}" for sign in text) + '"')
STRINGS = (
    st.sampled_from(
        ["a", "b-c", '"a b"', '"\\n\\"\\\\"', '#"r"x"#', '"""\n  x\n   y\n  """', '"a\\\n   b"', '#"""\n\\x\n"""#', "é"]
    )
    | QUOTED
)
VALUES = (
    STRINGS
    | st.integers().map(str)
    | st.integers(0).map(hex)
    | st.integers(0).map(oct)
    | st.integers(-(10**6), 10**6).map(lambda eighths: repr(eighths / 8))  # the other reader rounds long fractions
    | st.sampled_from(["#true", "#false", "#null", "#inf", "#-inf", "1_000", "0b1_0", "(t)1", "(u)a"])
)
GAPS = st.sampled_from([" ", "  ", "\t", " /* c */ ", " \\\n  ", " \\ // c\n", " /-gone ", " /-k=1 ", "\u00a0"])
ENDS = st.sampled_from(["\n", ";", "\r\n", " // c\n", "\n\n", " ;\n", "\u2028"])


@st.composite
def documents(draw, depth=0):
    text = ""
    for _ in range(draw(st.integers(1, 4))):
        text += draw(st.sampled_from(["", "", "/-", "(t)", "/* c */", "\n"])) + draw(STRINGS)
        for _ in range(draw(st.integers(0, 3))):
            text += draw(GAPS) + draw(st.one_of(VALUES, st.tuples(STRINGS, VALUES).map("=".join)))
        if depth < 3 and draw(st.booleans()):
            text += draw(st.sampled_from([" {", " {\n", " /-{}{\n"])) + draw(documents(depth + 1)) + "}"
        text += draw(ENDS)
    return text


@settings(max_examples=100, deadline=None)
@given(text=documents())
def test_random_documents_mean_the_same_to_another_reader(text):
    they_can, we_can = agree(text)
    assert we_can or not they_can


@settings(max_examples=200, deadline=None)
@given(text=ODD_TEXT)
def test_odd_text_means_the_same_to_another_reader_if_both_can_read_it(text):
    # To the other reader a vertical tab is white space, in the specification it ends lines.
    agree(text.encode("utf-8", "replace").decode().replace("\x0b", ""))
