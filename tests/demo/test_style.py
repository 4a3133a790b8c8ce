"""The style sheet of the report."""

from __future__ import annotations

import re

from helpers.demo_report import example
from selfdepth.demo.report import render_report
from selfdepth.demo.style import STYLE


def test_every_class_of_the_page_has_a_rule() -> None:
    page = render_report(example())
    classes = {name for names in re.findall(r"class='([^']+)'", page) for name in names.split()}
    assert classes
    assert {name for name in classes if not re.search(rf"\.{name}\b", STYLE)} == set()


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|@font-face|https?:", STYLE)


def test_every_colour_variable_that_is_used_is_defined() -> None:
    used, defined = set(re.findall(r"var\((--[a-z]+)\)", STYLE)), set(re.findall(r"(--[a-z]+):", STYLE))
    assert used
    assert used <= defined
