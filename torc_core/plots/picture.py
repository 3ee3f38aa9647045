"""One picture of measured series, as an SVG document, a page or data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from torc_core.planning.chart_page import facts_list, html_page, label, svg_document
from torc_core.plots import bar_chart, line_chart

_TABLE_STYLE = (
    "table{border-collapse:collapse;margin:16px 0;font-variant-numeric:tabular-nums}"
    "th,td{padding:3px 14px 3px 0;text-align:right;border-bottom:1px solid #8883}"
    "th:nth-child(2),td:nth-child(2){text-align:left;overflow-wrap:anywhere}"
)
_STYLE = line_chart.STYLE + bar_chart.STYLE
_DARK_STYLE = line_chart.DARK_STYLE + bar_chart.DARK_STYLE


class Picture(NamedTuple):
    """What one file shows, and its name without the ending.

    ``draw`` takes where to begin and returns the parts of the picture and where it ends; ``table`` is for the page.
    """

    name: str
    title: str
    facts: list[tuple[str, str]]
    draw: Callable[[float], tuple[list[str], float]]
    data: dict[str, Any]
    table: Callable[[], str] = lambda: ""

    def written(self, kind: str) -> str:
        """Return the text of a file of a kind: ``html``, ``svg`` or ``json``."""
        if kind == "json":
            return json.dumps({"title": self.title, **self.data}, indent=1, ensure_ascii=False) + "\n"
        return self.svg() if kind == "svg" else self.html()

    def svg(self) -> str:
        """Return the picture as a document that stands for itself."""
        parts, end = self.draw(68.0)
        facts = " · ".join(f"{name}: {value}" for name, value in self.facts)
        return self._document([label(16, 30, self.title, "h"), label(16, 52, facts, "m"), *parts], end)

    def html(self) -> str:
        """Return a page with the picture and its figures."""
        parts, end = self.draw(8.0)
        body = f"{facts_list(self.facts)}{self._document(parts, end)}{self.table()}"
        return html_page(self.title, body, _TABLE_STYLE)

    def _document(self, parts: list[str], end: float) -> str:
        said = ". ".join(f"{name}: {value}" for name, value in self.facts)
        return svg_document(
            parts, width=line_chart.WIDTH, height=end + 12, title=self.title, description=f"{said}.", name="plot",
            style=_STYLE, dark_style=_DARK_STYLE,
        )  # fmt: skip
