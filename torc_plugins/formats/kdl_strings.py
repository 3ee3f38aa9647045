"""What the strings of KDL stand for: escapes, and the indentation that multi-line strings lose."""

from __future__ import annotations

import re

from torc_plugins.formats.kdl_lexer import NEWLINES, SPACES, Lexer

# The last one is of KDL 1.
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "s": " ", "\\": "\\", '"': '"', "/": "/"}
_ESCAPE = re.compile(rf"\\(?:u\{{([0-9a-fA-F]{{1,6}})\}}|([{SPACES}{NEWLINES}]++)|(.|\Z))", re.DOTALL)
_SPACE_ESCAPE = re.compile(rf"(\\[^{SPACES}{NEWLINES}])|\\[{SPACES}{NEWLINES}]++", re.DOTALL)
_NEWLINE = re.compile(rf"\r\n|[{NEWLINES}]")
_BLANK = re.compile(rf"[{SPACES}]*+")
# Spelled out, without a lookahead: where a round of a possessive group fails behind one, Python before 3.11.5 (that of
# Debian 12 for example) goes on behind what it looked at. Other kinds of groups take memory for every round.
_MULTI_BODY = re.compile(r"""(?:[^"\\]++|\\.|"[^"\\]|"\\.|""[^"\\]|""\\.)*+""", re.DOTALL)


def unescape(lexer: Lexer, body: str, offset: int) -> str:
    """Resolve the escapes of ``body``, whose error place is ``offset`` or right behind it."""

    def replace(match: re.Match[str]) -> str:
        code, blank, simple = match.groups()
        if code:
            number = int(code, 16)
            if number <= 0x10FFFF and not 0xD800 <= number < 0xE000:
                return chr(number)
        if blank:
            return ""
        if simple in _SIMPLE:
            return _SIMPLE[simple]
        hint = 'Write \\\\ for a backslash, or use a raw string: #"..."#'
        raise lexer.error(f"the escape {match.group()} is not allowed", offset + match.start(), hint)

    return _ESCAPE.sub(replace, body) if "\\" in body else body


def multi_line(lexer: Lexer) -> str:
    """Read on from the opening quotes of a multi-line string."""
    text, start = lexer.source.text, lexer.offset
    match = _MULTI_BODY.match(text, lexer.after)
    end = match.end() if match else lexer.after
    if not text.startswith('"""', end):
        raise lexer.error('a string that begins with """ and is never closed')
    body = _SPACE_ESCAPE.sub(lambda found: found[1] or "", text[lexer.after : end])
    lexer.after = end + 3
    return unescape(lexer, _dedent(lexer, body, start), start)


def raw(lexer: Lexer, hashes: int, *, one_line: bool) -> str:
    """Read on from the opening quote of a raw string: nothing in it is an escape.

    ``one_line`` is the rule of KDL 2, in which text of several lines stands between three quotes.
    """
    text, start = lexer.source.text, lexer.offset
    closing = "#" * hashes
    is_multi = one_line and text.startswith('""', lexer.after) and not text.startswith('"' + closing, lexer.after)
    begin = lexer.after + 2 if is_multi else lexer.after
    closing = '"""' + closing if is_multi else '"' + closing
    end = text.find(closing, begin)
    if end < 0:
        raise lexer.error("a raw string that is never closed", hint=f"It ends with {closing}")
    body = text[begin:end]
    lexer.after = end + len(closing)
    if is_multi:
        return _dedent(lexer, body, start)
    if one_line and _NEWLINE.search(body):
        raise lexer.error("a raw string that does not end on its line", start, 'Use #""" for several lines')
    return body


def _dedent(lexer: Lexer, body: str, start: int) -> str:
    """Take the indentation of the closing quotes off all lines; lines of white space only become empty."""
    opening = _NEWLINE.match(body)
    if opening is None:
        raise lexer.error('text must begin on the line after """', start)
    *lines, indent = _NEWLINE.split(body[opening.end() :])
    if not _BLANK.fullmatch(indent):
        raise lexer.error('the closing """ must stand on a line of its own', start)
    for number, line in enumerate(lines):
        if _BLANK.fullmatch(line):
            lines[number] = ""
        elif line.startswith(indent):
            lines[number] = line[len(indent) :]
        else:
            message = f'line {number + 1} of this string is not indented like its closing """'
            raise lexer.error(message, start, "Indent all lines at least as far, with the same spaces or tabs")
    return "\n".join(lines)
