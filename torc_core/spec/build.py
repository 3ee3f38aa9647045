"""Puts a plan together: files, user data, requirements and their like, jobs, actions; then the checks on all of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

from torc_core.problems import Path, dotted
from torc_core.spec import lint, slurm, validate
from torc_core.spec.actions import plan_actions
from torc_core.spec.dependencies import check_all_edges, order_jobs
from torc_core.spec.expand import Expander, Item
from torc_core.spec.findings import Findings
from torc_core.spec.jobs import JobPlanner, Known
from torc_core.spec.model import EXECUTION_DEFAULTS, WorkflowSpec, plain
from torc_core.spec.plan import Plan, PlannedData, PlannedFile
from torc_core.spec.references import Names
from torc_core.spec.sources import Refused, Sources, TableShelf
from torc_core.spec.template import render
from torc_core.spec.variables import CommandVariables

_COPIED = (
    "name", "description", "project", "resource_monitor", "access_groups", "dynamic_jobs", "enable_ro_crate",
    "use_pending_failed", "compute_node_expiration_buffer_seconds", "compute_node_wait_for_new_jobs_seconds",
    "compute_node_ignore_workflow_completion", "compute_node_wait_for_healthy_database_minutes",
)  # fmt: skip


class Builder:
    """Builds the plan of one spec; what is wrong goes to ``findings``."""

    def __init__(
        self,
        spec: WorkflowSpec,
        tables: TableShelf,
        findings: Findings,
        known_tokens: frozenset[str] | None,
        limit: int,
    ) -> None:
        self.spec = spec
        self.findings = findings
        self.sources = Sources(spec, tables, findings, limit)
        self.expander = Expander(findings, self.sources, known_tokens)
        self.made = Plan()

    def plan(self, monitor: Any, skip_checks: bool) -> Plan:
        """Return the plan; ``monitor`` is the monitoring section as it was written."""
        spec, made, findings = self.spec, self.made, self.findings
        sections = {"jobs": spec.jobs, "files": spec.files, "user_data": spec.user_data}
        made.counts_before = {name: len(items or ()) for name, items in sections.items()}
        files, data = self._files(), self._user_data()
        known = Known(files, data, self._requirements(), self._handlers(), self._schedulers())
        self._jobs(known)
        self._workflow(monitor)
        slurm.check_slurm_defaults(spec, findings)
        check_all_edges(made, order_jobs(made, findings), findings)
        if not skip_checks:
            slurm.check_nodes(spec, made, findings)
            slurm.check_fit(spec, made, findings)
        validate.check_identifiers(spec, made, findings)
        self.expander.report_left_over()
        if not findings.has_errors:
            lint.note_unused(spec, made, self.sources.used, findings)
        return made

    def _files(self) -> Names:
        items = []
        for place, spec in enumerate(self.spec.files or ()):
            path: Path = ("files", place)
            item = self.expander.item(spec, path, "file")
            if not item.names:
                continue
            items.append(item)
            paths = self._texts(item, spec.path or "", "path")
            identifiers = None if spec.identifier is None else self._texts(item, spec.identifier, "identifier")
            first = len(self.made.files)
            for name, text, identifier in zip(item.names, _each(paths), _each(identifiers), strict=False):
                file = PlannedFile(name, text, path)
                file.st_mtime, file.identifier = spec.st_mtime, identifier
                self.made.files.append(file)
            if spec.path is not None and not all(file.path.strip() for file in self.made.files[first:]):
                self.findings.error("name-form", f"{item.label}: the path is empty", (*path, "path"))
        return self._names(items, "dup-file", "file")

    def _user_data(self) -> Names:
        items = []
        for place, spec in enumerate(self.spec.user_data or ()):
            path: Path = ("user_data", place)
            item = self.expander.item(spec, path, "user data")
            if spec.name is None:
                self.findings.warning("unnamed", "user data without a name is left out", path, hint="Give it a name.")
            if not item.names:
                continue
            items.append(item)
            is_column, data = False, spec.data
            if item.combinations is not None:
                try:
                    is_column, data = self.expander.trees(item, spec.data, (*path, "data"), "data", severe=False)
                except Refused:
                    is_column, data = False, spec.data
            for name, value in zip(item.names, data if is_column else repeat(data), strict=False):
                self.made.data.append(PlannedData(name, value, spec.is_ephemeral, path))
        return self._names(items, "dup-user-data", "user data")

    def _texts(self, item: Item, text: str, field: str) -> str | Iterable[str]:
        try:
            return self.expander.texts(item, text, (*item.path, field), field)
        except Refused:
            return text

    def _names(self, items: list[Item], code: str, word: str) -> Names:
        all_names = [name for item in items for name in item.names]
        names = Names(all_names, self.expander.unsure[word])
        if len(names.by_name) < len(all_names):
            self._report_repeated(items, code, word)
        return names

    def _report_repeated(self, items: list[Item], code: str, word: str) -> None:
        seen: dict[str, tuple[Item, int]] = {}
        for item in items:
            told = False
            for position, name in enumerate(item.names):
                if name not in seen:
                    seen[name] = (item, position)
                elif not told:
                    told = True  # one for each item says enough
                    first, at = seen[name]
                    places = " and ".join((_origin(first, at), _origin(item, position)))
                    what = f'{word} "{name}" is defined twice, by {places}'
                    hint = f"Each {word} needs a name of its own."
                    self.findings.error(code, what, (*item.path, "name"), hint=hint, found=name)

    def _requirements(self) -> Names:
        given = self.spec.resource_requirements or ()
        section = "resource_requirements"
        kept = validate.unique_names([r.name for r in given], section, "resource requirements", "dup-rr", self.findings)
        for place, needs in enumerate(given):
            validate.check_requirements(needs, (section, place), self.findings)
        # The defaults stand in for values that were refused when they were read.
        self.made.requirements = [
            {"name": name} | slurm.BUILT_IN_REQUIREMENTS | plain(given[place]) for place, name in kept
        ]
        return Names([name for _, name in kept])

    def _handlers(self) -> Names:
        given = self.spec.failure_handlers or ()
        section = "failure_handlers"
        kept = validate.unique_names([h.name for h in given], section, "failure handler", "dup-handler", self.findings)
        for place, handler in enumerate(given):
            validate.check_handler(handler, (section, place), self.findings)
        self.made.handlers = [plain(given[place]) for place, _ in kept]
        return Names([name for _, name in kept])

    def _schedulers(self) -> Names:
        given = self.spec.slurm_schedulers or ()
        section = "slurm_schedulers"
        kept = validate.unique_names(
            [s.name for s in given], section, "Slurm scheduler", "dup-scheduler", self.findings
        )
        for place, scheduler in enumerate(given):
            slurm.check_scheduler(scheduler, (section, place), self.findings)
            if scheduler.name is None:
                what = "a Slurm scheduler without a name is left out"
                self.findings.warning("unnamed", what, (section, place), hint="Give it a name.")
        self.made.schedulers = [
            {"name": name, "nodes": 1, "walltime": "01:00:00"} | plain(given[place]) for place, name in kept
        ]
        return Names([name for _, name in kept])

    def _jobs(self, known: Known) -> None:
        specs = self.spec.jobs or []
        items = [self.expander.item(spec, ("jobs", place), "job") for place, spec in enumerate(specs)]
        jobs = self._names(items, "dup-job", "job")
        self.made.actions = plan_actions(self.spec, jobs, known.schedulers, self.findings)
        variables = CommandVariables(self.made.files, known.files, self.made.data, known.data, self.findings)
        self.made.jobs = JobPlanner(self.expander, known, variables).plan(specs, items, jobs)

    def _workflow(self, monitor: Any) -> None:
        spec, findings = self.spec, self.findings
        validate.check_env(spec.env, findings)
        validate.check_groups(spec.access_groups, findings)
        validate.check_execution(spec, findings)
        validate.check_monitor(monitor, findings)
        made = {name: plain(getattr(spec, name)) for name in _COPIED}
        made["metadata"] = self._metadata()
        made["env"] = self._env()
        made["execution_config"] = None if spec.execution_config is None else plain(spec.execution_config)
        if (made["execution_config"] or {}).items() <= EXECUTION_DEFAULTS.items():
            made["execution_config"] = None
        usable = {k: v for k, v in (spec.slurm_defaults or {}).items() if isinstance(v, str | int | float)}
        made["slurm_defaults"] = usable or None
        self.made.workflow = {name: value for name, value in made.items() if value is not None}

    def _metadata(self) -> Any:
        given = self.spec.metadata
        if isinstance(given, str):
            import json

            try:
                read = json.loads(given)
            except (ValueError, RecursionError):
                return given
            return read if isinstance(read, dict) else given
        if given is not None and not isinstance(given, dict):
            what = "metadata is an object, or JSON text of one"
            self.findings.error("type", what, ("metadata",), found=str(given))
        return given

    def _env(self) -> dict[str, str] | None:
        """Return the environment with the shared parameters put in that have one value; others by their text."""
        if not self.spec.env:
            return None
        made = {}
        for name, text in self.spec.env.items():
            try:
                used = {p: self.sources.single_shared(p) for p in self.sources.shared if f"{{{p}" in (text or "")}
                made[name] = render(text or "", used)
            except Refused:
                made[name] = text
        return made


def _each(value: Any) -> Iterable[Any]:
    return repeat(value) if value is None or isinstance(value, str) else value


def _origin(item: Item, position: int) -> str:
    values = item.combination_of(position)
    return f"{dotted(item.path)} with {values}" if values else dotted(item.path)
