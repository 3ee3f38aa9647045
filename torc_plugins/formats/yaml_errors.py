"""What the YAML parser complains about, in words that say what to do."""

from __future__ import annotations

from typing import NamedTuple

from yaml.error import MarkedYAMLError

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.source import Source

_QUOTE = 'Put the whole value in quotes: key: "value"'
_INDENT = "Check the indentation of this line against the lines above"
_TAB = "Use spaces: YAML does not allow tabs in indentation"
_SPECIAL = (
    'Check the indentation and the brackets; a value that begins with { [ " or \' but goes on after the closing one must '
    "be put in quotes as a whole"
)


class _Meaning(NamedTuple):
    sign: str  # part of what the parser says (libyaml and the Python parser differ a little)
    message: str
    hint: str
    at_start: bool = False  # point at where the broken thing begins, not where the parser gave up


_MEANINGS = (
    _Meaning("tab character", "a tab in the indentation", _TAB),
    _Meaning("mapping values are not allowed", 'a ":" that is not allowed here', f'{_INDENT}; a value that contains ": " must be in quotes'),
    _Meaning("sequence entries are not allowed", 'a "-" that is not allowed here', "Begin the list on a line of its own"),
    _Meaning("could not find expected ':'", 'this line has no ":" after its key', f"{_INDENT}, or add the missing colon"),
    _Meaning("end of stream", "a quote that is never closed", "Add the closing quote", at_start=True),
    _Meaning("document separator", "a quote that is never closed", "Add the closing quote", at_start=True),
    _Meaning("expected alphabetic or numeric", "a * or & without a name after it", f"{_QUOTE} if it is plain text", at_start=True),
    _Meaning("unknown escape character", "an unknown escape in a quoted string", "Write \\\\ for a backslash, or use single quotes"),
    _Meaning("expected ',' or ']'", "a list in [ ] that goes wrong here", 'Check the commas and the closing "]"'),
    _Meaning("expected ',' or '}'", "a mapping in { } that goes wrong here", f"{_QUOTE} if the value merely begins with {{"),
    _Meaning("expected '-' indicator", "a line that is not an item of the list above", _INDENT),
    _Meaning("expected <block end>", "a line that does not fit what is above it", _SPECIAL),
    _Meaning("expected key", "a line that does not fit what is above it", _SPECIAL),
    _Meaning("expected <document start>", "text after the end of the document", _SPECIAL),
    _Meaning("expected node content", "a bracket or comma that is not allowed here", _QUOTE),
    _Meaning("undefined tag handle", "a tag that is not known", f"{_QUOTE} if the value merely begins with !"),
)  # fmt: skip
_BAD_START = "cannot start any token"


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
    for meaning in _MEANINGS:
        if meaning.sign in said:
            if meaning.at_start and error.context_mark:
                offset = error.context_mark.index
            return source.error(meaning.message, offset, hint=meaning.hint)
    where = f" {error.context}" if error.context else ""
    return source.error(f"{said}{where}", offset, hint=_INDENT)
