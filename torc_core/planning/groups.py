"""Which jobs belong together for people: those of one template, or with names that differ by numbers only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from torc_core.spec.plan import PlannedJob

_VARYING_END = re.compile(r"[\W_]*\d+$|[\W_]+$")
"""A number, perhaps the first digits of several, or separators: ``_12`` of ``l0_12``, ``_`` of ``l0_``."""


def group_names(jobs: Sequence[PlannedJob]) -> list[str]:
    """Return for each job the name of its group; jobs of one template are one group."""
    templates = [_template(job) for job in jobs]
    by_template: dict[object, list[str]] = {}
    for template, job in zip(templates, jobs, strict=True):
        by_template.setdefault(template, []).append(job.name)
    labels = {template: common_name(names) or names[0] for template, names in by_template.items()}
    uses = Counter(labels.values())
    for template, names in by_template.items():
        if uses[labels[template]] > 1 and len(names) > 1:
            labels[template] += f"*{_common_end(names)}"
    return [labels[template] for template in templates]


def common_name(names: Sequence[str]) -> str:
    """Return what all names begin with, without numbers and separators at its end; it may be empty."""
    least, most = min(names), max(names)
    if least == most:
        return least
    return _VARYING_END.sub("", "".join(a for a, _ in takewhile(_is_same, zip(least, most, strict=False))))


def _common_end(names: Sequence[str]) -> str:
    return common_name([name[::-1] for name in names])[::-1]


def _is_same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _template(job: PlannedJob) -> object:
    return job.path or _VARYING_END.sub("", job.name) or job.name
