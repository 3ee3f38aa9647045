"""Texts of every kind: a reader gives data that can be checked, or raises FormatError with a place; nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.anything import many
from torc_core.contracts.formats import FormatError, SpecFormat
from torc_core.spec.read import check_data
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat
from torc_plugins.formats.kdl_format import KdlFormat
from torc_plugins.formats.yaml_format import YamlFormat
from torc_plugins.formats.yaml_reader import PythonParser

FORMATS = {
    "json": JsonFormat(),
    "json5": Json5Format(),
    "yaml": YamlFormat(),
    "yaml by Python": YamlFormat(PythonParser),
    "kdl": KdlFormat(),
}
EXAMPLES = Path(__file__).parents[2] / "examples/specs"
SEEDS = {
    name: [path.read_text() for path in sorted(EXAMPLES.rglob(f"*.{name.split(maxsplit=1)[0]}"))]
    or ['{"name": "w", "jobs": [{"name": "a", "command": "b"}]}']
    for name in FORMATS
}
PIECES = {
    "json": ['"', "\\", "{", "}", "[", "]", ",", ":", "\\u12", "\\ud800", "1e999", "-", "NaN", "tru", "//", "\0"],
    "json5": ["'", '"', "\\\n", "/*", "*/", "//", "+.5", "0x", ".", "Infinity", "\u2028", "$a", "{", "[", ",", ":"],
    "yaml": ["- ", ": ", "\n", "  ", "\t", "&a", "*a", "<<: *a", "!!int", "!x", "|", ">-", "'", '"', "---", "...", "? ",
             "{", "}", "[", "]", ",", "#", "%YAML 9", "@", "`", "\x85", "\ufeff"],
    "kdl": ["{", "}", ";", '"', '"""', '#"', '"#', "##", "\\", "/-", "/*", "*/", "//", "=", "(t)", "#true", "0x",
            "1_", "1e", "\n", "\u2028", "r#", "-", "."],
}  # fmt: skip


def mutated(name: str) -> st.SearchStrategy[str]:
    """An example spec of which some pieces are replaced by pieces that mean something to the format."""
    piece = st.sampled_from(PIECES[name.split(maxsplit=1)[0]]) | st.text(max_size=3)

    @st.composite
    def texts(draw: st.DrawFn) -> str:
        text = draw(st.sampled_from(SEEDS[name]))[:3000]
        for _ in range(draw(st.integers(1, 5))):
            start = draw(st.integers(0, len(text)))
            end = min(len(text), start + draw(st.integers(0, 30)))
            text = text[:start] + draw(piece) + text[end:]
        return text

    return texts() | st.lists(piece, max_size=40).map("".join)


def read_and_check(spec_format: SpecFormat, text: str) -> None:
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1
    try:
        parsed = spec_format.loads(text)
    except FormatError as exc:
        problem = exc.problem
        assert problem.message and problem.code
        assert 1 <= problem.line <= lines and problem.column >= 1, problem
        assert len(problem.message) < 1000
        return
    plan = check_data(parsed.data, parsed.locate, "fuzz", limit=100)
    for problem in plan.problems:
        assert problem.message and problem.code, problem
        assert problem.line <= lines, problem


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_is_read_or_refused_with_a_place(name):
    @many
    @given(mutated(name))
    def holds(text: str) -> None:
        read_and_check(FORMATS[name], text)

    holds()


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_cut_anywhere_is_read_or_refused(name):
    text = min(SEEDS[name], key=len)[:400]
    for end in range(len(text)):
        read_and_check(FORMATS[name], text[:end])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "unit", ["{", "[", '"', "a:", "- ", "a {", "&a [", "/*", "<<: ", "{a:", "(", "\\", "'", "|", "? "]
)
def test_fifty_thousand_times_the_same_is_no_recursion(name, unit):
    read_and_check(FORMATS[name], unit * 50_000)
