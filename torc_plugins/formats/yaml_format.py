"""Specs in YAML, read by the rules of YAML 1.2: ``no`` and ``1:30`` are text, a repeated key is an error.

Anchors, aliases and merge keys (``<<: *defaults``) work; tags other than those of the core schema do not.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torc_core.contracts.formats import ParsedSpec, SpecFormat
from torc_plugins.formats.source import Source, reading
from torc_plugins.formats.yaml_reader import best_parser, read


class YamlFormat(SpecFormat):
    """YAML; unquoted scalars that read as numbers, booleans or null are Plain."""

    name: ClassVar[str] = "yaml"
    suffixes: ClassVar[tuple[str, ...]] = (".yaml", ".yml")
    codes: ClassVar[dict[str, str]] = {
        "yaml-syntax": "the text is not YAML",
        "yaml-documents": "a second document begins",
        "yaml-key": "a key is not text",
        "yaml-tag": "a tag is not one of the core schema, or does not fit its value",
        "yaml-alias": "an alias stands for nothing, for itself or for too much",
        "yaml-merge": "<< stands before something that cannot be merged",
    }

    def __init__(self, parser: Any = None) -> None:
        self._parser = parser or best_parser()

    def loads(self, text: str) -> ParsedSpec:
        """Read a document; raises FormatError."""
        source = Source(text, self.name)
        with reading(source):
            data, tree = read(source, self._parser)
        return ParsedSpec(data, source.locator(tree))

    def dumps(self, data: Any) -> str:
        """Write ``data`` in block style."""
        from torc_plugins.formats.yaml_writer import write  # costs what most commands can do without

        return write(data)
