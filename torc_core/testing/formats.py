"""The suite that every spec format should pass.

Three lines run it under pytest::

    class TestToml(SpecFormatSuite):
        format = TomlFormat()
"""
# ruff: noqa: D102  (the names of the tests are their sentences)

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from torc_core.contracts.formats import FormatError, ParsedSpec, Plain, SpecFormat
from torc_core.problems import Path, Problem
from torc_core.spec.codes import TEXT_CODES

SAMPLE: dict[str, Any] = {
    "name": "sample_workflow",
    "description": "quotes \" and ' and \\ backslashes: # no comment, {no} [parameter]",
    "parameters": {"lr": "[0.1,0.01]", "i": "1:10"},
    "jobs": [
        {"name": "prepare", "command": "bash prepare.sh", "resource_requirements": "small", "priority": 7},
        {
            "name": "train_{i:03d}",
            "command": 'set -e\n\nif true; then\n    echo "it\'s $HOME" | tee log\nfi\n',
            "depends_on": ["prepare"],
            "input_files": ["raw_data", "labels_file"],
            "cancel_on_blocking_job_failure": False,
            "parameters": {"i": "1:10"},
            "use_parameters": ["lr"],
        },
        {"name": "überprüfung", "command": "yes", "depends_on_regexes": ["^train_\\d+$"]},
        {"name": "no_dependencies", "command": "true", "depends_on": []},
    ],
    "files": [{"name": "raw_data", "path": "in/raw.csv"}, {"name": "labels_file", "path": "in/labels.csv"}],
    "user_data": [
        {
            "name": "settings",
            "data": {"deep": [1, 2.5, [True, None], {"text": "1"}], "empty": {}},
            "is_ephemeral": True,
        },
        {"name": "nothing", "data": None},
    ],
    "resource_requirements": [
        {"name": "small", "num_cpus": 1, "memory": "512m", "runtime": "PT5M"},
        {"name": "large", "num_cpus": 64, "num_gpus": 4, "num_nodes": 2, "memory": "1024", "runtime": "P1DT12H"},
    ],
    "failure_handlers": [
        {
            "name": "retry",
            "rules": [
                {"exit_codes": [1, 137], "max_retries": 5, "recovery_script": "./fix.sh"},
                {"match_all_exit_codes": True, "delay_seconds": 0.5, "backoff": 2, "max_delay_seconds": 30},
            ],
        }
    ],
    "slurm_schedulers": [{"name": "gpu", "account": "proj", "nodes": 2, "walltime": "04:00:00", "gres": "gpu:4"}],
    "slurm_defaults": {"qos": "high", "exclusive": True, "nice": -5},
    "resource_monitor": {"enabled": True, "granularity": "time_series", "sample_interval_seconds": 2},
    "actions": [
        {
            "trigger_type": "on_jobs_ready",
            "action_type": "run_commands",
            "jobs": ["prepare"],
            "job_name_regexes": ["^train"],
            "commands": ["echo one", "echo two"],
        },
        {
            "trigger_type": "on_workflow_start",
            "action_type": "schedule_nodes",
            "scheduler": "gpu",
            "num_allocations": 3,
        },
    ],
}
"""A spec with every shape of value that specs have."""
TRICKY = (
    *(
        "1",
        "1.0",
        "0x1F",
        "1e3",
        "-.inf",
        ".nan",
        "true",
        "null",
        "~",
        "no",
        "1:30",
        "",
        " ",
        "r",
        "=",
        "<<",
        "---",
        "...",
    ),
    *("-", "- a", "a: b", "a #b", "#a", "{a}", "[a]", "*a", "&a", "!a", "%a", "@a", "`a`", "'a'", '"a"', "a,b", "a\\b"),
    *(
        "a\nb",
        "\n",
        "a\n",
        "a\n\n",
        "\na",
        " a\n b",
        "a\n \nb",
        "a\tb",
        "\ta\nb",
        "a\rb",
        "\x7f",
        "\u2028",
        "é",
        "日本",
    ),
)
"""Text that a careless writer leaves without quotes, or a careless reader takes for something else."""


