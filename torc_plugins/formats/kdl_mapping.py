"""KDL nodes to the data of a spec, by the table in ``kdl_fields``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torc_core.contracts.formats import FormatError
from torc_core.problems import did_you_mean
from torc_plugins.formats.json_format import JsonFormat, is_deeper
from torc_plugins.formats.kdl_fields import DOCUMENT, ITEM, ITEMS, LIST, SECTION, TEXT_JSON, Field
from torc_plugins.formats.kdl_reader import Entry, Node
from torc_plugins.formats.source import NESTING, Source, Tree

ELEMENT = "-"
"""Name of the nodes that are the elements of a list."""
PLAIN = frozenset(("array", "object", "value"))
"""Annotations of nodes that are plain data whatever the table says about their name."""
NAME = "name"
"""Key of the argument in front of a block."""

Found = tuple[Any, Tree]
"""A value and where it is."""


def to_data(nodes: Sequence[Node], source: Source) -> Found:
    """Return what the nodes of a document say; raises FormatError."""
    return _Mapper(source).mapping(DOCUMENT, (), nodes, 0, 1)


class _Box:
    """A mapping that is being filled, with the trees of its values."""

    __slots__ = ("data", "fields", "marks", "source")

    def __init__(self, source: Source, fields: Mapping[str, Field]) -> None:
        self.source = source
        self.fields = fields
        self.data: dict[str, Any] = {}
        self.marks: dict[str, Any] = {}

    def add(self, key: str, found: Found, offset: int) -> None:
        """Set a key that must be new."""
        if key in self.data:
            repeatable = [name for name, field in self.fields.items() if field.shape in (LIST, ITEM)]
            raise self.source.repeated(key, offset, self.marks[key], did_you_mean(key, repeatable))
        self.data[key], self.marks[key] = found

    def extend(self, key: str, found: list[Found], offset: int) -> None:
        """Append to the list at a key."""
        if key not in self.data:
            self.add(key, ([], (offset, [])), offset)
        data, tree = self.data[key], self.marks[key]
        if not isinstance(data, list):
            raise self.source.repeated(key, offset, tree)
        for value, mark in found:
            data.append(value)
            tree[1].append(mark)


class _Mapper:
    def __init__(self, source: Source) -> None:
        self.source = source

    def mapping(
        self, field: Field, entries: Sequence[Entry], children: Sequence[Node], offset: int, depth: int
    ) -> Found:
        """Return the mapping that a block is; ``depth`` counts the containers it is in, and itself."""
        box = _Box(self.source, field.fields)
        self.fill_from_entries(box, entries, depth)
        for child in children:
            self.put(box, child, depth)
        for key in field.always:
            if key not in box.data:
                box.extend(key, [], offset)
        return box.data, (offset, box.marks)

    def fill_from_entries(self, box: _Box, entries: Sequence[Entry], depth: int) -> None:
        """Put in what stands on the line of a node: its name, and properties, which are fields with one value."""
        for key, value, offset in entries:
            if key is not None:
                field = box.fields.get(key)
                if field and field.shape == LIST:
                    box.extend(field.key, [(value, offset)], offset)
                elif field and field.shape == TEXT_JSON:
                    box.add(key, self.from_json(value, offset, depth), offset)
                else:
                    box.add(key, (value, offset), offset)
            elif NAME in box.data:
                hint = "Only the name stands in front of a block; put the rest into it"
                raise self.source.error("a second value for the name", offset, code="kdl-value", hint=hint)
            else:
                box.add(NAME, (value, offset), offset)

    def put(self, box: _Box, node: Node, depth: int) -> None:
        """Put the value of a node into the mapping that its block is."""
        name, offset = node.name, node.offset
        field = box.fields.get(name)
        if field is None or node.annotation in PLAIN:
            box.add(name, self.plain(node, depth + 1), offset)
            return
        shape, key = field.shape, field.key
        bare = node.children is None and not node.entries
        only_values = node.children is None and all(name is None for name, _, _ in node.entries)
        if shape == ITEM and not (bare and name == key):
            box.extend(key, [self.mapping(field, node.entries, node.children or (), offset, depth + 2)], offset)
        elif bare and shape in (ITEM, ITEMS):
            box.extend(key, [], offset)
        elif shape == ITEMS and not node.entries:
            self.put_items(box, field, node, depth)
        elif shape == ITEMS and not only_values:
            [wanted] = field.fields
            what, hint = f'"{name}" has nothing but a block of "{wanted}" nodes', f'Write {wanted} "name" ... for each'
            raise self.source.error(what, offset, code="kdl-node", hint=hint, found=name)
        elif shape == SECTION and (bare or not only_values):
            box.add(key, self.mapping(field, node.entries, node.children or (), offset, depth + 1), offset)
        elif shape == LIST and only_values:
            box.extend(key, [(value, at) for _, value, at in node.entries], offset)
        elif shape == TEXT_JSON and only_values and len(node.entries) == 1:
            _, value, at = node.entries[0]
            box.add(key, self.from_json(value, at, depth), offset)
        else:
            # It has not the look of its field: keep it as it is, to be refused for its type.
            box.add(key, self.plain(node, depth + 1), offset)

    def put_items(self, box: _Box, field: Field, node: Node, depth: int) -> None:
        """Put in the elements that stand in one block."""
        for child in node.children or ():
            if child.name not in field.fields:
                [wanted] = field.fields
                hint = did_you_mean(child.name, field.fields) or f'Write {wanted} "name" {{ ... }}'
                raise self.source.error(
                    f'only "{wanted}" nodes can be in "{node.name}"',
                    child.offset,
                    code="kdl-node",
                    hint=hint,
                    found=child.name,
                )
            self.put(box, child, depth)
        box.extend(field.key, [], node.offset)

    def from_json(self, value: Any, offset: int, depth: int) -> Found:
        """Return what JSON text in a string stands for; a number, boolean or null stands for itself."""
        if not isinstance(value, str):
            return value, offset
        try:
            data = JsonFormat().loads(value).data
        except FormatError as error:
            problem = error.problem
            raise self.source.error(
                f"this is not JSON: {problem.message} (line {problem.line}, column {problem.column} of the text)",
                offset,
                code="kdl-json",
                hint=problem.hint or 'Text needs quotes of its own: #""text""#',
            ) from None
        if is_deeper(data, NESTING - depth):
            raise self.source.too_deep(offset)
        return data, offset

    def plain(self, node: Node, depth: int) -> Found:
        """Return the value of a node that the table does not know; calls itself once for each level."""
        offset, children = node.offset, node.children
        entries = node.entries
        has_properties = any(name is not None for name, _, _ in entries)
        is_box = children is not None or has_properties or node.annotation in ("array", "object") or len(entries) > 1
        if is_box and depth > NESTING:
            raise self.source.too_deep(offset)
        looks_like_list = bool(children) and all(child.name == ELEMENT for child in children or ())
        if node.annotation == "array" or (looks_like_list and not has_properties and node.annotation != "object"):
            return self.plain_list(node, depth)
        if children is not None or has_properties or node.annotation == "object":
            box = _Box(self.source, {})
            self.fill_from_entries(box, entries, depth)
            for child in children or ():
                box.add(child.name, self.plain(child, depth + 1), child.offset)
            return box.data, (offset, box.marks)
        if not entries:
            hint = "Write the value behind the name; an empty list is (array)name, no value at all is #null"
            raise self.source.error(f'"{node.name}" has no value', offset, code="kdl-value", hint=hint, found=node.name)
        if len(entries) == 1:
            return entries[0][1], entries[0][2]
        return [value for _, value, _ in entries], (offset, [at for _, _, at in entries])

    def plain_list(self, node: Node, depth: int) -> Found:
        """Return the list that a node is: its arguments, then the elements in its block."""
        data: list[Any] = []
        marks: list[Any] = []
        for name, value, at in node.entries:
            if name is not None:
                raise self.source.error("a list has no properties", at, code="kdl-value")
            data.append(value)
            marks.append(at)
        for child in node.children or ():
            if child.name != ELEMENT:
                hint = f'The elements of a list are nodes called "{ELEMENT}"'
                raise self.source.error("a list has no fields", child.offset, code="kdl-value", hint=hint)
            value, tree = self.plain(child, depth + 1)
            data.append(value)
            marks.append(tree)
        return data, (node.offset, marks)
