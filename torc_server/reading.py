"""One HTTP request, put together from the pieces that arrive, without ever waiting for them.

A thread that answers requests gets only whole ones, so that clients who send slowly, or stop in the middle, cost a file
descriptor and nothing else. What a request's length is must be beyond doubt, or a proxy could see another request than
we do: several lengths, or a length beside chunks, are refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_HEAD = 64 * 1024
MAX_BODY = 200 * 1024 * 1024
_MAX_LINE = 4096
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CODING = re.compile(rb"^transfer-encoding[ \t]*:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_EXPECT = re.compile(rb"^expect[ \t]*:[ \t]*100-continue[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE)
_NUMBER = re.compile(rb"[0-9]{1,18}")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Refusal(NamedTuple):
    """Why a request is not taken any further."""

    status: int
    message: str


class Incoming:
    """What has arrived on one connection; ``feed`` it, and look at ``is_complete`` and ``refusal``."""

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._buffer = bytearray()
        self._begin()

    def _begin(self) -> None:
        self.head = b""
        self.body = bytearray()
        self.is_complete = False
        self.wants_continue = False
        """The client waits to hear whether it shall send the body; reset it when that was told."""
        self.refusal: Refusal | None = None
        self._left = 0  # of the body, or of the present chunk
        self._is_chunked = False
        self._after_chunk = self._in_trailers = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a request is there."""
        return not self.head and not self._buffer

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self.head) + len(self.body) + len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what arrived; what follows a whole request is kept for the next."""
        self._buffer += data
        self._advance()

    def next(self) -> None:
        """Let go of a whole request and begin the next with what is there of it."""
        self._begin()
        if self._buffer:
            self._advance()

    def drop(self) -> None:
        """Forget everything that is there."""
        self._buffer.clear()
        self._begin()

    def _advance(self) -> None:
        if self.is_complete or self.refusal is not None:
            return
        if not self.head and not self._read_head():
            return
        if self._is_chunked:
            self.is_complete = self._read_chunks()
        else:
            taken = self._buffer[: self._left]
            self.body += taken
            del self._buffer[: len(taken)]
            self._left -= len(taken)
            self.is_complete = self._left == 0

    def _read_head(self) -> bool:
        while self._buffer[:2] == b"\r\n":  # some clients end a body with a line that is not counted
            del self._buffer[:2]
        found = _HEAD_END.search(self._buffer)
        if found is None or found.end() > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                self.refusal = Refusal(431, f"the head of the request has more than {MAX_HEAD} bytes")
            return False
        head = bytes(self._buffer[: found.end()])
        del self._buffer[: found.end()]
        self.head, expects = _EXPECT.subn(b"", head)
        self._measure(head)
        self.wants_continue = bool(expects) and not self._buffer and self.refusal is None
        return self.refusal is None

    def _measure(self, head: bytes) -> None:
        lengths, codings = set(_LENGTH.findall(head)), _CODING.findall(head)
        if codings:
            self._is_chunked = True
            if lengths:
                self.refusal = Refusal(400, "the request has a Content-Length and a Transfer-Encoding")
            elif len(codings) > 1 or codings[0].lower() != b"chunked":
                self.refusal = Refusal(501, "the only Transfer-Encoding known here is chunked")
            return
        if len(lengths) > 1 or (lengths and not _NUMBER.fullmatch(min(lengths))):
            self.refusal = Refusal(400, "the Content-Length of the request cannot be read")
            return
        self._left = int(lengths.pop()) if lengths else 0
        if self._left > self._max_body:
            self.refusal = self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the body is too large: at most {self._max_body} bytes are taken")

    def _read_chunks(self) -> bool:
        """Take what is there of the chunks; whether that was all of them."""
        while True:
            if self._left:
                taken = self._buffer[: self._left]
                self.body += taken
                del self._buffer[: len(taken)]
                self._left -= len(taken)
                if self._left:
                    return False
                self._after_chunk = True
            line = self._line()
            if line is None:
                return False
            if self._after_chunk:
                self._after_chunk = False
                if line:
                    self.refusal = Refusal(400, "a chunk of the body is longer than it says")
                    return False
            elif self._in_trailers:
                if not line:
                    return True
            elif not self._begin_chunk(line):
                return False

    def _begin_chunk(self, line: bytes) -> bool:
        size = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            self.refusal = Refusal(400, "the size of a chunk of the body cannot be read")
            return False
        self._left = int(size, 16)
        self._in_trailers = self._left == 0
        if len(self.body) + self._left > self._max_body:
            self.refusal = self._too_large()
        return self.refusal is None

    def _line(self) -> bytes | None:
        """Return the next line without its end, None when it is not whole yet."""
        end = self._buffer.find(b"\n")
        if end < 0 or end > _MAX_LINE:
            if len(self._buffer) > _MAX_LINE:
                self.refusal = Refusal(400, "a line between the chunks of the body is too long")
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line
