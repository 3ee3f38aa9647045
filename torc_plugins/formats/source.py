"""The text of a document while it is read: offsets become lines and columns, findings become FormatError."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torc_core.contracts.formats import FormatError
from torc_core.problems import Locate, Path, Problem

NESTING = 200
"""Levels of lists and mappings a document may have."""
NUMBER_LENGTH = 1000
"""Characters a number may have; Python refuses to print whole numbers of more than 4300 digits."""
_HEAD, _TAIL = 200, 100
"""Characters that are shown of a long message: it may quote a text as long as the whole file."""

Tree = int | tuple[int, dict[Any, Any] | list[Any]]
"""Where a value begins: its offset, and for a container also the trees of what it holds, in the same shape.

It mirrors the data instead of pointing into it, so that callers may change the data and still find the places.
"""

_LINE_END = re.compile(r"\r\n?|\n")


class Source:
    """A document without its byte order mark. ``kind`` is the name of the format, for messages and codes."""

    __slots__ = ("_starts", "kind", "text")

    def __init__(self, text: str, kind: str) -> None:
        self.text = text[1:] if text.startswith("\ufeff") else text
        self.kind = kind
        self._starts: list[int] = []

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1."""
        if not self._starts:
            self._starts = [0, *(match.end() for match in _LINE_END.finditer(self.text))]
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def locator(self, tree: Tree) -> Locate:
        """Return the function that finds the values of ``tree``."""

        def locate(path: Path) -> tuple[int, int]:
            here = tree
            for part in path:
                if isinstance(here, int):
                    break
                try:
                    here = here[1][part]  # type: ignore[index]  # a wrong kind of part ends the walk
                except (LookupError, TypeError):
                    break
            return self.place(here if isinstance(here, int) else here[0])

        return locate

    def error(self, message: str, offset: int, *, code: str = "", hint: str = "", found: str = "") -> FormatError:
        """Return the error to raise about what is at ``offset``; without a code it is one of syntax."""
        line, column = self.place(min(offset, len(self.text)))
        return FormatError(
            Problem(
                code or f"{self.kind}-syntax", _shortened(message), hint=_shortened(hint), found=_shortened(found),
                line=line, column=column,
            )
        )  # fmt: skip

    def refuse_characters(self, forbidden: re.Pattern[str]) -> None:
        """Raise FormatError when a character of ``forbidden`` is in the text."""
        match = forbidden.search(self.text)
        if match:
            character = match.group()
            raise self.error(
                f"the character U+{ord(character):04X} is not allowed here",
                match.start(),
                code="control-character",
                hint="Remove it, or write it as an escape inside a quoted string",
                found=character,
            )

    def empty(self) -> FormatError:
        """Return the error about a document with nothing in it."""
        return self.error("the file is empty", 0, code="empty", hint='A spec has at least "name" and "jobs"')

    def too_deep(self, offset: int) -> FormatError:
        """Return the error about a container inside too many others."""
        return self.error(f"lists and mappings are nested deeper than {NESTING} levels", offset, code="nesting")

    def repeated(self, key: str, offset: int, first: Tree, hint: str = "") -> FormatError:
        """Return the error about the key at ``offset`` whose first value is at ``first``."""
        start = first if isinstance(first, int) else first[0]
        written = self.text.rfind(key, 0, start + len(key))  # the key stands right before its value, or begins it
        line, _ = self.place(start if written < 0 else written)
        hint = hint or "Keep one of the two"
        return self.error(
            f'"{key}" is given twice, first on line {line}', offset, code="duplicate-key", hint=hint, found=key
        )

    def long_number(self, offset: int) -> FormatError:
        """Return the error about a number nobody can have meant."""
        return self.error(f"a number has at most {NUMBER_LENGTH} characters", offset, code="number")


def _shortened(text: str) -> str:
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}...{text[-_TAIL:]}"


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Surround the reading of a document: no error but FormatError comes out."""
    try:
        yield
    except (RecursionError, MemoryError):
        raise source.error("the document is too large or too deep to be read", 0, code="nesting") from None
