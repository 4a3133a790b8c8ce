"""The page of a comparison is one file that holds all of it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from selfdepth.comparison.page import STYLE, aligned, header, render_comparison, table
from selfdepth.comparison.result import Comparison, Entry, Errors, View, conclusion
from selfdepth.html_page import STYLE as SHARED


def example() -> Comparison:
    errors = [Errors(mean=mean, frames=np.array([mean, mean + 0.01])) for mean in (0.3, 0.1, 0.2)]
    values = {"kind": "run", "unit": "relative", "size": (64, 32), "bytes": 12_300_000, "ms": 4.25}
    entries = tuple(
        Entry(
            name=name, model=f"runs/{name}", trained_here=not i, parameters=[None, 5_200_000][i], errors=error, **values
        )  # type: ignore[arg-type]
        for i, (name, error) in enumerate(zip(("b<b>", "a"), errors, strict=False))
    )
    picture = np.full((4, 8, 3), 7, np.uint8)
    return Comparison(
        entries=entries,
        baselines={"rows & columns": errors[2]},
        measure="photometric error",
        how=("first", "second"),
        frames="2 frames",
        data="a<b>.mp4",
        views=(View(name="frame 1", pictures=(("image", picture), ("a: 0.1", picture))),),
    )


def test_the_table_has_the_best_first_and_the_baselines_last() -> None:
    rows = table(example())
    assert [row[0] for row in rows] == ["a", "b<b>", "rows & columns"]
    assert all(len(row) == len(header(example())) for row in rows)
    assert rows[0][1:] == ("0.1000", "4.2", "12.3", "5.20 M", "64x32", "run")
    assert rows[1][-3:] == ("unknown", "64x32", "run, of this data") and rows[2][-1] == "baseline"
    lines = aligned(example()).splitlines()
    assert len(lines) == 4 and len({line.index("0.") for line in lines[1:]}) == 1


def test_metres_have_a_column_if_a_model_says_metres() -> None:
    done = example()
    errors = replace(done.entries[0].errors, in_metres=0.456)
    done = replace(done, entries=(replace(done.entries[0], errors=errors), done.entries[1]))
    column = header(done).index("in metres")
    assert [row[column] for row in table(done)] == ["-", "0.456", ""]


def test_the_page_holds_the_conclusion_the_numbers_and_the_pictures_and_refers_to_nothing() -> None:
    page = render_comparison(example())
    assert conclusion(example()).replace("&", "&amp;").replace("<b>", "&lt;b&gt;") in page
    assert "b&lt;b&gt;" in page and "<b>" not in page.replace("<tbody>", "") and "First. Second." in page
    assert page.count("<img src='data:image/png;base64,") == 2
    assert not re.search(r"https?:|<script|<link", page)


def test_every_class_of_the_page_has_a_rule() -> None:
    used = {name for names in re.findall(r" class='([\w ]+)'", render_comparison(example())) for name in names.split()}
    assert all(f".{name} " in SHARED + STYLE or f".{name} {{" in SHARED + STYLE for name in used) and "base" in used
