"""From the jobs of a spec to all planned jobs, with every reference as a position (in the order of the spec)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

from torc_core.problems import did_you_mean
from torc_core.spec.choices import check_label
from torc_core.spec.expand import Expander, Item
from torc_core.spec.model import JobSpec, plain
from torc_core.spec.plan import PlannedJob
from torc_core.spec.references import Link, Names, Resolver
from torc_core.spec.sources import Refused
from torc_core.spec.template import IDENTIFIER, IDENTIFIER_HINT
from torc_core.spec.variables import CommandVariables

_DEPENDS = Link("depends_on", "depends_on_regexes", "dep", "depends on", "job")
_READS = Link("input_files", "input_file_regexes", "file-in", "reads file", "file")
_WRITES = Link("output_files", "output_file_regexes", "file-out", "writes file", "file")
_READS_DATA = Link("input_user_data", "input_user_data_regexes", "ud-in", "reads user data", "user data")
_WRITES_DATA = Link("output_user_data", "output_user_data_regexes", "ud-out", "writes user data", "user data")
_NEEDS = Link("resource_requirements", "", "rr", "needs resource requirements", "resource requirements")
_SCHEDULER = Link("scheduler", "", "sched", "names Slurm scheduler", "Slurm scheduler")


class Known(NamedTuple):
    """The names that jobs can refer to, apart from jobs."""

    files: Names
    data: Names
    requirements: Names
    handlers: Names
    schedulers: Names


class JobPlanner:
    """Makes the planned jobs of one spec."""

    def __init__(self, expander: Expander, known: Known, variables: CommandVariables) -> None:
        self._expander = expander
        self._findings = expander.findings
        self._resolver = Resolver(expander)
        self._known = known
        self._variables = variables

    def plan(self, specs: list[JobSpec], items: list[Item], jobs: Names) -> list[PlannedJob]:
        """Return the jobs of all items; ``specs[i]`` is what ``items[i]`` was made of."""
        planned: list[PlannedJob] = []
        for spec, item in zip(specs, items, strict=True):
            if item.names:
                made = self._jobs_of(spec, item, jobs)
                if "${" in (spec.command or "") or "${" in (spec.invocation_script or ""):
                    self._variables.apply(item, spec, made)
                planned += made
            else:
                self._check_constant(spec, item, jobs)
        return planned

    def _check_constant(self, spec: JobSpec, item: Item, jobs: Names) -> None:
        """Check the references without tokens of a job that could not be expanded."""
        known = self._known
        for names, link in (
            (jobs, _DEPENDS),
            (known.files, _READS),
            (known.files, _WRITES),
            (known.data, _READS_DATA),
            (known.data, _WRITES_DATA),
        ):
            exact, patterns = getattr(spec, link.field), getattr(spec, link.pattern_field)
            self._resolver.many(item, _constant(exact), _constant(patterns), names, link)
        for name, names, link in (
            (spec.resource_requirements, known.requirements, _NEEDS),
            (spec.scheduler, known.schedulers, _SCHEDULER),
        ):
            if name is not None and "{" not in name:
                self._resolver.one(item, name, names, link)
        self._handler(item, spec.failure_handler)

    def _jobs_of(self, spec: JobSpec, item: Item, jobs: Names) -> list[PlannedJob]:
        many, known = self._resolver.many, self._known
        if spec.command is not None and not spec.command.strip():
            what = f"{item.label}: the command is empty, so the job does nothing"
            self._findings.warning("name-form", what, (*item.path, "command"))
        columns: tuple[Any, ...] = (
            self._text(item, spec.command or "", "command"),
            item.path,
            None if spec.invocation_script is None else self._text(item, spec.invocation_script, "invocation_script"),
            spec.cancel_on_blocking_job_failure,
            spec.supports_termination,
            self._named(item, spec.resource_requirements, known.requirements, _NEEDS),
            self._handler(item, spec.failure_handler),
            self._scheduler(item, spec),
            many(item, spec.depends_on, spec.depends_on_regexes, jobs, _DEPENDS),
            many(item, spec.input_files, spec.input_file_regexes, known.files, _READS),
            many(item, spec.output_files, spec.output_file_regexes, known.files, _WRITES),
            many(item, spec.input_user_data, spec.input_user_data_regexes, known.data, _READS_DATA),
            many(item, spec.output_user_data, spec.output_user_data_regexes, known.data, _WRITES_DATA),
            spec.priority,
            self._env(item, spec.env),
            self._labels(item, spec.labels),
            None if spec.stdio is None else plain(spec.stdio),
        )
        if item.combinations is None:
            return [PlannedJob(item.names[0], *columns)]
        return list(map(PlannedJob, item.names, *map(_spread, columns)))

    def _text(self, item: Item, text: str, field: str) -> str | Iterable[str]:
        try:
            return self._expander.texts(item, text, (*item.path, field), field, severe=False)
        except Refused:
            return text

    def _named(self, item: Item, name: str | None, names: Names, link: Link) -> int | list[int]:
        return -1 if name is None else self._resolver.one(item, name, names, link)

    def _handler(self, item: Item, name: str | None) -> int:
        if name is None:
            return -1
        position = self._known.handlers.by_name.get(name)
        if position is None:
            what = f'{item.label} names failure handler "{name}", which is not defined'
            hint = did_you_mean(name, self._known.handlers.by_name) or "Define it under failure_handlers."
            if "{" in name:
                hint = "Parameters are not put into failure_handler."
            self._findings.error("handler-missing", what, (*item.path, "failure_handler"), hint=hint, found=name)
            return -1
        return position

    def _scheduler(self, item: Item, spec: JobSpec) -> int | list[int]:
        if spec.scheduler is not None and spec.labels:
            what = f"{item.label} has labels and a scheduler; workers in Slurm allocations have no labels"
            hint = "Remove one of them."
            self._findings.error("labels", what, (*item.path, "labels"), hint=hint)
        return self._named(item, spec.scheduler, self._known.schedulers, _SCHEDULER)

    def _env(self, item: Item, env: dict[str, str] | None) -> Any:
        if not env:
            return None
        path = (*item.path, "env")
        for name in env:
            if not IDENTIFIER.fullmatch(name):
                what = f"{item.label}: {name!r} cannot be the name of an environment variable"
                self._findings.error("env-name", what, (*path, name), hint=IDENTIFIER_HINT, found=name)
        try:
            _, made = self._expander.trees(item, env, path, "env", severe=False)
        except Refused:
            return None
        return made

    def _labels(self, item: Item, labels: list[str] | None) -> Any:
        if not labels:
            return ()
        path = (*item.path, "labels")
        try:
            is_column, made = self._expander.trees(item, labels, path, "labels")
        except Refused:
            return ()
        rows = [tuple(sorted(set(row))) for row in (made if is_column else [made]) if None not in row]
        for label in dict.fromkeys(label for row in rows for label in row):
            try:
                check_label(label)
            except ValueError as exc:
                self._findings.error("labels", f"{item.label}: {exc}", path, found=label)
                break
        return rows if is_column else (rows[0] if rows else ())


def _constant(texts: list[str] | None) -> list[Any]:
    """Return the texts without tokens; None keeps the places of the others."""
    return [text if text is not None and "{" not in text else None for text in texts or ()]


def _spread(column: Any) -> Iterator[Any]:
    """Repeat what all jobs share; lists and iterators have a value for each job."""
    if type(column) is list or hasattr(column, "__next__"):
        return iter(column)
    return repeat(column)
