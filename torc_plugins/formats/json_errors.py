"""Say what is wrong where a JSON or JSON5 document cannot be read on."""

from __future__ import annotations

import re
from typing import NamedTuple

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.json_grammar import Grammar, identifier
from torc_plugins.formats.source import Source

_TOKEN = re.compile(r"[^\s,:{}\[\]\"']{1,30}|.", re.DOTALL)
_UNENDED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+')
_JSON5_HINT = "JSON5 allows it: name the file .json5"

_NUMBER_HINT = "JSON has no NaN, Infinity, hexadecimal numbers, leading + or leading zeros"


class Where(NamedTuple):
    """The point at which reading stopped; ``opened`` is where the container begins that is open, -1 for none."""

    offset: int
    opened: int
    is_map: bool
    may_follow: bool
    after_comma: bool


def unexpected(source: Source, grammar: Grammar, where: Where) -> FormatError:
    """Return the error about what stands at a point where it cannot."""
    text = source.text
    at, opened, is_map, may_follow, after_comma = where
    if opened < 0 and not may_follow:
        return source.error("the document has ended, but there is more text", at)
    closing = "}" if is_map else "]"
    if text.startswith(closing, at) and after_comma:
        return source.error("a comma before a closing bracket", at, hint=f"Remove the comma. {_JSON5_HINT}")
    if opened >= 0 and (not may_follow or text[at : at + 1] in ("}", "]")):
        return _stop(source, grammar, at, opened, f'expected "," or "{closing}"')
    if is_map:
        key = grammar.key.match(text, at)
        if key is None:
            return _no_key(source, grammar, at, opened)
        if key[2]:
            identifier(key[2], at, source)
        at = _skip(grammar, text, key.end())
        if text[at : at + 1] != ":":
            return _stop(source, grammar, at, opened, 'expected ":" after a key')
        at = _skip(grammar, text, at + 1)
    return _no_value(source, grammar, at, opened)


def bad_word(source: Source, grammar: Grammar, word: str, offset: int) -> FormatError:
    """Return the error about a bare word that is no value."""
    if word in ("NaN", "Infinity"):
        return source.error(f"{word} is not allowed in {grammar.name.upper()}", offset, hint=_JSON5_HINT, found=word)
    hint = "Text must be in quotes"
    if word.lower() in grammar.words or word == "None":
        hint = f"Write {'null' if word == 'None' else word.lower()}"
    return source.error(f'"{word}" is not a value', offset, hint=hint, found=word)


def _skip(grammar: Grammar, text: str, offset: int) -> int:
    match = grammar.space.match(text, offset)
    return match.end() if match else offset


def _stop(source: Source, grammar: Grammar, at: int, opened: int, expected: str) -> FormatError:
    """Return the error that names what was expected and what is there."""
    text = source.text
    if text.startswith("/*", at) and grammar.lenient:
        return source.error("a comment that is never closed", at, hint="Add */ where it ends")
    if at >= len(text):
        line, _ = source.place(max(opened, 0))
        hint = f"Close what begins on line {line}" if opened >= 0 else ""
        return source.error(f"{expected}, but the file ends here", at, hint=hint)
    match = _TOKEN.match(text, at)
    found = match.group() if match else ""
    if found == '"' and (string := _UNENDED.match(text, at)):
        found = text[at : string.end() + 1]
        return source.error(f"{expected}, found {found}", at, found=found)
    return source.error(f'{expected}, found "{found}"', at, hint=_hint(found), found=found)


def _hint(found: str) -> str:
    if found.startswith(("//", "/*", "#")):
        return f"JSON has no comments. {_JSON5_HINT}" if found[0] == "/" else "Comments begin with // in JSON5"
    return ""


def _no_key(source: Source, grammar: Grammar, at: int, opened: int) -> FormatError:
    start = source.text[at : at + 1]
    if start == '"' or (start == "'" and grammar.lenient):
        return _open_string(source, at)
    if not grammar.lenient and (start == "'" or start.isidentifier()):
        return source.error("a key must be in double quotes", at, hint=_JSON5_HINT)
    return _stop(source, grammar, at, opened, "expected a key")


def _no_value(source: Source, grammar: Grammar, at: int, opened: int) -> FormatError:
    start = source.text[at : at + 1]
    if start == '"' or (start == "'" and grammar.lenient):
        return _open_string(source, at)
    if start == "'":
        return source.error("text must be in double quotes", at, hint=_JSON5_HINT)
    if start and start in "+-.0123456789":
        match = _TOKEN.match(source.text, at)
        found = match.group() if match else start
        hint = "Text must be in quotes" if grammar.lenient else f"Text must be in quotes. {_NUMBER_HINT}"
        return source.error(f'"{found}" is not a number', at, hint=hint, found=found)
    return _stop(source, grammar, at, opened, "expected a value")


def _open_string(source: Source, at: int) -> FormatError:
    match = _UNENDED.match(source.text, at)
    end = match.end() if match else at
    if source.text[end : end + 1] == "\t":
        return source.error("a tab inside text in quotes", end, hint="Write \\t")
    hint = "Add the closing quote on the same line; a line break inside text is written \\n"
    return source.error("text in quotes that does not end on its line", at, hint=hint)
