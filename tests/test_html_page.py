"""Pages of one file: nothing outside is referred to, and what comes from outside is text."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from selfdepth.html_page import STYLE, as_html, data_uri, page, section


def test_the_style_refers_to_nothing_outside_and_its_braces_match() -> None:
    assert not re.search(r"url\(|@import|https?:", STYLE)
    assert STYLE.count("{") == STYLE.count("}")
    variables = set(re.findall(r"var\((--\w+)\)", STYLE))
    assert variables == set(re.findall(r"(--\w+):", STYLE))


def test_titles_and_captions_are_text_and_content_is_html() -> None:
    made = page("<b>", section("<i>", "<pre>x</pre>", "a & b"))
    assert "<title>&lt;b&gt;</title>" in made and "<h2>&lt;i&gt;</h2>" in made
    assert "<pre>x</pre>" in made and "a &amp; b" in made
    assert as_html("<'\">") == "&lt;&#x27;&quot;&gt;"


def test_a_picture_is_in_its_address_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    kind, _, data = data_uri(pixels).partition(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels)
