"""Which plugins are installed, read from the metadata of distributions without importing ``importlib.metadata``.

That module alone costs as much as all the rest of ``torc --help``. What is read here: folders ``*.dist-info`` and
``*.egg-info`` in the folders of the import path, with the first distribution of a name hiding later ones. Zip files and
other importers on the path are not looked into.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple


class EntryPoint(NamedTuple):
    """One line of a distribution's ``entry_points.txt``."""

    group: str
    name: str
    target: str
    distribution: str
    version: str


def installed(groups: Collection[str], path: Iterable[str]) -> list[EntryPoint]:
    """Return the entry points of ``groups`` in the folders of ``path``, by name, so that two machines agree."""
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in path:
        for file, distribution, version in _distributions(folder or "."):
            known_as = re.sub(r"[-_.]+", "-", distribution).lower()
            if known_as in seen:
                continue
            seen.add(known_as)
            try:
                with open(file, encoding="utf-8") as lines:
                    text = lines.read()
            except (OSError, UnicodeDecodeError):  # most distributions have no such file
                continue
            if any(f"[{group}]" in text for group in groups):
                found += [
                    EntryPoint(group, name, target, known_as, version)
                    for group, name, target in _entries(text)
                    if group in groups
                ]
    return sorted(found, key=lambda point: (point.name, point.distribution, point.group))


def _distributions(folder: str) -> list[tuple[str, str, str]]:
    """Return the entry-point file, name and version of each distribution in one folder of the import path."""
    try:
        with os.scandir(folder) as entries:
            infos = sorted(entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:  # on the path, but not a folder that can be read
        return []
    found = []
    for info in infos:
        name, _, rest = info.rpartition(".")[0].partition("-")
        found.append((f"{folder}/{info}/entry_points.txt", name, rest.partition("-")[0]))
    return found


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield group, name and target of each entry."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield group, name.strip(), target.partition("[")[0].strip()  # what follows are extras
