"""What the YAML parser complains about, in words that say what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

from yaml.error import MarkedYAMLError

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.source import Source

_QUOTE = 'Put the whole value in quotes: key: "value"'
_INDENT = "Check the indentation of this line against the lines above"
_TAB = "Use spaces: YAML does not allow tabs in indentation"
_FIT = (
    "Check indentation and brackets; a value that begins with { [ \" or ' and goes on behind the closing one must be "
    "in quotes as a whole"
)


class _Meaning(NamedTuple):
    sign: str  # part of what the parser says; libyaml and the Python parser differ a little
    message: str
    hint: str
    at_start: bool = False  # point at where the broken thing begins, not where the parser gave up


_MEANINGS = (
    _Meaning("tab character", "a tab in the indentation", _TAB),
    _Meaning(
        "mapping values are not allowed",
        'a ":" that is not allowed here',
        f'{_INDENT}; a value that contains ": " must be in quotes',
    ),
    _Meaning("sequence entries are not allowed", 'a "-" that is not allowed here', "Begin the list on a new line"),
    _Meaning(
        "could not find expected ':'", 'a key without a ":"', f"{_INDENT}, or add the missing colon", at_start=True
    ),
    _Meaning("end of stream", "a quote that is never closed", "Add the closing quote", at_start=True),
    _Meaning("document separator", "a quote that is never closed", "Add the closing quote", at_start=True),
    _Meaning("expected alphabetic or numeric", "a * or & without a name", f"{_QUOTE} if it is text", at_start=True),
    _Meaning("unknown escape character", "an unknown escape", "Write \\\\ for a backslash, or use single quotes"),
    _Meaning("expected ',' or ']'", "a list in [ ] that goes wrong here", 'Check the commas and the closing "]"'),
    _Meaning("expected ',' or '}'", "a mapping in { } that goes wrong here", f"{_QUOTE} if it is text"),
    _Meaning("expected '-' indicator", "a line that is not an item of the list above", _INDENT),
    _Meaning("expected <block end>", "text that does not fit what is in front of it", _FIT),
    _Meaning("expected key", "text that does not fit what is in front of it", _FIT),
    _Meaning("expected <document start>", "text behind the end of the document", _FIT),
    _Meaning("expected node content", "a bracket or comma that is not allowed here", f"{_QUOTE} if it is text"),
    _Meaning("undefined tag handle", "a tag that is not known", f"{_QUOTE} if it is text that begins with !"),
)
_BAD_START = "cannot start any token"
_UNFINISHED = re.compile("(did not find )?expected (',' or|(the )?node content)")
"""What parsers say between brackets, libyaml's and Python's."""
_TOO_DEEP = "maximum nesting depth"  # libyaml has a limit of its own


def explain(error: MarkedYAMLError, source: Source) -> FormatError:
    """Turn a parser's error into ours."""
    said = error.problem or "this cannot be read"
    mark = error.problem_mark or error.context_mark
    offset = mark.index if mark else 0
    if _BAD_START in said:
        character = source.text[offset : offset + 1]
        if character == "\t":
            return source.error("a tab in the indentation", offset, hint=_TAB)
        return source.error(f'a value cannot begin with "{character}"', offset, hint=_QUOTE, found=character)
    if _TOO_DEEP in said:
        return source.too_deep(offset)
    if _UNFINISHED.match(said) and not source.text[offset:].strip():
        return _never_closed(error, source, offset)
    for meaning in _MEANINGS:
        if meaning.sign in said:
            if meaning.at_start and error.context_mark:
                offset = error.context_mark.index
            return source.error(meaning.message, offset, hint=meaning.hint)
    where = f" {error.context}" if error.context else ""
    return source.error(f"{said}{where}", offset, hint=_INDENT)


def _never_closed(error: MarkedYAMLError, source: Source, offset: int) -> FormatError:
    """Return the error about a text that ends between brackets; it points at the opening one where the parser knows it,
    else at the last thing written.
    """
    opened = error.context_mark.index if error.context_mark else offset
    if opened >= offset:
        opened = len(source.text[:offset].rstrip()) - 1
    return source.error("a [ or { that is never closed", opened, hint="Add the closing ] or }")
