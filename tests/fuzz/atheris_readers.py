"""Coverage-guided fuzzing of the four readers and of the parameter grammar; not part of pytest.

In an environment of its own, since atheris is needed nowhere else (it comes for CPython 3.11 to 3.13 on Linux)::

    python3.11 -m venv fuzz-venv
    fuzz-venv/bin/pip install atheris .
    mkdir -p corpus && cp examples/specs/*/* corpus/   # any first byte will do
    fuzz-venv/bin/python tests/fuzz/atheris_readers.py -max_total_time=600 -max_len=4096 -timeout=20 corpus

All options are those of libFuzzer. It stops at the first exception that is not the one a reader may raise and leaves
the input in ``crash-*``; run it again with that file as the only argument to see it. The first byte of an input picks
what is fuzzed (see ``TARGETS``), the rest is its text; every reader also gets what it read handed to ``check_data``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["torc_core", "torc_plugins"]):
    from torc_core.contracts.formats import FormatError, SpecFormat
    from torc_core.errors import NotFound
    from torc_core.spec.findings import BadText
    from torc_core.spec.parameters import values_of
    from torc_core.spec.read import check_data
    from torc_core.spec.template import format_value, render
    from torc_plugins.formats.json5_format import Json5Format
    from torc_plugins.formats.json_format import JsonFormat
    from torc_plugins.formats.kdl_format import KdlFormat
    from torc_plugins.formats.yaml_format import YamlFormat
    from torc_plugins.formats.yaml_reader import PythonParser

LIMIT = 200
"""Values and combinations at most, so that one input does not take seconds."""


def _no_file(name: str) -> str:
    raise NotFound(f"there is no file {name}")


def reads(spec_format: SpecFormat) -> Callable[[str], None]:
    """Return a target: the format either raises FormatError with a place, or what it read can be checked."""

    def target(text: str) -> None:
        try:
            parsed = spec_format.loads(text)
        except FormatError as exc:
            assert exc.problem.line >= 1 and exc.problem.column >= 1, exc.problem
            return
        plan = check_data(parsed.data, parsed.locate, "fuzz", read_file=_no_file, limit=LIMIT)
        for problem in plan.problems:
            assert problem.message and str(problem), problem

    return target


def grammar(text: str) -> None:
    """Values, and the texts that are made of them: only BadText."""
    value_text, _, template = text.partition("\n")
    try:
        for value in values_of(value_text, _no_file, limit=LIMIT)[:3]:
            format_value(value)
            render(template, {"i": value, "ab": value})
    except BadText as exc:
        assert str(exc)


TARGETS = [
    reads(JsonFormat()),
    reads(Json5Format()),
    reads(YamlFormat()),
    reads(YamlFormat(PythonParser)),
    reads(KdlFormat()),
    grammar,
]


def one_input(data: bytes) -> None:
    """Fuzz what the first byte says with the rest."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:].decode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
