"""The kinds of records such that each comes after those it refers to, in whatever order they were declared."""

from __future__ import annotations

from torc_core.records import resources  # noqa: F401  (declares the records)
from torc_core.records.record import RECORDS, Record


def parents_first() -> list[type[Record]]:
    """Return all declared kinds, parents before their children."""
    ordered: dict[str, type[Record]] = {}
    seen: set[str] = set()

    def visit(plural: str) -> None:
        if plural in seen or plural not in RECORDS:
            return
        seen.add(plural)
        kind = RECORDS[plural]
        for f in kind.FIELDS.values():
            if f.refers:
                visit(f.refers)
        ordered[plural] = kind

    for plural in RECORDS:
        visit(plural)
    return list(ordered.values())
