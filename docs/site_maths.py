"""The formulas of the documents as drawings within the page, so that no browser has to fetch a program for them."""

from __future__ import annotations

import html
import re
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

_CODE_OR_FORMULA = re.compile(r"(`+[^`]*`+)|\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
_EM = 100.0
_MARGIN = 8  # for the curves that bulge beyond their points, and for rounding
_COMMANDS = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
# What matplotlib writes under another name, or not at all.
_NAMES = (
    (r"\lVert", r"\Vert"),
    (r"\rVert", r"\Vert"),
    (r"\qquad", r"\quad\quad"),
    (r"\big", ""),
    (r"\Big", ""),
    ("\n", " "),
)


def set_aside(text: str, formulas: list[str]) -> str:
    """The text of a page with a mark for each formula, whose drawing is added to `formulas`; code is left as it is.

    Markdown would take a formula's underscores for emphasis.
    """

    def marked(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        formulas.append(drawing(found[2] or found[3], in_a_line=not found[2]))
        return _mark(len(formulas) - 1)

    return _CODE_OR_FORMULA.sub(marked, text)


def put_back(page: str, formulas: list[str]) -> str:
    """The HTML of a page with the drawings in place of their marks."""
    for i, formula in enumerate(formulas):
        page = page.replace(_mark(i), formula)
    return page


@cache
def drawing(formula: str, *, in_a_line: bool) -> str:
    """A formula in LaTeX as an SVG element in the colour and size of the text around it.

    Raises:
        ValueError: where the formula cannot be drawn.
    """
    drawn = formula if in_a_line else formula.replace(r"\frac", r"\dfrac")
    for name, ours in _NAMES:
        drawn = drawn.replace(name, ours)
    outline = TextPath((0, 0), f"${drawn.strip()}$", size=_EM, prop=FontProperties(math_fontfamily="cm"))
    steps = [
        _COMMANDS[code] + " ".join(f"{value:.0f}" for value in (points.reshape(-1, 2) * (1, -1)).ravel())
        if code in _COMMANDS
        else "Z"
        for points, code in outline.iter_segments(simplify=False)
    ]
    box = outline.get_extents()
    width, height = box.width + 2 * _MARGIN, box.height + 2 * _MARGIN
    size = f"width:{width / _EM:.2f}em;height:{height / _EM:.2f}em"
    place = f"vertical-align:{(box.y0 - _MARGIN) / _EM:.2f}em" if in_a_line else "display:block;margin:1em auto"
    view = f"{box.x0 - _MARGIN:.0f} {-box.y1 - _MARGIN:.0f} {width:.0f} {height:.0f}"
    return (
        f'<svg role="img" aria-label="{html.escape(formula)}" style="{size};{place}" fill="currentColor" '
        f'viewBox="{view}"><path d="{"".join(steps)}"/></svg>'
    )


def _mark(i: int) -> str:
    return f"⟦{i}⟧"
