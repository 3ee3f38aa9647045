"""From names and patterns to positions: every reference of an item to items of another kind, resolved at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from torc_core.problems import Path, did_you_mean
from torc_core.spec.expand import Expander, Item
from torc_core.spec.findings import BadText
from torc_core.spec.name_index import NameIndex
from torc_core.spec.plan import NOTHING
from torc_core.spec.sources import Refused
from torc_core.units import counted

Positions = tuple[int, ...]
_TOKENS = re.compile(r"\{[^}]*\}")
_MOST_SUGGESTIONS = 20


class Link(NamedTuple):
    """One kind of reference: the fields that hold it, and what messages call it."""

    field: str
    pattern_field: str
    code: str  # of problems: code-missing, code-regex-bad, code-regex-nomatch
    verb: str  # job "x" <verb> "y"
    word: str  # what is referred to


class Names:
    """The names of one kind, with their positions."""

    def __init__(self, names: list[str], unsure: Iterable[str] = ()) -> None:
        self.by_name = {name: i for i, name in enumerate(names)}
        self.index = NameIndex(names)
        self._unsure = [
            re.compile(".*".join(map(re.escape, _TOKENS.split(name))), re.DOTALL) for name in unsure
        ]  # fmt: skip

    def may_exist(self, name: str) -> bool:
        """Whether an item that could not be expanded might have that name."""
        return any(pattern.fullmatch(name) for pattern in self._unsure)

    @property
    def is_complete(self) -> bool:
        """Whether all items of the kind could be expanded."""
        return not self._unsure


class Resolver:
    """Resolves references; equal lists of positions are the same object."""

    def __init__(self, expander: Expander) -> None:
        self.expander = expander
        self.findings = expander.findings
        self._shared: dict[Positions, Positions] = {}
        self._single: dict[int, Positions] = {}
        self._suggestions = 0

    def one(self, item: Item, text: str, names: Names, link: Link) -> int | list[int]:
        """Resolve a field that holds one name: a position, or one for each name of the item; -1 for what is missing."""
        path = (*item.path, link.field)
        try:
            found = self.expander.texts(item, text, path, link.field)
        except Refused:
            return -1
        if isinstance(found, str):
            position = names.by_name.get(found)
            if position is None:
                self._missing(item, [found], names, link, path)
                return -1
            return position
        texts = list(found)
        positions = [names.by_name.get(text, -1) for text in texts]
        if -1 in positions:
            missing = [text for text, position in zip(texts, positions, strict=True) if position < 0]
            self._missing(item, missing, names, link, path)
        return positions

    def many(
        self, item: Item, exact: list[str] | None, patterns: list[str] | None, names: Names, link: Link
    ) -> Positions | list[Positions]:
        """Resolve a list of names and one of patterns: the positions of all, or those of each name of the item."""
        if item.combinations is None and not patterns:
            positions = [names.by_name.get(text) for text in exact or ()]  # type: ignore[arg-type]
            if None not in positions:  # nearly always
                return self._as_list(positions)  # type: ignore[arg-type]
        fixed: list[Positions] = []
        columns: list[list[Positions]] = []
        for i, text in enumerate(exact or ()):
            if text is not None:
                self._exact(item, text, names, link, (*item.path, link.field, i), fixed, columns)
        for i, text in enumerate(patterns or ()):
            if text is not None:
                self._pattern(item, text, names, link, (*item.path, link.pattern_field, i), fixed, columns)
        constant = self._union(fixed)
        if not columns:
            return constant
        if len(columns) == 1 and not constant:
            rows = columns[0]
        else:
            rows = [self._union([constant, *row]) for row in zip(*columns, strict=True)]
        if item.groups is None:
            return rows
        return [self._union([rows[i] for i in group]) for group in item.groups]

    def _union(self, parts: list[Positions]) -> Positions:
        parts = [part for part in parts if part]
        if not parts:
            return NOTHING
        if len(parts) == 1:
            return parts[0]
        union = tuple(sorted(set().union(*parts)))
        return self._shared.setdefault(union, union)

    def _as_list(self, positions: list[int]) -> Positions:
        if len(positions) < 2:
            return self._alone(positions[0]) if positions else NOTHING
        found = tuple(sorted(set(positions)))
        return self._shared.setdefault(found, found)

    def _alone(self, position: int | None) -> Positions:
        if position is None:
            return NOTHING
        found = self._single.get(position)
        if found is None:
            found = self._single[position] = (position,)
        return found

    def _exact(
        self, item: Item, text: str, names: Names, link: Link, path: Path,
        fixed: list[Positions], columns: list[list[Positions]],
    ) -> None:  # fmt: skip
        try:
            template = self.expander.template(item, text, path, link.field)
        except Refused:
            return
        if template is None or item.combinations is None:
            position = names.by_name.get(text)
            if position is None:
                self._missing(item, [text], names, link, path)
            else:
                fixed.append(self._alone(position))
            return
        positions = list(map(names.by_name.get, item.combinations.render(template)))
        if None in positions:
            rendered = item.combinations.render(template)
            missing = [name for name, position in zip(rendered, positions, strict=True) if position is None]
            self._missing(item, missing, names, link, path)
        columns.append(list(map(self._alone, positions)))

    def _pattern(
        self, item: Item, text: str, names: Names, link: Link, path: Path,
        fixed: list[Positions], columns: list[list[Positions]],
    ) -> None:  # fmt: skip
        try:
            template = self.expander.template(item, text, path, link.pattern_field)
            if template is None or item.combinations is None:
                fixed.append(self._matching(item, text, names, link, path))
                return
            texts = list(item.combinations.render(template))
            found = {pattern: self._matching(item, pattern, names, link, path) for pattern in dict.fromkeys(texts)}
        except Refused:
            return
        columns.append([found[pattern] for pattern in texts])

    def _matching(self, item: Item, pattern: str, names: Names, link: Link, path: Path) -> Positions:
        try:
            found = names.index.matching(pattern)
        except BadText as exc:
            what = f"{item.label}: the pattern {pattern!r} cannot be used: {exc}"
            self.findings.error(f"{link.code}-regex-bad", what, path, hint=exc.hint, found=pattern)
            raise Refused from exc
        if not found and names.is_complete:
            what = f"{item.label}: the pattern {pattern!r} matches no {link.word}"
            self.findings.error(
                f"{link.code}-regex-nomatch", what, path, hint=self._likely(pattern, names), found=pattern
            )
            raise Refused
        return self._shared.setdefault(found, found)

    def _missing(self, item: Item, found: list[str], names: Names, link: Link, path: Path) -> None:
        missing = list(dict.fromkeys(name for name in found if not names.may_exist(name)))
        if not missing:
            return
        more = f" (and {counted(len(missing) - 1, 'other')} like it)" if len(missing) > 1 else ""
        what = f'{item.label} {link.verb} "{missing[0]}"{more}, which is not defined'
        hint = self._likely(missing[0], names) or "Define it, or correct the name."
        self.findings.error(f"{link.code}-missing", what, path, hint=hint, found=missing[0])

    def _likely(self, name: str, names: Names) -> str:
        self._suggestions += 1  # each takes a millisecond or more: thousands of mistakes are still told at once
        if self._suggestions > _MOST_SUGGESTIONS:
            return ""
        return did_you_mean(name, names.index.near(name))
