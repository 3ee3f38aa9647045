"""KDL 2 text to nodes; the bare ``true``, ``false`` and ``null`` of KDL 1 and its ``r"raw"`` are understood as well.

Where the two versions contradict each other, version 2 holds. The rules are those of the specification at kdl.dev.
"""

from __future__ import annotations

import re

from torc_plugins.formats import kdl_strings
from torc_plugins.formats.kdl_lexer import (
    END,
    ESCAPED,
    KEYWORD,
    MULTI,
    NEWLINE,
    QUOTED,
    RAW,
    SIGN,
    SLASHDASH,
    WORD,
    Lexer,
)
from torc_plugins.formats.source import NESTING, NUMBER_LENGTH, Source

Value = str | int | float | bool | None
Entry = tuple[str | None, Value, int]
"""Property name or None for an argument, the value and its offset."""

_NUMBER_START = re.compile(r"[-+]?\.?[0-9]")
_DECIMAL = re.compile(r"[-+]?[0-9][0-9_]*+(?:\.[0-9][0-9_]*+)?(?:[eE][-+]?[0-9][0-9_]*+)?")
_BASED = re.compile(r"[-+]?0(?:x[0-9a-fA-F][0-9a-fA-F_]*+|o[0-7][0-7_]*+|b[01][01_]*+)")
_KEYWORDS: dict[str, Value] = {
    "#true": True, "#false": False, "#null": None,
    "#inf": float("inf"), "#-inf": float("-inf"), "#nan": float("nan"),
}  # fmt: skip
_VERSION_1: dict[str, Value] = {"true": True, "false": False, "null": None}
_NOT_BARE = frozenset(("true", "false", "null", "inf", "-inf", "nan"))


class Node:
    """A node as written. ``children`` is None without a block; ``annotation`` is the type in front of the name."""

    __slots__ = ("annotation", "children", "entries", "name", "no_more", "offset")

    def __init__(self, name: str, annotation: str | None, offset: int) -> None:
        self.name = name
        self.annotation = annotation
        self.offset = offset
        self.entries: list[Entry] = []
        self.children: list[Node] | None = None
        self.no_more = False  # entries: a block, if only one behind /-, has been seen


def read(source: Source) -> list[Node]:
    """Read the nodes of a document; raises FormatError."""
    return _Reader(source).document()


