"""The page of a comparison: one HTML file with a table and pictures."""

from __future__ import annotations

from selfdepth.comparison.result import Comparison, View, conclusion
from selfdepth.html_page import as_html, data_uri, page, section

PAGE_FILE = "compare.html"
"""Name of the page in --out."""

STYLE = """
.views { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 10px 8px;
  margin: 6px 0 22px; }
.views img { width: 100%; display: block; border-radius: 3px; }
.views span { color: var(--soft); font-size: 13.5px; overflow-wrap: anywhere; }
.base td { color: var(--soft); }
"""


def header(done: Comparison) -> tuple[str, ...]:
    """The headings of the table."""
    metres = ("in metres",) if _say_metres(done) else ()
    return ("", done.measure, *_DEPTH[done.measure], *metres, "ms", "MB", "weights", "size", "kind")


def _say_metres(done: Comparison) -> bool:
    return any(entry.errors.in_metres is not None for entry in done.entries)


_DEPTH: dict[str, tuple[str, ...]] = {"abs_rel": ("rmse", "a1"), "photometric error": ()}
"""Further errors in the table, by the measure."""


def table(done: Comparison) -> list[tuple[str, ...]]:
    """The rows of the table as text: the models, the best first, then the baselines."""
    extra = _DEPTH[done.measure]
    rows = []
    for entry in done.ranked:
        metres = entry.errors.in_metres
        unscaled = (("-" if metres is None else f"{metres:.3f}"),) if _say_metres(done) else ()
        rows.append(
            (
                entry.name,
                done.number(entry.errors),
                *(f"{getattr(entry.errors.depth, name):.3f}" for name in extra),
                *unscaled,
                f"{entry.ms:.1f}",
                f"{entry.bytes / 1e6:.1f}",
                "unknown" if entry.parameters is None else f"{entry.parameters / 1e6:.2f} M",
                f"{entry.size[0]}x{entry.size[1]}",
                entry.kind + ", of this data" * entry.trained_here + ", up to a shift" * entry.has_shift,
            )
        )
    for name, errors in sorted(done.baselines.items(), key=lambda each: each[1].mean):
        numbers = (done.number(errors), *(f"{getattr(errors.depth, each):.3f}" for each in extra))
        rows.append((name, *numbers, *([""] * (len(header(done)) - 2 - len(numbers))), "baseline"))
    return rows


def aligned(done: Comparison) -> str:
    """The table in lines of text."""
    rows = [header(done), *table(done)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1

    def line(row: tuple[str, ...]) -> str:
        cells = (
            cell.ljust(width) if i in (0, last) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, rows))


def render_comparison(done: Comparison) -> str:
    """The page as HTML."""
    head = "".join(f"<th>{as_html(each)}</th>" for each in header(done))
    body = "".join(
        f"<tr{' class=' + chr(39) + 'base' + chr(39) if row[-1] == 'baseline' else ''}>"
        + "".join(f"<td>{as_html(cell)}</td>" for cell in row)
        + "</tr>"
        for row in table(done)
    )
    numbers = f"<table class='plain'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    models = "".join(
        f"<tr><td>{as_html(entry.name)}</td><td>{as_html(entry.model)}</td></tr>" for entry in done.entries
    )
    pictures = "".join(_view(view) for view in done.views)
    parts = (
        f"<header><h1>selfdepth compare</h1><p class='lead'>{as_html(conclusion(done))}</p></header>",
        section(f"{done.frames} of {done.data}", numbers, _sentences(done.how)),
        section("Pictures", pictures, _PICTURES.format(measure=done.measure)),
        section("Models", f"<table class='plain'><tbody>{models}</tbody></table>", ""),
    )
    return page(f"selfdepth compare: {done.data}", "\n".join(parts), style=STYLE)


_PICTURES = (
    "Disparity (1 / depth), in the same colours for all pictures of a frame: bright is near, dark is far. Every depth "
    "is scaled as for the numbers. Below each picture is the model's {measure} on the frame."
)


def _sentences(how: tuple[str, ...]) -> str:
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in how)


def _view(view: View) -> str:
    cells = "".join(
        f"<div><img src='{data_uri(pixels)}' alt='{as_html(caption)}'><span>{as_html(caption)}</span></div>"
        for caption, pixels in view.pictures
    )
    return f"<h3>{as_html(view.name)}</h3><div class='views'>{cells}</div>"
