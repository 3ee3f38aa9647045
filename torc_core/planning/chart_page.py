"""What all pictures share: colours, escaped text, the frames of an SVG document and of a page around one. No I/O.

Documents and pages stand for themselves: no script, no font, no address. They follow light and dark surroundings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from torc_core.planning.chart_scale import number

COLOURS = ("#6b9bd1", "#f5a04c", "#74b86a", "#ea7c7d", "#7fc4be", "#c295b5", "#f0d264", "#b39178",
           "#9aa7e8", "#c9cf5b", "#e79ac0", "#5bb5d6")  # fmt: skip
OTHER_COLOUR = "#a8b0b8"
LETTER = 6.2
"""A generous mean width of letters at 11 px."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FONT = "system-ui,'Segoe UI','DejaVu Sans',sans-serif"
_LIGHT = (
    f"text{{font:12px {_FONT};fill:#1f2328}}"
    ".bg{fill:#fff}.h{font-size:18px;font-weight:600}.m{fill:#59636e}.e{text-anchor:end}.c{text-anchor:middle}"
    ".grid{stroke:#d1d9e0;stroke-width:1;shape-rendering:crispEdges}"
)
_DARK = "text{fill:#e6edf3}.bg{fill:#0d1117}.m{fill:#9198a1}.grid{stroke:#30363d}"
_PAGE = (
    f":root{{color-scheme:light dark}}body{{font:14px/1.5 {_FONT};margin:24px;background:#fff;color:#1f2328}}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0 0 16px}dt{opacity:.7}dd{margin:0}"
    "svg{width:100%;height:auto}@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}}"
)


def svg_document(
    parts: Iterable[str],
    *,
    width: float,
    height: float,
    title: str,
    description: str,
    name: str = "chart",
    style: str = "",
    dark_style: str = "",
) -> str:
    """Return an SVG document; ``name`` has to be another one for each picture of a page."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{text(title)}</title><desc id="{name}-desc">{text(description)}</desc>'
        f"<style>{_LIGHT}{style}@media(prefers-color-scheme:dark){{{_DARK}{dark_style}}}</style>"
        '<rect class="bg" width="100%" height="100%"/>'
    )
    return "\n".join([head, *parts, "</svg>\n"])


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a page with a heading and ``body``."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_PAGE}{style}</style></head><body><h1>{text(title)}</h1>{body}</body></html>\n"
    )


def facts_list(facts: Iterable[tuple[str, str]]) -> str:
    """Return figures with their names, for a page."""
    return f"<dl>{''.join(f'<dt>{text(label)}</dt><dd>{text(value)}</dd>' for label, value in facts)}</dl>"


def label(x: float, y: float, words: str, style: str = "") -> str:
    """Return text in a picture; ``style`` names classes."""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{number(x)}" y="{number(y)}">{text(words)}</text>'


def text(words: str) -> str:
    """Escape text for XML; characters that XML cannot hold are shown as the replacement character."""
    return escape(_NO_XML.sub("\ufffd", words))


def shortened(words: str, most: int) -> str:
    """Return text of at most ``most`` characters."""
    return words if len(words) <= most else f"{words[: most - 1]}…"
