"""Whatever is written can be read back, by us and by independent readers; whatever is read raises only FormatError."""

import json
import math

import json5
import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.plugins.formats.format_strategies import FINITE, JSON_VALUES, MAPPINGS, ODD_TEXT, SPECS, TEXT
from torc_core.contracts.formats import FormatError
from torc_core.testing.formats import typed
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat
from torc_plugins.formats.kdl_format import KdlFormat
from torc_plugins.formats.yaml_format import YamlFormat
from torc_plugins.formats.yaml_reader import PythonParser

ALL = [YamlFormat(), JsonFormat(), Json5Format(), KdlFormat()]
READERS = [*ALL, YamlFormat(PythonParser)]
every_format = pytest.mark.parametrize("spec_format", ALL, ids=lambda made: made.name)
many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@every_format
@many
@given(spec=SPECS)
def test_a_spec_survives_writing_and_reading(spec_format, spec):
    assert typed(spec_format.loads(spec_format.dumps(spec)).data) == spec


@pytest.mark.parametrize("spec_format", ALL[:3], ids=lambda made: made.name)
@many
@given(data=JSON_VALUES)
def test_any_data_survives_in_the_formats_of_trees(spec_format, data):
    assert typed(spec_format.loads(spec_format.dumps(data)).data) == data


def with_implied_lists(data):
    """KDL cannot tell an absent list of jobs or rules from an empty one; both fields are required."""
    made = {"jobs": [], **data}
    handlers = made.get("failure_handlers")
    if isinstance(handlers, list) and all(isinstance(item, dict) for item in handlers):
        made["failure_handlers"] = [{"rules": [], **item} for item in handlers]
    return made


@many
@given(data=MAPPINGS)
@example(data={"job": 1, "jobs": {"job": {}}, "file": [], "files": "x", "env": [1], "access_groups": [{}]})
@example(
    data={"user_data": [{"data": math.inf}, {}, {"name": [1]}], "files": [{"name": None, "path": 1.0}, {"name": "x"}]}
)
@example(data={"action": {"-": 1}, "a": {"-": 1}, "b": {"-": [1], "c": []}, "d": [[]], "e": [{}], "f": [], "g": ["x"]})
@example(data={"failure_handlers": [{"name": "x"}, {"rules": 5}], "slurm_defaults": {"-": "a", "name": "b"}})
def test_any_mapping_survives_in_kdl(data):
    assert KdlFormat().loads(KdlFormat().dumps(data)).data == with_implied_lists(data)


@pytest.mark.parametrize("spec_format", [YamlFormat(), Json5Format(), KdlFormat()], ids=lambda made: made.name)
def test_infinity_and_not_a_number_survive(spec_format):
    data = typed(
        spec_format.loads(spec_format.dumps({"slurm_defaults": {"a": math.inf, "b": -math.inf, "c": math.nan}})).data
    )
    values = data["slurm_defaults"]
    assert (values["a"], values["b"]) == (math.inf, -math.inf)
    assert math.isnan(values["c"])


def test_json_does_not_write_what_json_cannot_hold():
    with pytest.raises(ValueError, match="JSON"):
        JsonFormat().dumps({"a": math.inf})


def test_kdl_says_that_it_writes_mappings_only():
    with pytest.raises(ValueError, match="mapping"):
        KdlFormat().dumps([1])


def only_text(data):
    if isinstance(data, dict):
        return {key: only_text(value) for key, value in data.items()}
    return [only_text(value) for value in data] if isinstance(data, list) else str(data)


@many
@given(data=st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)))
def test_libyaml_finds_the_same_text_in_our_yaml(data):
    assert yaml.load(YamlFormat().dumps(data), Loader=yaml.CBaseLoader) == data


@many
@given(data=JSON_VALUES)
def test_the_json5_package_finds_the_same_data_in_our_json5(data):
    assert json5.loads(Json5Format().dumps(data)) == data


@many
@given(data=JSON_VALUES)
def test_our_json_is_json(data):
    assert json.loads(JsonFormat().dumps(data)) == data


@many
@given(data=JSON_VALUES, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_json_text_reads_the_same_in_all_formats_that_contain_json(data, indent, ascii_only):
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    assert JsonFormat().loads(text).data == data
    assert Json5Format().loads(text).data == data


# The other writer folds these three, which end lines in YAML 1.1 only.
YAML_1_1_TEXT = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"), max_size=10
)


@many
@given(
    data=st.recursive(
        st.booleans() | st.integers() | FINITE | YAML_1_1_TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(YAML_1_1_TEXT, inner, max_size=4),
    ),
    flow=st.sampled_from([None, True, False]),
    width=st.sampled_from([5, 80, 1000]),
    unicode=st.booleans(),
)
def test_yaml_of_another_writer_reads_the_same(data, flow, width, unicode):
    text = yaml.safe_dump(data, default_flow_style=flow, width=width, allow_unicode=unicode)
    assume(yaml.safe_load(text) == data)  # where it breaks lines it now and then adds a backslash
    for reader in (YamlFormat(), YamlFormat(PythonParser)):
        assert typed(reader.loads(text).data) == data


def as_text(data):
    """Unlike the data, its text is equal to itself when there is a not-a-number in it."""
    return json.dumps(typed(data), sort_keys=True)


@pytest.mark.parametrize("reader", READERS, ids=["yaml", "json", "json5", "kdl", "python-yaml"])
@settings(max_examples=200, deadline=None)
@given(text=ODD_TEXT)
def test_odd_text_raises_format_errors_only(reader, text):
    try:
        parsed = reader.loads(text)
    except FormatError as error:
        problem = error.problem
        assert problem.code and problem.message
        assert problem.line >= 1 and problem.column >= 1
    else:
        line, column = parsed.locate(())
        assert line >= 1 and column >= 1
        again = reader.loads(reader.dumps(typed(parsed.data))).data
        assert as_text(again) == as_text(parsed.data)


@settings(max_examples=200, deadline=None)
@given(text=ODD_TEXT)
def test_both_yaml_parsers_read_the_same_where_both_can_read(text):
    try:
        expected = YamlFormat().loads(text)
        found = YamlFormat(PythonParser).loads(text)
    except FormatError:
        return  # they differ in some places where YAML says one thing and common practice another
    assert as_text(found.data) == as_text(expected.data)
    assert found.locate((0,)) == expected.locate((0,))
