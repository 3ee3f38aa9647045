"""YAML events to plain data: keys are text, anchors are shared, everything beyond the core schema is refused."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from torc_core.contracts.formats import FormatError, Plain
from torc_plugins.formats.source import NESTING, Source, Tree
from torc_plugins.formats.yaml_errors import explain
from torc_plugins.formats.yaml_scalars import convert, resolve

EXPANDED = 1_000_000
"""Values that all aliases of a document may stand for together."""

_FORBIDDEN_ASCII = re.compile("[^\t\n\r\x20-\x7e]")
_SCALAR_TAGS = frozenset(("str", "int", "float", "bool", "null"))
_CORE = "tag:yaml.org,2002:"
_MERGE: Any = object()  # stands for an unquoted "<<" key; no text is equal to it


class PythonParser(Reader, Scanner, Parser):
    """The event source for places where PyYAML comes without libyaml; about twenty times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)  # type: ignore[no-untyped-call]
        Parser.__init__(self)  # type: ignore[no-untyped-call]


def best_parser() -> Any:
    """Return the class that makes events of text."""
    if yaml.__with_libyaml__:
        return import_module("yaml.cyaml").CParser
    return PythonParser


class _Anchor(NamedTuple):
    value: Any
    tree: Tree


@lru_cache(maxsize=1)
def _forbidden() -> re.Pattern[str]:
    """Return what finds characters outside of YAML's printable set; slow to make, and needed for few documents."""
    return re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read(source: Source, parser: Any) -> tuple[Any, Tree]:
    """Read one document with the events of ``parser``; raises FormatError."""
    source.refuse_characters(_FORBIDDEN_ASCII if source.text.isascii() else _forbidden())
    try:
        return _Document(source).read(parser(source.text))
    except yaml.MarkedYAMLError as error:
        raise explain(error, source) from None


