"""Which jobs belong together for people: those of one template, or with names that differ by numbers only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import commonprefix

from torc_core.spec.plan import PlannedJob

_VARYING_END = re.compile(r"[\W_]*\d[\d\W_]*$|[\W_]+$")
LEAST_PREFIX = 3
"""Shorter common beginnings of names say nothing."""


def group_names(jobs: Sequence[PlannedJob]) -> list[str]:
    """Return for each job the name of its group; jobs of one template are one group."""
    by_template: dict[object, list[str]] = {}
    for job in jobs:
        by_template.setdefault(_template(job), []).append(job.name)
    labels = {template: common_name(names) or names[0] for template, names in by_template.items()}
    return [labels[_template(job)] for job in jobs]


def common_name(names: Sequence[str]) -> str:
    """Return what all names begin with, without numbers and separators at its end; empty when that is too little."""
    if len(names) == 1:
        return names[0]
    prefix = _VARYING_END.sub("", commonprefix([min(names), max(names)]))
    return prefix if len(prefix) >= LEAST_PREFIX else ""


def _template(job: PlannedJob) -> object:
    return job.path or _VARYING_END.sub("", job.name) or job.name
