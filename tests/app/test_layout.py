"""The HTML of the page's sentences: what they quote is never markup."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.app.layout import CSS, legend, said
from selfdepth.inference.visualize import colorize_disparity

EVIL = '<img src=x onerror="alert(1)"></p><script>alert(1)</script>'


@pytest.mark.parametrize("made", [said((EVIL,)), said(("fine", EVIL), "error"), legend(EVIL, EVIL)])
def test_what_a_sentence_quotes_is_text(made: str) -> None:
    assert "<img" not in made
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_each_sentence_is_a_paragraph_of_its_kind() -> None:
    assert said(("one", "two"), "error").count("<p>") == 2
    assert 'class="said error"' in said(("one",), "error")


def test_the_legend_begins_and_ends_with_the_colours_of_the_depth() -> None:
    disparity = np.linspace(0.001, 1, 9, dtype=np.float32)[None]
    painted = colorize_disparity(disparity, low=0.001, high=1.0)[0]
    colours = ["#" + "".join(f"{level:02x}" for level in colour) for colour in painted]
    assert all(colour in CSS for colour in (colours[0], colours[-1]))


def test_the_page_names_no_other_host() -> None:
    assert "//" not in CSS