class _Document:
    """What has to be remembered while one document is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.anchors: dict[str, _Anchor] = {}
        self.measures: dict[int, tuple[int, int]] = {}  # number of values and levels, by identity of the container
        self.expanded = 0

    def read(self, parser: Any) -> tuple[Any, Tree]:
        """Follow the events to the end of the stream. One long loop, because it runs once for each value."""
        box: Any = []  # the container that is open; at first one that holds nothing but the document
        marks: Any = []  # and the trees of its values
        top, top_marks = box, marks
        key: Any = None  # of the pair whose value is next; None when a key is next
        stack: list[tuple[Any, Any]] = []
        next_event = parser.get_event
        while (event := next_event()) is not None:
            kind = event.__class__
            if kind is MappingEndEvent or kind is SequenceEndEvent:
                if kind is MappingEndEvent and _MERGE in box:
                    self.merge(box, marks)
                box, marks = stack.pop()
                continue
            children: Any
            offset = event.start_mark.index
            wants_key = key is None and box.__class__ is dict
            tree: Any = offset
            opens = False
            if kind is ScalarEvent:
                if wants_key:
                    key = self.key(event, offset, box, marks)
                    continue
                value: Any = event.value
                if event.tag is not None:
                    value = self.tagged(event, offset)
                elif not event.style:
                    value = self.plain(value, offset)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self.check_container(event, offset, wants_key, len(stack))
                value, children = ({}, {}) if kind is MappingStartEvent else ([], [])
                tree = (offset, children)
                opens = True
            elif kind is AliasEvent:
                anchor = self.aliased(event.anchor, offset, stack, box)
                if wants_key:
                    key = self.alias_key(anchor.value, offset, box, marks)
                    continue
                value = anchor.value
                tree = offset if isinstance(anchor.tree, int) else (offset, anchor.tree[1])
            elif kind is DocumentStartEvent and top:
                raise self.second_document(offset)
            else:
                continue
            if kind is not AliasEvent and event.anchor:
                self.anchors[event.anchor] = _Anchor(value, tree)
            if box.__class__ is dict:
                box[key] = value
                marks[key] = tree
                key = None
            else:
                box.append(value)
                marks.append(tree)
            if opens:
                stack.append((box, marks))
                box, marks = value, tree[1]
        if not top or (isinstance(top[0], Plain) and not top[0]):
            raise self.source.empty()
        return top[0], top_marks[0]

    def second_document(self, offset: int) -> FormatError:
        """Return the error about another document behind the first."""
        hint = "A file holds one spec: put the other one into a file of its own"
        return self.source.error("a second document begins here", offset, code="yaml-documents", hint=hint)

    def plain(self, text: str, offset: int) -> str:
        """Return what an unquoted scalar stands for."""
        try:
            return resolve(text)
        except ValueError:
            raise self.source.long_number(offset) from None

    def tagged(self, event: ScalarEvent, offset: int) -> str:
        """Return what a scalar with a tag stands for; only the tags of the core schema are known."""
        tag = str(event.tag)
        if tag == "!":
            return str(event.value)
        name = tag.removeprefix(_CORE)
        if name == tag or name not in _SCALAR_TAGS:
            raise self.unknown_tag(tag, offset)
        try:
            value = convert(event.value, name)
        except ValueError:
            raise self.source.long_number(offset) from None
        if value is None:
            raise self.source.error(f'"{event.value}" is not a value for !!{name}', offset, code="yaml-tag")
        return value

    def unknown_tag(self, tag: str, offset: int) -> FormatError:
        """Return the error about a tag we do not take."""
        shown = "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag
        hint = "Remove it, or put the value in quotes if it is text that begins with !"
        return self.source.error(
            f"the tag {shown} is not allowed here", offset, code="yaml-tag", hint=hint, found=shown
        )

    def check_container(self, event: Any, offset: int, wants_key: bool, depth: int) -> None:
        """Refuse a list or mapping that is a key, has a foreign tag or is too deep."""
        if wants_key:
            raise self.bad_key(offset)
        name = "map" if event.__class__ is MappingStartEvent else "seq"
        if event.tag not in (None, "!", _CORE + name):
            raise self.unknown_tag(event.tag, offset)
        if depth >= NESTING:
            raise self.source.too_deep(offset)

    def bad_key(self, offset: int) -> FormatError:
        """Return the error about a key that is a list or a mapping."""
        hint = "Text that begins with { or [ must be in quotes"
        return self.source.error("a key must be text", offset, code="yaml-key", hint=hint)

    def key(self, event: ScalarEvent, offset: int, box: dict[Any, Any], marks: dict[Any, Any]) -> Any:
        """Return the key that a scalar is: its text, whatever it reads as."""
        if event.tag is not None:
            self.tagged(event, offset)
        if event.anchor:
            self.anchors[event.anchor] = _Anchor(event.value, offset)
        key = _MERGE if event.value == "<<" and not event.style and event.tag is None else event.value
        if key in box:
            raise self.source.repeated(event.value, offset, marks[key])
        return key

    def alias_key(self, value: Any, offset: int, box: dict[Any, Any], marks: dict[Any, Any]) -> str:
        """Return the key that an alias is."""
        if not isinstance(value, str):
            raise self.bad_key(offset)
        key = str(value)
        if key in box:
            raise self.source.repeated(key, offset, marks[key])
        return key

    def aliased(self, name: str, offset: int, stack: list[tuple[Any, Any]], box: Any) -> _Anchor:
        """Return what an alias stands for, unless it is unknown, contains itself or stands for too much."""
        anchor = self.anchors.get(name)
        if anchor is None:
            raise self.source.error(
                f"no anchor &{name} before this alias",
                offset,
                code="yaml-alias",
                hint="If this is text that begins with *, put it in quotes",
                found=f"*{name}",
            )
        if any(anchor.value is open_box for open_box in (box, *(outer for outer, _ in stack))):
            raise self.source.error(f"*{name} is used inside what it stands for", offset, code="yaml-alias")
        count, levels = self.measure(anchor.value)
        self.expanded += count
        if self.expanded > EXPANDED:
            raise self.source.error(
                f"the aliases of this document stand for more than {EXPANDED:,} values", offset, code="yaml-alias"
            )
        if len(stack) + levels > NESTING:
            raise self.source.too_deep(offset)
        return anchor

    def measure(self, value: Any) -> tuple[int, int]:
        """Count the values in ``value`` with all aliases written out, and its levels of containers."""
        if value.__class__ is not dict and value.__class__ is not list:
            return 1, 0
        known = self.measures.get(id(value))
        if known is None:
            inner = [self.measure(item) for item in (value.values() if value.__class__ is dict else value)]
            known = 1 + sum(count for count, _ in inner), 1 + max((levels for _, levels in inner), default=0)
            self.measures[id(value)] = known
        return known

    def merge(self, box: dict[Any, Any], marks: dict[Any, Any]) -> None:
        """Replace ``<<`` by what it stands for: keys of the mapping itself win, then those of the earlier source."""
        merged = box.pop(_MERGE)
        tree = marks.pop(_MERGE)
        sources = merged if isinstance(merged, list) else [merged]
        if not all(isinstance(source, dict) for source in sources):
            offset = tree if isinstance(tree, int) else tree[0]
            hint = 'Write <<: *name, or "<<" in quotes for an ordinary key'
            raise self.source.error("<< takes a mapping or a list of mappings", offset, code="yaml-merge", hint=hint)
        trees = tree[1] if isinstance(merged, list) else [tree]
        for source, (_, children) in zip(sources, trees, strict=True):
            for key, value in source.items():
                if key not in box:
                    box[key] = value
                    marks[key] = children[key]
