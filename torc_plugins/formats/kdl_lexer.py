"""KDL text as tokens. White space, comments and line continuations are skipped and only remembered as ``spaced``."""

from __future__ import annotations

import re

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.source import Source

SPACES = "\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
NEWLINES = "\n\r\u0085\u000b\u000c\u2028\u2029"
FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

WORD = "word"
"""A bare identifier, number or, in KDL 1, keyword."""
QUOTED = "quoted"
ESCAPED = "escaped"
"""A quoted string on one line, without and with backslashes."""
MULTI = "multi"
RAW = "raw"
"""The opening quotes of a multi-line string and of a raw one."""
KEYWORD = "keyword"
SIGN = "sign"
NEWLINE = "newline"
SLASHDASH = "slashdash"
END = "end"

_WORD = rf'[^{SPACES}{NEWLINES}\\/(){{}};\[\]"#=]++'
_TOKEN = re.compile(
    rf"""[{SPACES}]*+(?:
    (?P<newline>\r\n|[{NEWLINES}])
   |(?P<word>{_WORD})
   |(?P<quoted>"(?!"")[^"\\{NEWLINES}]*+")
   |(?P<sign>[{{}}();=])
   |(?P<escaped>"(?!"")(?:[^"\\{NEWLINES}]|\\(?:[{SPACES}{NEWLINES}]++|.))*+")
   |(?P<multi>\"\"\")
   |(?P<raw>\#++")
   |(?P<keyword>\#(?:{_WORD})?)
   |(?P<line_comment>//[^{NEWLINES}]*+)
   |(?P<block_comment>/\*)
   |(?P<slashdash>/-)
   |(?P<continuation>\\)
   |(?P<end>\Z))""",
    re.VERBOSE,
)
_COMMENT_SIGN = re.compile(r"/\*|\*/")
_CONTINUED = re.compile(rf"[{SPACES}]*+(?://[^{NEWLINES}]*+)?(?:\r\n|[{NEWLINES}]|\Z)")


class Lexer:
    """One token after the other: ``kind``, ``text``, ``offset`` (where it begins), ``after`` (where it ends)."""

    __slots__ = ("_match", "after", "kind", "offset", "source", "spaced", "text")

    def __init__(self, source: Source) -> None:
        source.refuse_characters(FORBIDDEN)
        self.source = source
        self._match = _TOKEN.match
        self.after = 0
        self.advance()

    def advance(self) -> None:
        """Go to the next token."""
        start = self.after
        while True:
            match = self._match(self.source.text, self.after)
            if match is None:
                raise self._unreadable()
            kind = match.lastgroup or ""
            self.kind = kind
            self.text = match[kind]
            self.after = match.end()
            self.offset = self.after - len(self.text)
            if kind == "block_comment":
                self._skip_block_comment()
            elif kind == "line_comment":
                # It ends a node just like the line end behind it.
                self.kind = NEWLINE
                break
            elif kind == "continuation":
                self._skip_line_end()
            else:
                break
        self.spaced = self.offset > start

    def error(self, message: str, offset: int | None = None, hint: str = "") -> FormatError:
        """Return the error about the current token or about ``offset``."""
        found = self.text if offset is None else ""
        return self.source.error(message, self.offset if offset is None else offset, hint=hint, found=found)

    def unexpected(self, expected: str) -> FormatError:
        """Return the error that names what was expected and what is there."""
        found = {END: "the end of the file", NEWLINE: "the end of the line"}.get(self.kind, f'"{self.text}"')
        return self.error(f"expected {expected}, found {found}")

    def _skip_block_comment(self) -> None:
        opened, depth = self.offset, 1
        while depth:
            match = _COMMENT_SIGN.search(self.source.text, self.after)
            if match is None:
                raise self.error("a comment that is never closed", opened, "Add */ where it ends")
            depth += 1 if match.group() == "/*" else -1
            self.after = match.end()

    def _skip_line_end(self) -> None:
        start = self.offset
        while True:
            match = _CONTINUED.match(self.source.text, self.after)
            if match:
                self.after = match.end()
                return
            match = self._match(self.source.text, self.after)
            if match is None or match.lastgroup != "block_comment":
                hint = "A backslash outside of quotes must be the last thing on its line"
                raise self.error("a backslash that does not end its line", start, hint)
            self.offset, self.after = match.end() - 2, match.end()
            self._skip_block_comment()

    def _unreadable(self) -> FormatError:
        text = self.source.text
        offset = self.after + len(text[self.after :]) - len(text[self.after :].lstrip(" \t"))
        if text.startswith('"', offset):
            hint = 'Add the closing quote; text of several lines stands between """ and """, each on a line of its own'
            return self.error("text in quotes that does not end on its line", offset, hint)
        hint = "Put text in quotes"
        return self.error(f'"{text[offset]}" is not allowed here', offset, hint)