def typed(data: Any) -> Any:
    """Return ``data`` with every Plain replaced by what it reads as."""
    if isinstance(data, dict):
        return {key: typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [typed(value) for value in data]
    return data.value if isinstance(data, Plain) else data


class SpecFormatSuite:
    """Subclass it, name the subclass ``Test...`` and set ``format``."""

    format: SpecFormat

    def refusal(self, text: str) -> Problem | None:
        """Read ``text``: None when it can be read, else the problem, which must be complete."""
        try:
            self.format.loads(text)
        except FormatError as error:
            problem = error.problem
            shown = f"{text[:60]!r} is refused with {problem}"
            assert problem.code and problem.message, f"{shown}: a problem has a code and a message"
            assert problem.code in {*TEXT_CODES, *self.format.codes}, f"{shown}: the format declares its codes"
            assert problem.line >= 1 and problem.column >= 1, f"{shown}: line and column count from 1"
            assert problem.line <= _lines(text), f"{shown}: there is no such line"
            assert not problem.file, f"{shown}: a format knows nothing of files"
            return problem
        return None

    def read(self, text: str) -> ParsedSpec:
        """Read ``text``, which must be all right."""
        problem = self.refusal(text)
        assert problem is None, f"{problem} in what the format itself has written:\n{text[:2000]}"
        return self.format.loads(text)

    def test_the_name_and_the_suffixes_are_lower_case(self) -> None:
        assert self.format.name and self.format.name == self.format.name.lower()
        assert self.format.suffixes
        for suffix in self.format.suffixes:
            assert suffix.startswith(".") and suffix == suffix.lower()

    def test_what_is_written_reads_back_the_same(self) -> None:
        assert typed(self.read(self.format.dumps(SAMPLE)).data) == SAMPLE

    def test_the_order_of_keys_and_jobs_is_kept(self) -> None:
        data = self.read(self.format.dumps(SAMPLE)).data
        assert [job["name"] for job in data["jobs"]] == [job["name"] for job in SAMPLE["jobs"]]
        assert list(data) == list(SAMPLE)
        assert list(data["jobs"][1]) == list(SAMPLE["jobs"][1])

    def test_text_stays_text_and_numbers_stay_numbers(self) -> None:
        jobs = [{"name": f"job{number}", "command": text, "labels": [text]} for number, text in enumerate(TRICKY)]
        spec = {"name": "tricky", "jobs": jobs, "slurm_defaults": {"a": 0, "b": -1, "c": 1.5, "d": 10**30, "e": False}}
        data = typed(self.read(self.format.dumps(spec)).data)
        assert data == spec
        assert [type(value) for value in data["slurm_defaults"].values()] == [int, int, float, int, bool]

    def test_writing_is_deterministic_and_changes_nothing(self) -> None:
        before = copy.deepcopy(SAMPLE)
        text = self.format.dumps(SAMPLE)
        assert text == self.format.dumps(copy.deepcopy(SAMPLE)), "the same data is written the same"
        assert before == SAMPLE, "dumps must not change what it is given"
        assert self.format.dumps(typed(self.read(text).data)) == text

    def test_values_are_found_where_they_are_written(self) -> None:
        jobs = [{"name": f"name_{i}_x", "command": f"command_{i}_x", "depends_on": [f"need_{i}_x"]} for i in range(9)]
        text = self.format.dumps({"name": "places_x", "jobs": jobs})
        locate = self.read(text).locate
        rows = text.split("\n")
        for path, value in _leaves({"name": "places_x", "jobs": jobs}):
            line, column = locate(path)
            row = rows[line - 1]
            assert value in row, f"{path} is said to be on line {line}, which is {row!r}"
            assert row[column - 1 :].startswith((value, f'"{value}', f"'{value}")), (
                f"{path}: column {column} of {row!r}"
            )

    def test_the_place_of_what_is_missing_is_that_of_the_value_above(self) -> None:
        locate = self.read(self.format.dumps(SAMPLE)).locate
        assert locate(("jobs", 1, "no_such_field", 3)) == locate(("jobs", 1))
        assert locate(("jobs", 999)) == locate(("jobs",))
        assert locate(("name", "deeper")) == locate(("name",))
        assert locate(("jobs", 1)) < locate(("jobs", 2)), "later jobs are further down"

    def test_a_byte_order_mark_and_other_line_ends_are_accepted(self) -> None:
        text = self.format.dumps(SAMPLE)
        expected = self.read(text)
        marked = self.read("\ufeff" + text)
        assert marked.data == expected.data
        assert marked.locate(("name",)) == expected.locate(("name",))
        assert self.read(text.replace("\n", "\r\n")).locate(("jobs", 2)) == expected.locate(("jobs", 2))

    def test_a_repeated_key_is_refused_at_its_second_place(self) -> None:
        text = self.format.dumps({"name": "twice", "slurm_defaults": {"aaaa": "x", "bbbb": "y"}, "jobs": []})
        second, first = text.split("bbbb")[0].count("\n") + 1, text.split("aaaa")[0].count("\n") + 1
        problem = self.refusal(text.replace("bbbb", "aaaa"))
        assert problem is not None, "a repeated key must not be read silently"
        assert problem.line == second, f"the second one is on line {second}: {problem}"
        assert f"line {first}" in problem.message, f"the message tells that the first one is on line {first}: {problem}"

    def test_an_empty_document_is_refused(self) -> None:
        for text in ("", "\n", "  \n\n", "\ufeff"):
            assert self.refusal(text) is not None, f"{text!r} is no spec"

    def test_nesting_is_limited_to_200_levels(self) -> None:
        allowed = self.read(self.format.dumps({"name": "deep", "jobs": [], "extra": _nested(190)}))
        assert typed(allowed.data)["extra"] == _nested(190)
        for levels in (200, 201, 260):
            text = self.format.dumps({"name": "deep", "jobs": [], "extra": _nested(levels)})
            assert self.refusal(text) is not None, f"{levels} levels inside the document are too many"

    def test_odd_text_raises_nothing_but_format_errors(self) -> None:
        for text in _odd_texts(self.format.dumps(SAMPLE)):
            self.refusal(text)  # a different exception is the failure

    def test_control_characters_are_refused_where_they_stand(self) -> None:
        text = self.format.dumps({"name": "controlMARK", "jobs": []})
        offset = text.index("MARK")
        line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
        for character in "\x00\x01\x07\x08\x1b\x1f":
            problem = self.refusal(text.replace("MARK", character))
            assert problem is not None, f"{character!r} must be refused"
            assert (problem.line, problem.column) == (line, column)


def _lines(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1


def _nested(levels: int) -> Any:
    data: Any = "bottom"
    for level in range(levels):
        data = [data] if level % 2 else {"k": data}
    return data


def _leaves(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, index))
    else:
        yield path, data


def _odd_texts(sample: str) -> Iterator[str]:
    """Yield texts that break readers: endless nesting and digits, broken Unicode, cut and garbled documents."""
    for bracket in "[{(\"'":
        yield bracket * 100_000
        yield f"a{bracket}" * 10_000
    yield from (
        "- " * 50_000,
        "a:\n" * 10_000,
        "9" * 100_000,
        "1e" + "9" * 5000,
        "0x" + "f" * 100_000,
        "a: " + "9" * 5000,
    )
    yield from ("\ud800", 'name "\ud800"', '{"name": "\\ud800"}', "\x00", "\ufeff\ufeff", "\\", "\\u", "a" * 100_000)
    chance = random.Random(20)
    for _ in range(150):
        yield sample[: chance.randrange(len(sample))]
    signs = "{}[]()\"'\\/:,;=#&*!|>%@`-?\n\r\t \x00\x85\u2028\ud800\U0010ffffaé1"
    for _ in range(300):
        at = chance.randrange(len(sample))
        yield (
            sample[:at] + "".join(chance.choices(signs, k=chance.randrange(1, 4))) + sample[at + chance.randrange(3) :]
        )
    for _ in range(200):
        yield "".join(chance.choices(signs, k=chance.randrange(1, 40)))