class _Reader:
    def __init__(self, source: Source) -> None:
        self.lexer = Lexer(source)

    def document(self) -> list[Node]:
        """Read to the end of the text. Open blocks are kept in a list, so that no depth exhausts the stack."""
        lexer = self.lexer
        nodes: list[Node] = []
        # Around the open block: its siblings, the node it belongs to, and whether the node and the block count.
        open_blocks: list[tuple[list[Node], Node, bool, bool]] = []
        while True:
            while lexer.kind == NEWLINE:
                lexer.advance()
            if lexer.kind == END:
                if open_blocks:
                    raise lexer.error("a block that is never closed", open_blocks[-1][1].offset, "Add a }")
                return nodes
            if lexer.kind == SIGN and lexer.text == "}":
                if not open_blocks:
                    raise lexer.error("a } without a {")
                inner = nodes
                nodes, node, node_counts, block_counts = open_blocks.pop()
                if block_counts:
                    node.children = inner
                lexer.advance()
            else:
                node_counts = not self.slashdash()
                node = self.head()
            opened = self.entries(node, inside=bool(open_blocks))
            if opened is None:
                if node_counts:
                    nodes.append(node)
                continue
            if len(open_blocks) >= NESTING:
                raise lexer.source.too_deep(node.offset)
            open_blocks.append((nodes, node, node_counts, opened))
            nodes = []

    def slashdash(self) -> bool:
        """Skip a ``/-`` and the white space behind it; say whether there was one."""
        lexer = self.lexer
        if lexer.kind != SLASHDASH:
            return False
        lexer.advance()
        while lexer.kind == NEWLINE:
            lexer.advance()
        return True

    def head(self) -> Node:
        """Read the type annotation and the name of a node."""
        annotation = self.annotation()
        offset = self.lexer.offset
        name = self.string()
        if name is None:
            raise self.lexer.unexpected("the name of a node")
        return Node(name, annotation, offset)

    def entries(self, node: Node, *, inside: bool) -> bool | None:
        """Read what follows the name: to the end of the node (None) or to the ``{`` of a block (does that count?)."""
        lexer = self.lexer
        while True:
            kind = lexer.kind
            if kind in (NEWLINE, END):
                if kind == NEWLINE:
                    lexer.advance()
                return None
            if kind == SIGN:
                sign = lexer.text
                if sign == ";":
                    lexer.advance()
                    return None
                if sign == "}" and inside:
                    return None
                if sign == "{":
                    if node.children is not None:
                        raise lexer.error("a second block for the same node", hint="Put all children into one block")
                    node.no_more = True
                    lexer.advance()
                    return True
            if not lexer.spaced:
                raise lexer.error("a space is missing in front of this")
            if self.slashdash():
                if lexer.kind == SIGN and lexer.text == "{":
                    node.no_more = True
                    lexer.advance()
                    return False
                self.entry(node)
                node.entries.pop()
                continue
            self.entry(node)

    def entry(self, node: Node) -> None:
        """Read an argument or a property."""
        lexer = self.lexer
        if node.no_more:
            raise lexer.unexpected("the end of the node behind its block")
        offset = lexer.offset
        is_text = lexer.kind in (WORD, QUOTED, ESCAPED, MULTI, RAW)
        value = self.value()
        if not (lexer.kind == SIGN and lexer.text == "="):
            node.entries.append((None, value, offset))
            return
        if not is_text or not isinstance(value, str):
            raise lexer.error("this cannot be the name of a property", offset, "Names are text, without a type")
        lexer.advance()
        offset = lexer.offset
        node.entries.append((value, self.value(), offset))

    def annotation(self) -> str | None:
        """Read ``(type)`` if there is one."""
        lexer = self.lexer
        if lexer.kind != SIGN or lexer.text != "(":
            return None
        lexer.advance()
        name = self.string()
        if name is None:
            raise lexer.unexpected("the name of a type")
        if lexer.kind != SIGN or lexer.text != ")":
            raise lexer.unexpected('")"')
        lexer.advance()
        return name

    def value(self) -> Value:
        """Read a value; a type in front of it says nothing to us."""
        self.annotation()
        lexer = self.lexer
        kind, text = lexer.kind, lexer.text
        if kind == QUOTED:
            lexer.advance()
            return text[1:-1]
        if kind == WORD:
            if _NUMBER_START.match(text):
                return self.number()
            if text in _VERSION_1:
                lexer.advance()
                return _VERSION_1[text]
        elif kind == KEYWORD:
            if text not in _KEYWORDS:
                raise lexer.error(
                    f"{text} is not a keyword", hint="There are #true, #false, #null, #inf, #-inf and #nan"
                )
            lexer.advance()
            return _KEYWORDS[text]
        string = self.string()
        if string is None:
            raise lexer.unexpected("a value")
        return string

    def string(self) -> str | None:
        """Read a string of any kind; None when there is none."""
        lexer = self.lexer
        kind, text = lexer.kind, lexer.text
        if kind == WORD:
            if text == "r" and lexer.source.text[lexer.after : lexer.after + 1] in ('"', "#"):
                return self.version_1_raw()
            if _NUMBER_START.match(text):
                raise self.not_a_name(text)
            if text in _NOT_BARE:
                raise lexer.error(f'"{text}" must be in quotes here', hint=f"The keyword is written #{text}")
            value = text
        elif kind == QUOTED:
            value = text[1:-1]
        elif kind == ESCAPED:
            value = kdl_strings.unescape(lexer, text, lexer.offset)[1:-1]
        elif kind == MULTI:
            value = kdl_strings.multi_line(lexer)
        elif kind == RAW:
            value = kdl_strings.raw(lexer, len(text) - 1, one_line=True)
        else:
            return None
        lexer.advance()
        return value

    def version_1_raw(self) -> str:
        """Read ``r"..."`` or ``r#"..."#``, which may go over several lines."""
        lexer = self.lexer
        text, begin = lexer.source.text, lexer.after
        while text.startswith("#", lexer.after):
            lexer.after += 1
        hashes = lexer.after - begin
        if not text.startswith('"', lexer.after):
            raise lexer.error("a space is missing in front of this", begin)
        lexer.after += 1
        value = kdl_strings.raw(lexer, hashes, one_line=False)
        lexer.advance()
        return value

    def number(self) -> float:
        """Read the number that the current word is."""
        lexer = self.lexer
        text = lexer.text
        if len(text) > NUMBER_LENGTH:
            raise lexer.source.long_number(lexer.offset)
        digits = text.replace("_", "")
        if _BASED.fullmatch(text):
            value: float = int(digits, 0)
        elif not _DECIMAL.fullmatch(text):
            raise self.not_a_name(text)
        elif digits.lstrip("+-").isdigit():
            value = int(digits)
        else:
            value = float(digits)
        lexer.advance()
        return value

    def not_a_name(self, text: str) -> Exception:
        """Return the error about bare text that looks like a number and is none."""
        return self.lexer.error(f'"{text}" is neither a number nor a name', hint=f'Text must be in quotes: "{text}"')
