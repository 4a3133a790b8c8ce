"""Pages of one HTML file: their style sheet, and the pieces that they are put together from.

Pictures are data URIs. There are no scripts and no links, so that a page looks the same by mail, offline and in ten
years. Fonts are the system's.
"""

from __future__ import annotations

import base64
import html
import io

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

STYLE = """
:root { --ink: #1c2230; --soft: #5b6472; --line: #e3e6ea; --back: #fafbfc; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 48px 24px 64px; }
h1 { font-size: 15px; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); margin: 0 0 12px; }
h2 { font-size: 22px; font-weight: 650; margin: 0 0 16px; }
h3 { font-size: 15px; margin: 0 0 8px; }
.lead { font-size: 24px; line-height: 1.4; margin: 0; max-width: 46em; text-wrap: pretty; }
section { margin-top: 52px; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: 14.5px; max-width: 52em; margin-top: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 16px; margin-top: 32px; }
.tile { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
.tile b { display: block; font-size: 28px; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 14px; }
.strips { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4px 6px; }
.strips img { width: 100%; display: block; border-radius: 3px; }
.strips .head { font-size: 14px; font-weight: 600; }
.strips .note { grid-column: 1 / -1; color: var(--soft); font-size: 12.5px; margin-bottom: 8px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 28px; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid var(--line);
  font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 12px; border-bottom: 1px solid var(--line); text-align: right; }
th { font-weight: 600; color: var(--soft); }
th:first-child, td:first-child { text-align: left; }
tbody tr:first-child td { font-weight: 650; }
.plain tbody tr:first-child td { font-weight: 400; }
pre { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; overflow-x: auto;
  font: 13.5px/1.7 ui-monospace, "SF Mono", Menlo, Consolas, monospace; margin: 0; }
@media (min-width: 1250px) {
  .strips { width: min(94vw, 1600px); margin-left: calc((100% - min(94vw, 1600px)) / 2); } }
@media (max-width: 700px) { .strips { grid-template-columns: repeat(2, 1fr); } .strips .head { display: none; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


def page(title: str, body: str, *, style: str = "") -> str:
    """A whole page.

    Args:
        title: text.
        body: HTML.
        style: rules beside STYLE.
    """
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{as_html(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, content: str, caption: str) -> str:
    """A section with a heading, its content as HTML, and a caption as text."""
    figure = f"<figure>{content}<figcaption>{as_html(caption)}</figcaption></figure>"
    return f"<section><h2>{as_html(title)}</h2>{figure}</section>"


def data_uri(image: UInt8[ndarray, "h w 3"]) -> str:
    """A picture as the address of an `img` element."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def as_html(text: str) -> str:
    """Text as HTML: names of machines, models and frames come from outside."""
    return html.escape(text)
