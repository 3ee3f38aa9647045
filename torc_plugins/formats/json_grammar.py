"""What JSON and JSON5 are made of: the patterns and the few rules in which they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from torc_plugins.formats.source import NUMBER_LENGTH, Source

_INFINITY = float("inf")
_ENDS = "\n\r\u2028\u2029"
_BLANKS = "\t\v\f \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\ufeff"
_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))",
    re.DOTALL,
)
_HEX = "[0-9a-fA-F]"
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Grammar(NamedTuple):
    """One of the two languages.

    ``item`` and ``pair`` match a value, the pair with its key in front, and have these groups: key in quotes, key as a
    word, opening bracket, string, number, word, comma. The comma is looked for only after a value that is complete.
    """

    name: str
    space: re.Pattern[str]
    key: re.Pattern[str]
    value: re.Pattern[str]
    pair: re.Pattern[str]
    item: re.Pattern[str]
    words: Mapping[str, float | bool | None]
    simple_escapes: Mapping[str, str]
    lenient: bool
    """Commas may come before a closing bracket, and any character may be escaped."""


def _grammar(
    name: str, *, space: str, string: str, word_key: str, number: str, words: Mapping[str, float | bool | None],
    simple_escapes: Mapping[str, str], lenient: bool,
) -> Grammar:  # fmt: skip
    key = rf"(?:({string})|({word_key}))"
    value = rf"(?:([\[{{])|(?:({string})|({number})(?![\w.$+-])|([A-Za-z_$][\w$]*))"
    end = rf"(?:{space}(,))?)"
    return Grammar(
        name,
        re.compile(space),
        re.compile(key),
        re.compile(value + ")"),
        re.compile(rf"{space}{key}{space}:{space}{value}{end}"),
        re.compile(rf"{space}()(){value}{end}"),
        words,
        simple_escapes,
        lenient,
    )


JSON = _grammar(
    "json",
    space=r"[ \t\n\r]*+",
    string=r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"',
    word_key=r"(?!)",
    number=r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?",
    words={"true": True, "false": False, "null": None},
    simple_escapes={**_SIMPLE, '"': '"', "\\": "\\", "/": "/"},
    lenient=False,
)
JSON5 = _grammar(
    "json5",
    # Possessive groups without lookaheads and counts, a comment in an atomic one: where a round of the former fails in
    # them, Python before 3.11.5 goes on behind what it looked at. Other kinds of groups take memory for every round.
    space=rf"(?:[{_BLANKS}{_ENDS}]++|//[^{_ENDS}]*+|(?>/\*[^*]*+(?:\*++[^*/][^*]*+)*+\*++/))*+",
    string=r'"[^"\\\n\r]*+(?:\\(?:\r\n|[\s\S])[^"\\\n\r]*+)*+"' r"|'[^'\\\n\r]*+(?:\\(?:\r\n|[\s\S])[^'\\\n\r]*+)*+'",
    word_key=rf"(?:[A-Za-z0-9_$]|[^\x00-\x7f{_BLANKS}{_ENDS}]|\\u{_HEX}{_HEX}{_HEX}{_HEX})++",
    number=r"[-+]?(?:0[xX][0-9a-fA-F]++|Infinity|NaN|(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?)",
    words={"true": True, "false": False, "null": None},
    simple_escapes={**_SIMPLE, "v": "\v", "0": "\0", "\n": "", "\r": "", "\r\n": "", "\u2028": "", "\u2029": ""},
    lenient=True,
)


def unquote(quoted: str, offset: int, source: Source, grammar: Grammar) -> str:
    """Return the text that a string in quotes stands for; ``offset`` is where it begins."""
    if "\\" not in quoted:
        return quoted[1:-1]

    def replace(match: re.Match[str]) -> str:
        high, low, code, byte, simple = match.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        if code and not 0xD800 <= int(code, 16) < 0xE000:
            return chr(int(code, 16))
        if byte and grammar.lenient:
            return chr(int(byte, 16))
        if simple in grammar.simple_escapes and not (simple == "0" and quoted[match.end()].isdigit()):
            return grammar.simple_escapes[simple]
        if grammar.lenient and simple and simple not in "xu0123456789":
            return str(simple)
        hint = "Half of a surrogate pair is no character" if code else "Write \\\\ for a backslash"
        raise source.error(f"the escape {match.group()} is not allowed", offset + match.start(), hint=hint)

    return _ESCAPE.sub(replace, quoted)[1:-1]


def identifier(word: str, offset: int, source: Source) -> str:
    """Return the key that a bare word is, with its escapes resolved."""
    key = re.sub(r"\\u(....)", lambda match: chr(int(match[1], 16)), word) if "\\" in word else word
    # Python's identifiers are those of ECMAScript, but for the dollar sign and the two joiners inside.
    plain = key.replace("$", "_")
    if not plain.isidentifier():
        plain = plain[:1] + plain[1:].replace("\u200c", "_").replace("\u200d", "_")
        if not plain.isidentifier():
            raise source.error(f'"{word}" cannot be a key without quotes', offset, hint="Put it in quotes", found=word)
    return key


def number(text: str, offset: int, source: Source) -> float:
    """Return the number that ``text`` is; raises FormatError when it has too many digits for anybody."""
    if len(text) > NUMBER_LENGTH:
        raise source.long_number(offset)
    digits = text.lstrip("+-")
    if digits[:2] in ("0x", "0X"):
        return -int(digits, 16) if text[0] == "-" else int(digits, 16)
    if digits == "NaN":
        return float("nan")
    if digits == "Infinity":
        return -_INFINITY if text[0] == "-" else _INFINITY
    if digits.isdigit():
        return int(text)
    value = float(text)
    if value in (_INFINITY, -_INFINITY):
        raise source.error("this number is too large", offset, code="number", found=text)
    return value
