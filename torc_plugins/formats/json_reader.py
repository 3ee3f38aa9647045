"""JSON and JSON5 text to plain data with the place of every value."""

from __future__ import annotations

import re
from typing import Any

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.json_errors import Where, bad_word, unexpected
from torc_plugins.formats.json_grammar import Grammar, identifier, number, unquote
from torc_plugins.formats.source import NESTING, Source, Tree

_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")


def read(source: Source, grammar: Grammar) -> tuple[Any, Tree]:
    """Read one document; raises FormatError. One long loop, because it runs once for each value."""
    source.refuse_characters(_FORBIDDEN)
    text, words = source.text, grammar.words
    match_pair, match_item, match_space = grammar.pair.match, grammar.item.match, grammar.space.match
    box: Any = []  # the container that is open; at first one that holds nothing but the document
    marks: Any = []  # and the trees of its values
    is_map = False
    stack: list[tuple[Any, Any, int]] = []  # of the containers around it, and where the open one begins
    position = 0
    may_follow = True  # a value: at the beginning, after an opening bracket and after a comma
    while True:
        match = (match_pair if is_map else match_item)(text, position) if may_follow else None
        if match is None:
            # Nothing more is in the open container, so it must end here.
            position = match_space(text, position).end()  # type: ignore[union-attr]  # always matches, if nothing
            if not stack and not may_follow and position == len(text):
                return box[0], marks[0]
            after_comma = may_follow and bool(box)
            ends = bool(stack) and text.startswith("}" if is_map else "]", position)
            if not ends or (after_comma and not grammar.lenient):
                opened = stack[-1][2] if stack else -1
                raise _no_end(source, grammar, Where(position, opened, is_map, may_follow, after_comma))
            box, marks, _ = stack.pop()
            is_map = box.__class__ is dict
            position += 1
            may_follow = False
            if stack:
                position = match_space(text, position).end()  # type: ignore[union-attr]
                may_follow = text.startswith(",", position)
                position += may_follow
            continue
        quoted_key, word_key, bracket, string, digits, word, comma = match.groups()
        value: Any
        tree: Any
        children: Any
        if string is not None:
            tree = match.start(4)
            value = unquote(string, tree, source, grammar) if "\\" in string else string[1:-1]
        elif bracket is not None:
            value, children = ({}, {}) if bracket == "{" else ([], [])
            tree = (match.start(3), children)
        elif digits is not None:
            tree = match.start(5)
            value = number(digits, tree, source)
        else:
            tree = match.start(6)
            if word not in words:
                raise bad_word(source, grammar, word, tree)
            value = words[word]
        if is_map:
            if quoted_key is not None:
                key = unquote(quoted_key, match.start(1), source, grammar)
            else:
                key = identifier(word_key, match.start(2), source)
            if key in box:
                raise source.repeated(key, max(match.start(1), match.start(2)), marks[key])
            box[key] = value
            marks[key] = tree
        else:
            box.append(value)
            marks.append(tree)
        position = match.end()
        if bracket is not None:
            if len(stack) >= NESTING:
                raise source.too_deep(tree[0])
            stack.append((box, marks, tree[0]))
            box, marks, is_map = value, tree[1], bracket == "{"
        else:
            may_follow = comma is not None
            if not stack and may_follow:
                raise source.error("the document has ended, but there is more text", match.start(7))


def _no_end(source: Source, grammar: Grammar, where: Where) -> FormatError:
    """Return the error about a place at which the open container does not end, or about a text with nothing in it."""
    if where.opened < 0 and where.offset == len(source.text):
        return source.empty()
    return unexpected(source, grammar, where)
