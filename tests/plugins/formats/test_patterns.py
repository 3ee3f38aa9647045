"""The patterns of the readers avoid what Python before 3.11.5 gets wrong.

There, a round of a possessive group that fails leaves the place where a lookahead inside it, or a count behind
something, has stopped. Debian 12 has Python 3.11.2.
"""

import re
import re._constants as op
import re._parser as parser

import pytest

from torc_plugins.formats import json_errors, json_grammar, kdl_lexer, kdl_reader, kdl_strings, yaml_scalars

MODULES = (json_errors, json_grammar, kdl_lexer, kdl_reader, kdl_strings, yaml_scalars)
ONE_CHARACTER = {op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY}
LOOKS = {op.ASSERT, op.ASSERT_NOT}
REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}


def patterns():
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__}.{name}", value
            elif isinstance(value, json_grammar.Grammar):
                yield from ((f"{value.name}.{n}", p) for n, p in value._asdict().items() if isinstance(p, re.Pattern))


def risks(tree, in_round=False):
    """Yield what stands in a round of a possessive group and may leave it at the wrong place."""
    for place, (kind, argument) in enumerate(tree):
        if in_round and (kind in LOOKS or (kind is op.MAX_REPEAT and place and argument[0] > 1)):
            yield kind
        elif kind in REPEATS:
            body = argument[2]
            is_group = not (len(body) == 1 and body[0][0] in ONE_CHARACTER)
            yield from risks(body, in_round=is_group and (in_round or kind is op.POSSESSIVE_REPEAT))
        elif kind is op.BRANCH:
            for branch in argument[1]:
                yield from risks(branch, in_round)
        elif kind is op.SUBPATTERN:
            yield from risks(argument[3], in_round)
        elif kind is op.ATOMIC_GROUP:
            yield from risks(argument)


@pytest.mark.parametrize(
    ("name", "pattern"), list(patterns()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_round_of_a_possessive_group_looks_ahead(name, pattern):
    assert list(risks(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))) == []


@pytest.mark.parametrize("wrong", [r'(?:[^"]++|"(?!""))*+', r"(?:a|(?!b)c)++", r"(?:x|u[0-9]{4})++", r"((?:a(?=b))*+)"])
def test_one_that_does_is_found(wrong):
    assert len(list(risks(parser.parse(wrong)))) == 1


@pytest.mark.parametrize(
    "fine", [r"[^*]++a*+", r"(?:a(?!b))*", r"(?:ab++|c)*+", r"(?:(?>a(?!b))|c)*+", r"(?:[0-9]{4}x)*+"]
)
def test_one_that_does_not_is_not(fine):
    assert list(risks(parser.parse(fine))) == []
