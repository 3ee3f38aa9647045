"""From one item as written to all items it stands for: names, gathering, and the texts of every other field.

When expansions of an item share a name and differ in nothing but lists, they are gathered into one item; when they
differ in anything else, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torc_core.problems import Path, did_you_mean
from torc_core.spec.combinations import Combinations
from torc_core.spec.findings import BadText, Findings
from torc_core.spec.model import ExpandedSpec
from torc_core.spec.sources import Refused, Sources
from torc_core.spec.template import Template, compile_template, left_over
from torc_core.units import counted


def are_names(texts: Sequence[str]) -> bool:
    """Whether all texts are one line each and not blank."""
    return all(map(str.strip, texts)) and len(("x".join(texts) + "x").splitlines()) == 1


class Item:
    """One item of the spec with the names it expands to.

    ``groups`` is None unless items were gathered; then it holds the combinations of each name.
    """

    __slots__ = ("combinations", "groups", "label", "name_tokens", "names", "parameters", "path")

    def __init__(self, label: str, path: Path, parameters: tuple[str, ...]) -> None:
        self.label = label  # for messages: job "train_{i}"
        self.path = path
        self.parameters = parameters
        self.combinations: Combinations | None = None
        self.names: list[str] = []
        self.name_tokens: set[str] = set()
        self.groups: list[list[int]] | None = None

    def combination_of(self, position: int) -> str:
        """Describe the (first) combination behind ``names[position]``, empty when there are no parameters."""
        if self.combinations is None:
            return ""
        return self.combinations.described(self.groups[position][0] if self.groups else position)


class Expander:
    """Expands items; what is wrong with them goes to ``findings``."""

    def __init__(self, findings: Findings, sources: Sources, known_tokens: frozenset[str] | None) -> None:
        self.findings = findings
        self.sources = sources
        self._known_tokens = known_tokens  # others have been refused already
        self.unsure: dict[str, list[str]] = {"job": [], "file": [], "user data": []}
        """Names, with their tokens, of items that could not be expanded: references to them cannot be judged."""
        self._leftovers: dict[tuple[str, str], list[Any]] = {}

    def item(self, spec: Any, path: Path, word: str) -> Item:
        """Expand the name of one item; it has no names when it vanishes or something is wrong with it."""
        name: str | None = spec.name
        label = f'{word} "{name}"' if name is not None else f"{word} {path[-1]}"
        item = Item(label, path, self.sources.names(spec))
        try:
            item.combinations = self.sources.combinations(spec, path, label)
        except Refused:
            self.unsure[word].append(name or "")
            return item
        if name is None:
            return item
        if item.combinations is not None and item.combinations.count:
            item.parameters = item.combinations.names
        try:
            template = self.template(item, name, (*path, "name"), "name")
        except Refused:
            self.unsure[word].append(name)
            return item
        self._name(item, name, template, spec)
        if not are_names(item.names):
            wrong = next(name for name in item.names if not are_names((name,)))
            what = f"{label}: a name is one line and not empty" + ("" if wrong == name else f", which {wrong!r} is not")
            self.findings.error("name-form", what, (*path, "name"), found=wrong)
        return item

    def _name(self, item: Item, name: str, template: Template | None, spec: ExpandedSpec) -> None:
        combinations = item.combinations
        if combinations is None:
            item.names = [name]
            return
        if template is not None:
            item.names = list(combinations.render(template)) if combinations.count else []
            item.name_tokens = {token for token, _ in template.tokens}
        else:
            item.names = [name] * combinations.count
        unique = set(item.names)
        if len(unique) == len(item.names):
            return
        groups: dict[str, list[int]] = {}
        for i, text in enumerate(item.names):
            groups.setdefault(text, []).append(i)
        item.names, item.groups = list(groups), list(groups.values())
        into = "one" if len(groups) == 1 else f"{len(groups):,}"
        what = f"{item.label}: {counted(combinations.count, 'combination')} gathered into {into}"
        self.findings.note("gathered", what, (*item.path, "name"))

    def template(self, item: Item, text: str, path: Path, what: str, severe: bool = True) -> Template | None:
        """Take a text apart, None when it is the same in all combinations.

        What looks like a token and is none is an error, or for texts of the shell (not ``severe``) a warning. Raises
        Refused when an error was noted.
        """
        if "\0" in text:
            self.findings.error("name-form", f"{item.label}: {what} has a zero byte", path)
            raise Refused
        if "{" not in text:
            return None
        wrong = self._check_left_over(item, text, path, what, severe)
        combinations = item.combinations
        template = None
        if combinations is not None and combinations.count:
            try:
                template = compile_template(text, item.parameters)
            except BadText as exc:
                self.findings.bad_text(exc, f"{item.label}: {what}", path, text)
                raise Refused from exc
            if template is not None:
                wrong = self._check_rows(item, combinations, template, path, what, severe) or wrong
        if wrong:
            raise Refused
        return template

    def _check_left_over(self, item: Item, text: str, path: Path, what: str, severe: bool) -> bool:
        for token, name in left_over(text, item.parameters):
            if self._known_tokens is not None and name not in self._known_tokens:
                if severe:
                    return True  # told when the constants were put in
            elif severe:
                hint = self._hint_for(item, name)
                message = f"{item.label}: {token} in {what} is none of its parameters"
                self.findings.error("token-left", message, path, hint=hint, found=token)
                return True
            else:
                self._leftovers.setdefault((what, token), [path, item, 0])[2] += 1
        return False

    def _hint_for(self, item: Item, name: str) -> str:
        near = did_you_mean(name, item.parameters)
        if near:
            return near
        if name in self.sources.shared:
            return f"{name} is a shared parameter: add use_parameters: [{name}]."
        if item.parameters:
            return f"Its parameters: {', '.join(item.parameters)}."
        return f"It has no parameters; give it {name} to mean all values."

    def _check_rows(
        self, item: Item, combinations: Combinations, template: Template, path: Path, what: str, severe: bool
    ) -> bool:
        for name, _ in template.tokens:
            row = combinations.row_without(name)
            if row is not None:
                add = self.findings.error if severe else self.findings.warning
                message = f"{item.label}: row {row} of the table has no {name!r} for {what}"
                add("token-left", message, path, hint="Give every row that key.", found=f"{{{name}}}")
                return severe
        return False

    def report_left_over(self) -> None:
        """Warn of what looked like tokens in commands, once for each different one."""
        for (what, token), (path, item, count) in self._leftovers.items():
            others = f" (and of {counted(count - 1, 'other item')})" if count > 1 else ""
            message = f"{token} in the {what} of {item.label}{others} is no parameter and stays as it is"
            near = did_you_mean(token[1:-1].partition(":")[0], item.parameters)
            hint = near or "Fine if the command means it."
            self.findings.warning("token-left", message, path, hint=hint, found=token)

    def texts(self, item: Item, text: str, path: Path, what: str, severe: bool = True) -> str | Iterable[str]:
        """Return a text that is the same for all names of an item, or one text for each. Raises Refused."""
        template = self.template(item, text, path, what, severe)
        if template is None or item.combinations is None:
            return text
        rendered = item.combinations.render(template)
        if item.groups is None:
            return rendered
        tokens = [name for name, _ in template.tokens]
        return self.one_for_each_name(item, list(rendered), path, what, tokens)

    def trees(self, item: Item, tree: Any, path: Path, what: str, severe: bool = True) -> Any:
        """Return ``(False, tree)`` for a JSON value without tokens, else True and a list with a value for each name.

        Raises Refused.
        """
        templates: dict[str, Template] = {}
        refused = False
        for place, text in _texts_of(tree, path):
            try:
                template = self.template(item, text, place, what, severe)
            except Refused:
                refused = True
                continue
            if template is not None:
                templates[text] = template
        if refused:
            raise Refused
        if not templates or item.combinations is None:
            return False, tree
        columns = [item.combinations.render(template) for template in templates.values()]
        made = [_filled(tree, dict(zip(templates, texts, strict=True))) for texts in zip(*columns, strict=True)]
        if item.groups is not None:
            tokens = [name for template in templates.values() for name, _ in template.tokens]
            made = self.one_for_each_name(item, made, path, what, tokens)
        return True, made

    def one_for_each_name(
        self, item: Item, values: list[Any], path: Path, what: str, tokens: Sequence[str]
    ) -> list[Any]:
        """Return the value of each gathered name; different values within one are an error."""
        groups, combinations = item.groups or [], item.combinations
        for name, group in zip(item.names, groups, strict=True):
            first = values[group[0]]
            other = next((i for i in group if values[i] != first), None)
            if other is not None and combinations is not None:
                missing = dict.fromkeys(token for token in tokens if token not in item.name_tokens)
                names = " and ".join(f"{{{token}}}" for token in missing) or "all parameters"
                self.findings.error(
                    "gather-differs",
                    f'{item.label}: {counted(len(group), "combination")} share the name "{name}", but their {what} '
                    f"differs: {_short(first)} ({combinations.described(group[0])}) and {_short(values[other])} "
                    f"({combinations.described(other)})",
                    path,
                    hint=f"Put {names} into the name for one each, or take it out of the {what} for one in all.",
                )
                break
        return [values[group[0]] for group in groups]


def _texts_of(tree: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, dict):
        for name, member in tree.items():
            yield from _texts_of(member, (*path, name))
    elif isinstance(tree, list):
        for i, member in enumerate(tree):
            yield from _texts_of(member, (*path, i))


def _filled(tree: Any, texts: dict[str, str]) -> Any:
    if isinstance(tree, str):
        return texts.get(tree, tree)
    if isinstance(tree, dict):
        return {name: _filled(member, texts) for name, member in tree.items()}
    if isinstance(tree, list):
        return [_filled(member, texts) for member in tree]
    return tree


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
