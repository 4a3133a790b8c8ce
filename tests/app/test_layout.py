"""The HTML of the page's sentences: what they quote is never markup."""

from __future__ import annotations

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
    import numpy as np

    ends = colorize_disparity(np.array([[0.001, 1.0]], np.float32), low=0.001, high=1.0)[0]
    for colour in ends:
        assert "#" + "".join(f"{level:02x}" for level in colour) in CSS


def test_the_page_names_no_other_host() -> None:
    assert "//" not in CSS
