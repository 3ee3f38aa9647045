"""Which parameters apply to an item: its own, shared ones it names, or a table; never a mixture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torc_core.problems import Path, did_you_mean
from torc_core.records.values import Json
from torc_core.spec.combinations import Combinations, product, rows_of, zipped
from torc_core.spec.findings import BadText, Findings
from torc_core.spec.model import ExpandedSpec, WorkflowSpec
from torc_core.spec.parameters import ReadFile, Scalar, native, values_of
from torc_core.spec.tables import Table, read_table


class Refused(Exception):
    """The combinations of an item cannot be made; why has been noted."""


class TableShelf:
    """Reads each table once."""

    def __init__(self, read_file: ReadFile | None) -> None:
        self.read_file = read_file
        self._known: dict[str, Table | BadText] = {}

    def __call__(self, name: str) -> Table:
        """Return a table; raises BadText, each time the same."""
        if name not in self._known:
            try:
                self._known[name] = read_table(name, self.read_file)
            except BadText as exc:
                self._known[name] = exc
        found = self._known[name]
        if isinstance(found, BadText):
            raise found
        return found


class Sources:
    """Answers for all items of a spec, and counts what they come to."""

    def __init__(self, spec: WorkflowSpec, tables: TableShelf, findings: Findings, limit: int) -> None:
        self.findings = findings
        self.limit = limit
        self.total = 0
        self.used: set[str] = set()
        self._shared = spec.parameters or {}
        self._shared_table = spec.parameters_file
        self._tables = tables
        self._values: dict[str, Sequence[Scalar] | None] = {}  # of shared parameters; None: noted as wrong
        self._made: dict[tuple[str, ...], Combinations] = {}
        if spec.parameters is not None and spec.parameters_file is not None:
            what = "the workflow has parameters and parameters_file; only one of them can be shared"
            findings.error("table-exclusive", what, ("parameters_file",), hint="Remove one.")

    def names(self, item: ExpandedSpec) -> tuple[str, ...]:
        """Return the parameters of an item as far as they can be known without making anything."""
        if item.parameters is not None:
            return tuple(item.parameters)
        return tuple(name for name in item.use_parameters or () if name in self._shared)

    def combinations(self, item: ExpandedSpec, path: Path, label: str) -> Combinations | None:
        """Return the combinations of an item, None when it has no parameters; raises Refused."""
        own, used = item.parameters, item.use_parameters
        if item.parameters_file is not None or item.use_parameters_file:
            made: Combinations | None = self._from_table(item, path, label)
        elif own is None and used is None:
            self._check_mode(item, path)
            return None
        else:
            self._check_mode(item, path)
            made = self._own(own, item, path, label) if own is not None else self._used(used or [], item, path, label)
        if made is not None:
            self._count(made, path, label)
        return made

    def _check_mode(self, item: ExpandedSpec, path: Path) -> None:
        mode = item.parameter_mode
        if mode not in ("product", "zip", None):
            hint = did_you_mean(mode, ("product", "zip")) or "Known: product, zip."
            what = f"parameter_mode {mode!r} is not known and counts as product"
            self.findings.warning("mode-unknown", what, (*path, "parameter_mode"), hint=hint, found=mode)

    def _from_table(self, item: ExpandedSpec, path: Path, label: str) -> Combinations:
        source = "parameters_file" if item.parameters_file is not None else "use_parameters_file"
        others = [name for name in ("parameters", "use_parameters") if getattr(item, name) is not None]
        others += ["parameter_mode"] if item.parameter_mode != "product" else []
        others += ["use_parameters_file"] if source == "parameters_file" and item.use_parameters_file else []
        if others:
            what = f"{label}: {source} cannot stand beside {' and '.join(others)}"
            self.findings.error(
                "table-exclusive", what, (*path, source), hint="A table says all combinations by itself."
            )
            raise Refused
        name = item.parameters_file or self._shared_table
        if name is None:
            what = f"{label}: use_parameters_file needs a parameters_file of the workflow"
            self.findings.error("table-exclusive", what, (*path, source))
            raise Refused
        place = (*path, source) if item.parameters_file is not None else ("parameters_file",)
        return self._noted(lambda: rows_of(self._tables(name)), label, place, name)

    def _own(self, own: dict[str, Json], item: ExpandedSpec, path: Path, label: str) -> Combinations | None:
        if not own:
            return None
        values = {}
        for name, value in own.items():
            found = self._read(value, f'{label}: parameter "{name}"', (*path, "parameters", name))
            if found is not None:
                values[name] = found
        if len(values) < len(own):
            raise Refused
        return self._combined(values, item, path, label, "parameters")

    def _used(self, used: list[str], item: ExpandedSpec, path: Path, label: str) -> Combinations | None:
        for i, name in enumerate(used):
            if name is not None and name not in self._shared:
                hint = did_you_mean(name, self._shared) or "Shared parameters are in the workflow's parameters."
                what = f'{label}: there is no shared parameter "{name}"'
                self.findings.warning("use-unknown", what, (*path, "use_parameters", i), hint=hint, found=name)
        names = [name for name in dict.fromkeys(used) if name in self._shared]
        self.used.update(names)
        if not names:
            return None
        key = (item.parameter_mode, *names)
        if key not in self._made:
            values = {name: self._shared_values(name) for name in names}
            known = {name: found for name, found in values.items() if found is not None}
            if len(known) < len(values):
                raise Refused
            self._made[key] = self._combined(known, item, path, label, "use_parameters")
        return self._made[key]

    def _shared_values(self, name: str) -> Sequence[Scalar] | None:
        if name not in self._values:
            self._values[name] = self._read(
                self._shared[name], f'shared parameter "{name}"', ("parameters", name)
            )  # fmt: skip
        return self._values[name]

    def single_shared(self, name: str) -> Scalar:
        """Return the one value of a shared parameter, or its text as written when it has several; raises Refused."""
        self.used.add(name)
        values = self._shared_values(name)
        if values is None:
            raise Refused
        if len(values) == 1:
            return values[0]
        return native(self._shared[name])

    @property
    def shared(self) -> dict[str, Json]:
        """The workflow's parameters."""
        return self._shared

    def _read(self, value: Json, what: str, path: Path) -> Sequence[Scalar] | None:
        try:
            values = values_of(value, self._tables.read_file, self.limit)
        except BadText as exc:
            self.findings.bad_text(exc, what, path, found=str(value))
            return None
        if isinstance(value, str) and value.strip().startswith("[") != value.strip().endswith("]"):
            why = f"{what}: {value.strip()!r} is one text, not a list"
            self.findings.warning("param-value", why, path, hint="A list begins with [ and ends with ].", found=value)
        return values

    def _combined(
        self, values: dict[str, Sequence[Scalar]], item: ExpandedSpec, path: Path, label: str, field: str
    ) -> Combinations:
        empty = [name for name, found in values.items() if not len(found)]
        if empty:
            what = f'{label} disappears: parameter "{empty[0]}" has no values'
            hint = "A range must lead from its start to its end; steps can be negative."
            self.findings.warning("param-empty", what, (*path, field), hint=hint)
            return Combinations({}, 0)
        make = zipped if item.parameter_mode == "zip" else lambda found: product(found, self.limit)
        return self._noted(lambda: make(values), label, (*path, field))

    def _noted(self, make: Callable[[], Combinations], label: str, path: Path, found: str = "") -> Combinations:
        try:
            made = make()
            if made.count > self.limit:
                what = f"{made.count:,} combinations; at most {self.limit:,} are made"
                raise BadText(what, code="expansion-too-large")
        except BadText as exc:
            self.findings.bad_text(exc, label, path, found)
            raise Refused from exc
        return made

    def _count(self, made: Combinations, path: Path, label: str) -> None:
        before, self.total = self.total, self.total + made.count
        if self.total > 2 * self.limit:
            if before <= 2 * self.limit:
                what = f"{label}: with it the spec comes to {self.total:,} items; at most {2 * self.limit:,} are made"
                hint = "Use fewer values, or several workflows."
                self.findings.error("expansion-too-large", what, path, hint=hint)
            raise Refused
