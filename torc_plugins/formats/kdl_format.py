"""Specs in KDL, read with the spellings of both versions of the language and written in version 2."""

from __future__ import annotations

from typing import Any, ClassVar

from torc_core.contracts.formats import ParsedSpec, SpecFormat
from torc_plugins.formats.kdl_mapping import to_data
from torc_plugins.formats.kdl_reader import read
from torc_plugins.formats.kdl_writer import write
from torc_plugins.formats.source import Source, reading


class KdlFormat(SpecFormat):
    """KDL: ``job "train" { command "..."; depends_on "a" "b"; }``."""

    name: ClassVar[str] = "kdl"
    suffixes: ClassVar[tuple[str, ...]] = (".kdl",)
    codes: ClassVar[dict[str, str]] = {
        "kdl-syntax": "the text is not KDL",
        "kdl-node": "a block that is a list holds a node of another kind",
        "kdl-value": "a node has more or other values than it can have",
        "kdl-json": "a text that should hold JSON does not",
    }

    def loads(self, text: str) -> ParsedSpec:
        """Read a document; raises FormatError."""
        source = Source(text, self.name)
        with reading(source):
            nodes = read(source)
            if not nodes:
                raise source.empty()
            data, tree = to_data(nodes, source)
        return ParsedSpec(data, source.locator(tree))

    def dumps(self, data: Any) -> str:
        """Write ``data``, which is a mapping; raises ValueError for anything else."""
        return write(data)
