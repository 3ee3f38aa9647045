"""The built-in formats pass the suite that is there for everybody's formats."""

from torc_core.testing.formats import SpecFormatSuite
from torc_plugins.formats.json5_format import Json5Format
from torc_plugins.formats.json_format import JsonFormat
from torc_plugins.formats.kdl_format import KdlFormat
from torc_plugins.formats.yaml_format import YamlFormat
from torc_plugins.formats.yaml_reader import PythonParser


class TestYaml(SpecFormatSuite):
    format = YamlFormat()


class TestYamlWithoutLibyaml(SpecFormatSuite):
    format = YamlFormat(PythonParser)


class TestJson(SpecFormatSuite):
    format = JsonFormat()


class TestJson5(SpecFormatSuite):
    format = Json5Format()


class TestKdl(SpecFormatSuite):
    format = KdlFormat()
