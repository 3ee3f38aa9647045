"""``${files.input.NAME}`` and its three sisters in commands: replaced, and counted as what the job reads and writes.

A file stands for its path, user data for its compact JSON text with sorted keys. Names found in a command are added to
the lists of the job.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from torc_core.problems import did_you_mean
from torc_core.spec.expand import Item
from torc_core.spec.findings import Findings
from torc_core.spec.model import JobSpec
from torc_core.spec.plan import PlannedData, PlannedFile, PlannedJob
from torc_core.spec.references import Names
from torc_core.units import counted

_TOKEN = re.compile(r"\$\{((?:files|user_data)\.[^}]*)\}")
_SLOTS = {
    ("files", "input"): ("inputs", "input_files", "input_file_regexes"),
    ("files", "output"): ("outputs", "output_files", "output_file_regexes"),
    ("user_data", "input"): ("data_inputs", "input_user_data", "input_user_data_regexes"),
    ("user_data", "output"): ("data_outputs", "output_user_data", "output_user_data_regexes"),
}


class _Meaning(NamedTuple):
    text: str  # what takes the place of the token
    slot: tuple[str, str] | None  # None: the token stays
    position: int
    problem: str  # code of what is wrong, empty when nothing is


class CommandVariables:
    """Replaces the variables in commands and invocation scripts. Each token is looked up once."""

    def __init__(
        self, files: Sequence[PlannedFile], file_names: Names, data: Sequence[PlannedData], data_names: Names,
        findings: Findings,
    ) -> None:  # fmt: skip
        self._files, self._file_names = files, file_names
        self._data, self._data_names = data, data_names
        self._findings = findings
        self._known: dict[str, _Meaning] = {}

    def apply(self, item: Item, spec: JobSpec, jobs: Sequence[PlannedJob]) -> None:
        """Replace the variables of all jobs that ``item`` expands to."""
        wrong: dict[tuple[str, str], dict[str, None]] = {}  # (field, code): tokens
        forgotten: dict[tuple[str, str], int] = {}
        for job in jobs:
            found: dict[tuple[str, str], set[int]] = {}
            job.command = self._replaced(job.command, "command", found, wrong)
            if job.invocation_script is not None:
                job.invocation_script = self._replaced(job.invocation_script, "invocation_script", found, wrong)
            for slot, positions in found.items():
                field, exact, patterns = _SLOTS[slot]
                listed: tuple[int, ...] = getattr(job, field)
                setattr(job, field, tuple(sorted(positions.union(listed))))
                if getattr(spec, exact) and not getattr(spec, patterns):
                    only_listed = next((i for i in listed if i not in positions), None)
                    if only_listed is not None:
                        forgotten.setdefault(slot, only_listed)
        for (field, code), tokens in wrong.items():
            self._report(item, field, code, list(tokens))
        for slot, position in forgotten.items():
            self._report_union(item, slot, position)

    def _replaced(
        self,
        text: str,
        field: str,
        found: dict[tuple[str, str], set[int]],
        wrong: dict[tuple[str, str], dict[str, None]],
    ) -> str:
        if "${" not in text:
            return text
        parts = _TOKEN.split(text)
        for i in range(1, len(parts), 2):
            inner = parts[i]
            meaning = self._known.get(inner)
            if meaning is None:
                meaning = self._known[inner] = self._look_up(inner)
            parts[i] = meaning.text
            if meaning.slot is not None:
                found.setdefault(meaning.slot, set()).add(meaning.position)
            elif meaning.problem:
                wrong.setdefault((field, meaning.problem), {})[inner] = None
        return "".join(parts)

    def _look_up(self, inner: str) -> _Meaning:
        kind, _, rest = inner.partition(".")
        direction, _, name = rest.partition(".")
        slot = (kind, direction)
        token = f"${{{inner}}}"
        if slot not in _SLOTS:
            return _Meaning(token, None, -1, "var-unknown")
        names = self._file_names if kind == "files" else self._data_names
        position = names.by_name.get(name)
        if position is None:
            return _Meaning(token, None, -1, "" if names.may_exist(name) else "var-unknown")
        if kind == "files":
            return _Meaning(self._files[position].path, slot, position, "")
        data = self._data[position].data
        if data is None:
            return _Meaning(token, None, -1, "var-no-data")
        import json

        text = json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        return _Meaning(text, slot, position, "")

    def _report(self, item: Item, field: str, code: str, tokens: list[str]) -> None:
        token, path = tokens[0], (*item.path, field)
        more = f" (and {counted(len(tokens) - 1, 'other')} like it)" if len(tokens) > 1 else ""
        if code == "var-no-data":
            name = token.split(".", 2)[2]
            what = f'{item.label}: ${{{token}}}{more} stays as it is, since user data "{name}" has no data yet'
            hint = "A job can fetch what other jobs stored when it runs."
            self._findings.warning(code, what, path, hint=hint, found=f"${{{token}}}")
            return
        kind, _, rest = token.partition(".")
        direction, _, name = rest.partition(".")
        if (kind, direction) not in _SLOTS:
            hint = f"Write ${{{kind}.input.NAME}} or ${{{kind}.output.NAME}}."
        else:
            names = self._file_names if kind == "files" else self._data_names
            hint = did_you_mean(name, names.index.near(name)) or "Define it, or correct the name."
        what = f"{item.label}: ${{{token}}}{more} in the {field} names nothing that is defined"
        self._findings.error(code, what, path, hint=hint, found=f"${{{token}}}")

    def _report_union(self, item: Item, slot: tuple[str, str], position: int) -> None:
        field = _SLOTS[slot][1]
        items: Sequence[PlannedFile] | Sequence[PlannedData] = self._files if slot[0] == "files" else self._data
        what = f'{item.label}: {field} lists "{items[position].name}", which the command does not mention; both count'
        hint = "Torc 0.12 would forget what is only listed."
        self._findings.warning("var-union", what, (*item.path, field), hint=hint)
