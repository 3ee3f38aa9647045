"""The codes that formats declare are those that their sources use."""

import re
from pathlib import Path

import pytest

import torc_plugins.formats
from torc_core.spec.codes import CODES, TEXT_CODES
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat
from torc_plugins.formats.kdl_format import KdlFormat
from torc_plugins.formats.yaml_format import YamlFormat

FORMATS = [JsonFormat, Json5Format, YamlFormat, KdlFormat]
SOURCE = "".join(file.read_text() for file in Path(torc_plugins.formats.__file__).parent.glob("*.py"))
USED = set(re.findall(r'code="([a-z0-9-]+)"', SOURCE))
DECLARED = set().union(*(made.codes for made in FORMATS))


def test_every_code_that_is_used_is_declared():
    assert {"empty", "yaml-alias", "kdl-node"} <= USED
    assert USED - DECLARED - set(TEXT_CODES) == set()


def test_every_code_that_is_declared_is_used():
    syntax = {f"{made.name}-syntax" for made in FORMATS}
    assert DECLARED - USED - syntax == set()
    assert set(TEXT_CODES) - USED - {"encoding"} == set()


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: made.name)
def test_the_codes_of_a_format_begin_with_its_name(made):
    assert all(code.startswith(f"{made.name}-") for code in made.codes)


def test_no_code_means_two_things():
    assert (DECLARED | set(TEXT_CODES)) & set(CODES) == set()
