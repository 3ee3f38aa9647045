"""Regular expressions in specs: the dialect of the original (Rust's regex), carried out by Python's.

Searches are not anchored. Look-around and back-references are refused, ``$`` matches at the very end only, and a brace
that is no repetition is refused, which catches forgotten parameters.
"""

from __future__ import annotations

import re

from torc_core.spec.findings import BadText

_PIECE = re.compile(
    r"""(?P<escape>\\(?:[pPx]\{[^}]*\}|.)) | (?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])
      | (?P<repeat>\{\d+(?:,\d*)?\}) | (?P<group>\(\?(?:P?<[^>=!]*>|[a-zA-Z-]*:|[a-zA-Z-]+\)|.{0,2})) | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "space": r"\s", "upper": "A-Z",
    "word": r"\w", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_NAMED = re.compile(r"\[:(\w+):\]")
_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_]\w*>|[imsux]*(?:-[imsx]+)?:|[imsux]+\))")
_LITERAL = re.compile(r"\^((?:[\w/ :,@=#%&;<>~'\"!-]|\\[._\-+*?()\[\]{}^$|/])*)")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern ready to be searched for; raises BadText with the reason and, where known, the column."""
    try:
        return re.compile(_translated(pattern))
    except re.error as exc:
        where = f" at column {exc.pos + 1}" if exc.pos is not None else ""
        raise BadText(f"{exc.msg}{where}") from exc
    except (OverflowError, RecursionError) as exc:
        raise BadText("it is too large") from exc


def _translated(pattern: str) -> str:
    parts = []
    for piece in _PIECE.finditer(pattern):
        text, kind = piece[0], piece.lastgroup
        if kind == "escape":
            text = _escape(text)
        elif kind == "class":
            text = _class(text)
        elif kind == "group" and not _GROUP.fullmatch(text):
            raise BadText(f"{text!r} is not supported: no look-around, no references, no comments")
        elif kind == "group":
            text = text.replace("(?<", "(?P<")
        elif text == "$":
            text = r"\Z"
        elif text in "{[":
            hint = "Write \\{ for a brace." if text == "{" else "Write \\[ for a bracket."
            raise BadText(f"{text!r} at column {piece.start() + 1} opens nothing that is understood", hint=hint)
        parts.append(text)
    return "".join(parts)


def _escape(text: str) -> str:
    if text[1] in "pP":
        raise BadText(f"the class {text!r} is not supported", hint=r"Use \w, \d, \s or a class in brackets.")
    if text[1] in "123456789":
        raise BadText(f"the back-reference {text!r} is not supported")
    if text.startswith(r"\x{"):
        try:
            return re.escape(chr(int(text[3:-1], 16)))
        except (ValueError, OverflowError):
            raise BadText(f"{text!r} names no character") from None
    return r"\Z" if text == r"\z" else text


def _class(text: str) -> str:
    def replace(named: re.Match[str]) -> str:
        if named[1] not in _POSIX:
            raise BadText(f"the class {named[0]!r} is not known", hint=f"Known: {', '.join(_POSIX)}.")
        return _POSIX[named[1]]

    text = _NAMED.sub(replace, text)
    inner = text[1:-1].replace("\\[", "")
    if "[" in inner or any(operator in inner for operator in ("&&", "--", "~~", "||")):
        raise BadText(f"{text!r} is not supported: no classes within classes", hint="Write \\[ for a bracket.")
    return text


def literal_start(pattern: str) -> str:
    """Return the text with which every match of an anchored pattern begins; empty when there is none for certain."""
    match = _LITERAL.match(pattern)
    if match is None or "|" in pattern:
        return ""
    literal, rest = match[1], pattern[match.end() :]
    if rest[:1] in tuple("*?{") and literal:  # the last character may be absent
        literal = literal[: -2 if literal[-2:-1] == "\\" else -1]
    return re.sub(r"\\(.)", r"\1", literal)
